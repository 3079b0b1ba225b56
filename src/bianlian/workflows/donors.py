"""A donor's papers: what is known here, on what terms, and everything for the donor to take along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bianlian.donors import export, page
from bianlian.donors.files import write_whole
from bianlian.donors.receipts import readable, verify_receipt
from bianlian.donors.takedown import Claimant, export_csv, export_jsonl, takedown_letter
from bianlian.errors import CallerError
from bianlian.records.donor import OutputRecord, moment, stamp
from bianlian.workflows.house import House


def donor_rows(house: House) -> list[dict[str, str]]:
    """One row a donor."""
    return [
        {
            "name": donor.name,
            "id": donor.id,
            "receipt": donor.receipt.id,
            "until": stamp(donor.receipt.scope.until)[:10],
            "learnt": " ".join(learnt_levels(house, donor.id)) or "no",
        }
        for donor in house.donors.list()
    ]


def donor_facts(house: House, name: str) -> dict[str, Any]:
    """The receipt in plain words and what was released under it."""
    donor = house.donors.find(name)
    released = [entry for entry in house.donors.ledger.entries("release") if entry.facts["receipt"] == donor.receipt.id]
    return {
        "name": donor.name,
        **readable(donor.receipt),
        "learnt": learnt_levels(house, donor.id),
        "released": [f"{stamp(entry.at)} job {entry.facts['job']}" for entry in released],
    }


def learnt_levels(house: House, donor_id: str) -> list[str]:
    """Levels at which the donor has been learnt."""
    return [
        name.removeprefix("appearance-") for name in house.donors.vault.list(donor_id) if name.startswith("appearance-")
    ]


def write_receipt_page(house: House, name: str, path: Path, *, language: str) -> None:
    """Write the receipt as a page that a person can read and print."""
    write_whole(path, page.receipt_page(house.donors.find(name).receipt, language).encode(), mode=0o644)


def export_donor(house: House, name: str, path: Path) -> None:
    """Write everything that is kept about a donor into a zip archive."""
    export.export_donor(house.donors, house.donors.find(name), path)


def export_hashes(house: House, name: str, *, case_id: str, as_csv: bool) -> str:
    """Fingerprints of all results that were released with a donor's face; works after the withdrawal, too.

    Args:
        name: the donor, or the receipt's id once the donor is gone.
    """
    records = outputs_of(house, receipt_of(house, name))
    return export_csv(records, case_id) if as_csv else export_jsonl(records, case_id)


def letter(house: House, name: str, claimant: Claimant, *, language: str) -> str:
    """A take-down letter for the results of a withdrawn consent.

    Raises:
        CallerError: the consent stands.
    """
    receipt_id = receipt_of(house, name)
    revoked_at = house.donors.revoked_at(receipt_id)
    if revoked_at is None:
        raise CallerError(
            f"The consent {receipt_id} has not been withdrawn.", advice="Withdraw it first: bianlian donor revoke NAME"
        )
    records = outputs_of(house, receipt_id)
    return takedown_letter(
        records, claimant, language=language, receipt_id=receipt_id, revoked_at=revoked_at, now=house.clock()
    )


def receipt_of(house: House, name: str) -> str:
    """The receipt's id for a donor's name, or for the id itself.

    Raises:
        CallerError: neither is known here.
    """
    known = {donor.name: donor.receipt.id for donor in house.donors.list()}
    if name in known:
        return known[name]
    house.donors.receipt_document(name)
    return name


def outputs_of(house: House, receipt_id: str) -> list[OutputRecord]:
    """The results that were released under a receipt, with their fingerprints."""
    jobs = {
        entry.facts["job"]: entry
        for entry in house.donors.ledger.entries("release")
        if entry.facts["receipt"] == receipt_id
    }
    return [
        OutputRecord(
            job_id=output.job_id,
            donor_id=str(jobs[output.job_id].facts["donor"]),
            created=moment(output.created),
            sha256=output.sha256,
            md5=output.md5,
            pdq=tuple((one.second, one.pdq, one.quality) for one in output.prints),
            is_image=len(output.prints) == 1 and output.prints[0].second == 0,
        )
        for output in house.registry.outputs()
        if output.job_id in jobs
    ]


def status_index_of(house: House, receipt_id: str) -> int:
    """A receipt's place in the status list of withdrawn consents."""
    document = house.donors.receipt_document(receipt_id)
    return verify_receipt(document, house.donors.installation.public_key).status_index
