"""Publish what others need to verify results without this installation's secrets: the public verification bundle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bianlian.donors.receipts import verify_receipt
from bianlian.records.verdict import Verdict
from bianlian.verification.bundle import BundleContents, ConsentEntry, read_bundle, write_bundle
from bianlian.verification.verifier import Verifier
from bianlian.workflows.house import House
from bianlian.workflows.verify import trusted_roots


def publish_bundle(house: House, path: Path) -> None:
    """Write the bundle: roots, status list, consents by number, fingerprints; no names, no faces, no keys.

    Raises:
        ConsentRefused: the status list does not fit the ledger.
        InstallationError: the file cannot be written.
    """
    donors = house.donors
    consents: defaultdict[str, dict[str, ConsentEntry]] = defaultdict(dict)
    for entry in donors.ledger.entries("release"):
        receipt_id = str(entry.facts["receipt"])
        receipt = verify_receipt(donors.receipt_document(receipt_id), donors.installation.public_key)
        one = ConsentEntry(status_index=receipt.status_index, expires=receipt.scope.until)
        consents[str(entry.facts["job"])][receipt_id] = one
    contents = BundleContents(
        roots_pem=trusted_roots(house),
        status_list=donors.status(house.clock()),
        consents={job_id: tuple(receipts.values()) for job_id, receipts in consents.items()},
        outputs=house.registry.public_bundle(),
    )
    write_bundle(path, contents, donors.installation.signing_key, now=house.clock())


def verify_with_bundle(house: House, files: Sequence[Path], bundle: Path, *, installation: str) -> list[Verdict]:
    """Verify files of another installation by its bundle; the watermark stays unread.

    Args:
        installation: the id that the bundle must be of; empty accepts any, and the verdict says only what that is worth.
    """
    references = read_bundle(bundle, installation=installation).references(house.clock())
    verifier = Verifier(references)
    return [verifier.verify(file) for file in files]
