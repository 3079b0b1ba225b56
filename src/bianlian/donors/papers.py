"""The papers of a donor as they lie on disk now, put together for the decision in `consent`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import BinaryIO

from bianlian.donors.consent import History, Papers
from bianlian.donors.entries import Entry
from bianlian.donors.installation import Installation
from bianlian.donors.receipts import Evidence, verify_receipt
from bianlian.donors.vault import CHUNK, Vault
from bianlian.errors import ConsentRefused

CAPTURE, TEMPLATE, NAME, RECEIPT, NOTICE, DONOR_KEY, SCOPE = (
    "capture", "template", "name", "receipt.json", "notice.md", "donor-key", "scope.toml",
)  # fmt: skip
"""Names of a donor's files in the vault."""


def evidence_of(vault: Vault, donor_id: str) -> Evidence:
    """What the vault holds now, to compare with what was signed. Reads the whole recording.

    Raises:
        ConsentRefused: code revoked, when the donor's key is gone.
        InstallationError: a file was changed.
    """
    if donor_id not in vault.donors():
        raise ConsentRefused("The donor has withdrawn this consent.", code="revoked", advice="Cast another donor.")
    return Evidence(
        template_commitment=commitment(vault, donor_id, vault.read(donor_id, TEMPLATE)),
        capture_sha256=digest_of(vault.open(donor_id, CAPTURE)),
        notice_sha256=hashlib.sha256(vault.read(donor_id, NOTICE)).hexdigest(),
    )


def commitment(vault: Vault, donor_id: str, template: bytes) -> str:
    """Commitment to a face template: nobody without the donor's key can tell whose face it is."""
    return hmac.digest(vault.secret(donor_id, "template"), template, "sha256").hex()


def papers_of(
    vault: Vault,
    installation: Installation,
    donor_id: str,
    *,
    status: bytes,
    evidence: Evidence,
    ledger: Iterable[Entry],
) -> Papers:
    """Receipt, status and history of one donor.

    Args:
        ledger: all entries, while nobody can add to them.

    Raises:
        ConsentRefused: receipt-bad; receipt-unknown when the ledger has no such enrolment.
    """
    document = vault.read(donor_id, RECEIPT)
    receipt = verify_receipt(document, installation.public_key)
    entries = list(ledger)
    mine = [entry for entry in entries if entry.facts.get("receipt") == receipt.id]
    enrolled = [entry.facts["receipt_sha256"] for entry in mine if entry.kind == "enrol"]
    if receipt.donor_id != donor_id or enrolled != [receipt.sha256]:
        raise ConsentRefused(
            "The ledger does not know this receipt.", code="receipt-unknown", advice="Enrol the donor again."
        )
    history = History(
        last_entry=entries[-1].at,
        is_revoked=any(entry.kind == "revoke" for entry in mine),
        released=frozenset(_result(entry) for entry in mine if entry.kind == "release"),
    )
    return Papers(receipt=document, status=status, trust=installation.public_key, evidence=evidence, history=history)


def digest_of(file: BinaryIO) -> str:
    """SHA-256 of a file, which is closed."""
    digest = hashlib.sha256()
    with file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def _result(entry: Entry) -> tuple[str, str, int]:
    return str(entry.facts["job"]), str(entry.facts["source_sha256"]), int(entry.facts["person"])
