"""From a draft to a released file: metadata is in, the manifest goes on last, everything is read back, then it gets its name.

pixels → encode → metadata → manifest → read back → consent again → rename
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

from bianlian.errors import CallerError
from bianlian.marking.fingerprint import Print
from bianlian.marking.manifest.facts import ConsentFacts, ManifestFacts, SourceType
from bianlian.marking.manifest.seal import seal
from bianlian.marking.metadata import AigcLabel, first_label
from bianlian.media.publish import to_disk
from bianlian.records.donor import Use
from bianlian.records.face import Box
from bianlian.records.frame import Frame, SourceInfo
from bianlian.records.grant import Grant
from bianlian.records.progress import Progress, Reporter
from bianlian.screening.gate import ContentGate, GateSettings
from bianlian.tracking.landmarks import FaceLandmarker
from bianlian.verification.release import CheckedDraft, ReleaseExpectation, check_draft
from bianlian.workflows.donors import status_index_of
from bianlian.workflows.house import House
from bianlian.workflows.prefetch import prefetched
from bianlian.workflows.verify import references_of, signer_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sealing:
    """What the file marks of one job say."""

    job_id: str
    source: SourceInfo
    grants: Mapping[int, Grant]
    appearances: Mapping[int, str]
    """Person number → SHA-256 of the donor's appearance."""
    regions: tuple[Box, ...]
    level: str
    opening_seconds: Fraction
    """How long the visible label stands; 0 for the whole duration."""
    carries_watermark: bool
    """The mark in the face must be found again before release."""

    @property
    def receipts_sha256(self) -> str:
        """One hash for all receipts: it stands in the metadata label and in the manifest."""
        digests = sorted(grant.receipt_sha256 for grant in self.grants.values())
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    @property
    def label(self) -> AigcLabel:
        """The metadata label."""
        return first_label(job_id=self.job_id, receipts_sha256=self.receipts_sha256)


def sealed(house: House, sealing: Sealing, draft: Path, target: Path) -> None:
    """Put the manifest on: the last change that the file sees."""
    facts = ManifestFacts(
        job_id=sealing.job_id,
        receipts_sha256=sealing.receipts_sha256,
        consents=tuple(
            ConsentFacts(
                receipt_id=grant.receipt_id, receipt_sha256=grant.receipt_sha256, purpose=grant.purpose, expires=grant.expires,
                status_index=status_index_of(house, grant.receipt_id), appearance_sha256=sealing.appearances[person],
            )
            for person, grant in sealing.grants.items()
        ),
        source=sealing.source.path, source_sha256=sealing.source.sha256, regions=sealing.regions, size=sealing.source.size,
        source_type=SourceType.TRAINED, engine=sealing.level, version=version("bianlian"), when=house.clock(),
        is_image=sealing.source.is_image,
    )  # fmt: skip
    seal(draft, target, facts, signer_of(house))


def checked(house: House, sealing: Sealing, file: Path, landmarker: FaceLandmarker, reporter: Reporter) -> CheckedDraft:
    """Read every mark back from the finished file, and let the content gate look at the result.

    Returns:
        The verdict, and the result's fingerprint.

    Raises:
        MarksRefused: a mark is missing.
        ContentRefused: the result shows sexual content.
    """
    reporter.progress(Progress(stage="check", done=0, total=1, unit="files"))
    gate = ContentGate(house.content_detector(reporter), GateSettings(), what="result")
    expectation = ReleaseExpectation(
        job_id=sealing.job_id, metadata=sealing.label, carries_watermark=sealing.carries_watermark,
        opening_seconds=sealing.opening_seconds,
    )  # fmt: skip

    def screened(stream: Iterator[Frame]) -> Iterator[Frame]:
        return gate.passing(prefetched(stream))

    draft = check_draft(file, expectation, references_of(house, landmarker), screened)
    reporter.progress(Progress(stage="check", done=1, total=1, unit="files"))
    return draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A checked file, ready for release."""

    file: Path
    output: Path
    """The name that it gets."""
    prints: tuple[Print, ...]


def released(house: House, sealing: Sealing, pairs: Sequence[tuple[Grant, Use]], result: Result) -> None:
    """Ask for consent again, note the release, and give the file its name.

    Raises:
        ConsentRefused: the consent ended while the job ran.
        CallerError: something else got the name meanwhile.
    """
    if result.output.exists():
        raise CallerError(
            f"Somebody made {result.output} while it was worked on.", advice="Move it away, and run again."
        )
    to_disk(result.file)
    sha256, md5 = _digests(result.file)
    house.donors.release(pairs, sha256, house.clock())
    house.registry.release(sealing.job_id, sha256=sha256, md5=md5, prints=result.prints, now=house.clock())
    os.replace(result.file, result.output)
    to_disk(result.output.parent)


def _digests(path: Path) -> tuple[str, str]:
    """SHA-256, and MD5 for those lists of platforms that still want it."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
            md5.update(block)
    return sha256.hexdigest(), md5.hexdigest()
