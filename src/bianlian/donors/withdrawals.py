"""Withdrawn consents on disk: the ledger holds them, the status list tells others."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from bianlian.donors import revocation
from bianlian.donors.files import write_whole
from bianlian.donors.installation import Installation
from bianlian.donors.ledger import Ledger, LedgerWriter
from bianlian.donors.receipts import Receipt
from bianlian.errors import ConsentRefused


class Withdrawals:
    """Keeps the status list in step with the ledger, and never hides that it was tampered with."""

    def __init__(self, path: Path, installation: Installation, ledger: Ledger) -> None:
        self._path, self._installation, self._ledger = path, installation, ledger

    def begin(self, now: datetime) -> None:
        """Issue the first list of a new installation."""
        if not self._path.exists() and next(self._ledger.entries(), None) is None:
            write_whole(self._path, revocation.issue(self._installation, (), now))

    def add(self, receipt: Receipt, now: datetime) -> None:
        """Withdraw a consent, once: first in the ledger, which decides, then in the list."""
        with self._ledger.exclusive(now) as writer:
            if not any(entry.facts["receipt"] == receipt.id for entry in writer.entries("revoke")):
                facts = {"donor": receipt.donor_id, "receipt": receipt.id, "status_index": receipt.status_index}
                writer.append("revoke", facts)

    def since(self, receipt_id: str) -> datetime | None:
        """When a consent was withdrawn; None while it stands."""
        for entry in self._ledger.entries("revoke"):
            if entry.facts["receipt"] == receipt_id:
                return entry.at
        return None

    def status(self, now: datetime) -> bytes:
        """The signed status list; issued anew when its time is over, or when the ledger has more withdrawals.

        Raises:
            ConsentRefused: status-missing, status-bad; status-mismatch when it names a withdrawal that the ledger lacks.
        """
        with self._ledger.exclusive(now) as writer:
            document = self._read()
            listed, withdrawn = revocation.read(document, self._installation.public_key), _withdrawn(writer)
            if listed.revoked - withdrawn:
                raise ConsentRefused(
                    "The status list names a withdrawal that the ledger does not have.",
                    code="status-mismatch",
                    advice="The ledger was replaced by an older copy. Restore the newest backup of the data folder.",
                )
            if now > listed.valid_until or listed.revoked != withdrawn:
                document = revocation.issue(self._installation, withdrawn, now)
                write_whole(self._path, document)
        return document

    def _read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except FileNotFoundError as error:
            raise ConsentRefused(
                "The status list of withdrawn consents is missing.",
                code="status-missing",
                advice="Restore status-list.jwt from your backup.",
            ) from error


def _withdrawn(writer: LedgerWriter) -> frozenset[int]:
    return frozenset(int(entry.facts["status_index"]) for entry in writer.entries("revoke"))
