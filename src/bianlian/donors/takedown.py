"""Help after a withdrawal: fingerprints to find copies by, and the letter that asks a platform to remove them.

Formats: threatexchange and StopNCII signal types (docs/consent.md); the letter has the elements of the TAKE IT DOWN Act
(platforms answer within 48 hours) and of articles 1195 of the Chinese Civil Code and 47 of the PIPL. Not legal advice.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from bianlian.donors.notices import shipped
from bianlian.errors import CallerError
from bianlian.imaging.pdq import LEAST_QUALITY
from bianlian.records.donor import OutputRecord, stamp

LABEL = "ncii-deepfake"
"""Label of a deep fake that the person shown does not, or no longer, consent to."""
COLUMNS = ("signal_type", "value", "quality", "label", "case_id", "created")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Who asks for removal, in their own words; the program does not keep it."""

    name: str
    contact: str
    where: tuple[str, ...]
    """Addresses of the copies."""


def export_csv(records: Sequence[OutputRecord], case_id: str) -> str:
    """Fingerprints as CSV with a header line.

    Raises:
        CallerError: there is nothing to export.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([signal[name] for name in COLUMNS] for signal in _signals(records, case_id))
    return file.getvalue()


def export_jsonl(records: Sequence[OutputRecord], case_id: str) -> str:
    """Fingerprints as JSON lines. Raises as `export_csv`."""
    return "".join(json.dumps(signal, ensure_ascii=False) + "\n" for signal in _signals(records, case_id))


def takedown_letter(
    records: Sequence[OutputRecord],
    claimant: Claimant,
    *,
    language: str,
    receipt_id: str,
    revoked_at: datetime,
    now: datetime,
) -> str:
    """The letter as plain text, in "en" or "zh".

    Raises:
        CallerError: no address to remove, or no record to name.
    """
    if not records or not claimant.where:
        raise CallerError(
            "A letter names at least one file and one address.", advice="Say where the copy is: --at https://…"
        )
    return shipped(f"takedown.{language}.txt").format(
        name=claimant.name, contact=claimant.contact, receipt=receipt_id, revoked=stamp(revoked_at), today=stamp(now)[:10],
        where="\n".join(f"  - {address}" for address in claimant.where),
        files="\n".join(f"  - SHA-256 {record.sha256}\n    MD5     {record.md5}" for record in records),
    )  # fmt: skip


def _signals(records: Sequence[OutputRecord], case_id: str) -> Iterator[dict[str, str | int]]:
    if not records:
        raise CallerError("No result was ever released with this donor's face.", advice="There is nothing to export.")
    for record in records:
        common = {"label": LABEL, "case_id": case_id, "created": stamp(record.created)}
        yield {"signal_type": "sha256", "value": record.sha256, "quality": 100, **common}
        yield {"signal_type": "md5", "value": record.md5, "quality": 100, **common}
        good = [line for line in record.pdq if line[2] >= LEAST_QUALITY]
        for _, value, quality in good:
            yield {"signal_type": "pdq", "value": value, "quality": quality, **common}
        if good and not record.is_image:
            frames = {
                str(number): {"quality": quality, "hash": value, "timestamp": second}
                for number, (second, value, quality) in enumerate(good)
            }
            yield {
                "signal_type": "vpdq",
                "value": json.dumps(frames),
                "quality": min(line[2] for line in good),
                **common,
            }
