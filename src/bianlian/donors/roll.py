"""Who is enrolled here: looking donors and their receipts up."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bianlian.donors.papers import NAME, RECEIPT
from bianlian.donors.receipts import Receipt, verify_receipt
from bianlian.donors.vault import Vault
from bianlian.errors import CallerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Donor:
    """A donor who can be opened here."""

    id: str
    name: str
    receipt: Receipt


class Roll:
    """The enrolled donors of an installation; receipts stay when a donor's data are gone."""

    def __init__(self, vault: Vault, receipts: Path, public_key: Ed25519PublicKey) -> None:
        self._vault, self._receipts, self._public_key = vault, receipts, public_key

    def list(self) -> tuple[Donor, ...]:
        """All donors who can be opened, by name."""
        return tuple(sorted(map(self._load, self.ids()), key=lambda donor: donor.name))

    def find(self, name: str) -> Donor:
        """The donor of this name or pseudonym.

        Raises:
            CallerError: there is none.
        """
        wanted = tidy(name)
        for donor_id in self.ids():
            if wanted in (donor_id, self.name_of(donor_id)):
                return self._load(donor_id)
        raise CallerError(
            f"There is no donor {wanted!r} here; perhaps the consent was withdrawn.",
            advice="See who is here: bianlian donor list",
        )

    def receipt_document(self, receipt_id: str) -> bytes:
        """A receipt by its id; receipts stay when the donor's data are gone.

        Raises:
            CallerError: there is none.
        """
        path = self.receipt_path(receipt_id)
        if path.parent != self._receipts or not path.is_file():
            raise CallerError(f"There is no receipt {receipt_id!r} here.")
        return path.read_bytes()

    def by_any_name(self, name: str) -> tuple[str, Receipt]:
        """Donor id and receipt by name, pseudonym or receipt id, also when the donor's data are gone.

        Raises:
            CallerError: there is none.
        """
        if (self._receipts / f"{name}.json").is_file():
            receipt = verify_receipt(self.receipt_document(name), self._public_key)
            return receipt.donor_id, receipt
        donor = self.find(name)
        return donor.id, donor.receipt

    def ids(self) -> tuple[str, ...]:
        """Ids of the donors who can be opened."""
        return tuple(donor_id for donor_id in self._vault.donors() if self._vault.holds(donor_id, RECEIPT))

    def name_of(self, donor_id: str) -> str:
        """Their name or pseudonym, decrypted."""
        return self._vault.read(donor_id, NAME).decode()

    def receipt_path(self, receipt_id: str) -> Path:
        """Where the receipt of this id lies."""
        return self._receipts / f"{receipt_id}.json"

    def _load(self, donor_id: str) -> Donor:
        receipt = verify_receipt(self._vault.read(donor_id, RECEIPT), self._public_key)
        return Donor(id=donor_id, name=self.name_of(donor_id), receipt=receipt)


def tidy(name: str) -> str:
    """A name as it is kept and compared.

    Raises:
        CallerError: it is unfit.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(name) <= 80 or not name.isprintable():
        raise CallerError("A donor's name has 1 to 80 printable characters.")
    return name
