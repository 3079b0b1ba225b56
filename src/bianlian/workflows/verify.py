"""Read back what was made: verify files with this installation's keys, or ask whether a file carries our marks at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bianlian.donors.files import write_whole
from bianlian.donors.receipts import verify_receipt
from bianlian.errors import InstallationError
from bianlian.marking.certificates import Credentials, ManifestSigner, open_credentials, rotate
from bianlian.marking.external import read_signer
from bianlian.marking.watermark.reader import WatermarkReader
from bianlian.records.arrays import F32
from bianlian.records.donor import stamp
from bianlian.records.frame import Frame, SourceInfo
from bianlian.records.progress import Progress, Reporter
from bianlian.records.verdict import State, Verdict
from bianlian.tracking.landmarks import FaceLandmarker, LandmarkResult, region_of_detection, region_of_landmarks
from bianlian.tracking.sampling import FrameSampler, Sampler
from bianlian.tracking.watch import LEAST_PRESENCE
from bianlian.verification.claims import Consent, ConsentState
from bianlian.verification.pixels import WatermarkKeys
from bianlian.verification.report import verdict_page
from bianlian.verification.verifier import Examination, References, Verifier
from bianlian.workflows.house import House

DETECT_EVERY = 8
"""Sampled frames, half a second: how late a face that comes in is found."""
SMALLEST_READ_PX = 60.0
"""Faces below this height hold no mark that could be read (docs/watermark.md)."""


def verify_files(house: House, files: Sequence[Path], *, page: Path | None, reporter: Reporter) -> list[Verdict]:
    """A verdict on each file; with `page`, the first one as a page for people.

    Raises:
        MediaError: a file cannot be read at all and carries no mark.
    """
    verifier = Verifier(references_of(house, house.landmarker(reporter)))
    examined: list[Examination] = []
    for done, file in enumerate(files):
        reporter.progress(Progress(stage="verify", done=done, total=len(files), unit="files"))
        examined.append(verifier.examine(file))
    reporter.progress(Progress(stage="verify", done=len(files), total=len(files), unit="files"))
    if page:
        try:
            write_whole(page, verdict_page(examined[0], now=house.clock()).encode(), mode=0o644)
        except OSError as error:
            raise InstallationError(f"{page} cannot be written: {error.strerror or error}.") from error
    return [one.verdict for one in examined]


def references_of(house: House, landmarker: FaceLandmarker) -> References:
    """What this installation compares files with; the landmarker finds the faces that hold marks."""
    book = house.code_book()
    keys = WatermarkKeys(
        reader=WatermarkReader(book),
        job_ids=house.registry.job_ids(key_id=book.key_id),
        locate=FaceLocator(landmarker),
    )
    return References(
        roots_pem=trusted_roots(house),
        outputs=house.registry.outputs,
        consent_of=lambda job_id: consent_of(house, job_id),
        watermark=keys,
    )


def credentials_of(house: House) -> Credentials:
    """The installation's signing credentials, made at first use."""
    installation = house.donors.installation
    return open_credentials(
        house.settings.home / "keys" / "signing", password=installation.derive("signing").hex().encode(),
        installation_id=installation.id, now=house.clock(),
    )  # fmt: skip


def signer_of(house: House) -> ManifestSigner:
    """Who signs manifests here: an external key if one is set, else the installation's credentials."""
    return read_signer(house.settings.signer) if house.settings.signer else credentials_of(house)


def trusted_roots(house: House) -> bytes:
    """Root certificates that this installation's manifests lead to, PEM."""
    external = read_signer(house.settings.signer).root_pem if house.settings.signer else b""
    return credentials_of(house).root_pem + external


def rotate_credentials(house: House) -> None:
    """Give the installation a new signing certificate under the same root."""
    credentials_of(house)  # makes the chain if there is none yet
    installation = house.donors.installation
    rotate(
        house.settings.home / "keys" / "signing", password=installation.derive("signing").hex().encode(),
        installation_id=installation.id, now=house.clock(),
    )  # fmt: skip


def consent_of(house: House, job_id: str) -> ConsentState:
    """Where the consents of a job stand now; of several the worst."""
    ledger, donors = house.donors.ledger, house.donors
    receipts = {str(entry.facts["receipt"]) for entry in ledger.entries("grant") if entry.facts["job"] == job_id}
    if not receipts:
        return ConsentState(consent=Consent.UNKNOWN, reason="this installation knows no such job")
    for receipt_id in sorted(receipts):
        revoked_at = donors.revoked_at(receipt_id)
        if revoked_at is not None:
            return ConsentState(consent=Consent.WITHDRAWN, since=stamp(revoked_at))
    for receipt_id in sorted(receipts):
        receipt = verify_receipt(donors.receipt_document(receipt_id), donors.installation.public_key)
        if receipt.scope.until < house.clock():
            return ConsentState(consent=Consent.EXPIRED, since=stamp(receipt.scope.until))
    return ConsentState(consent=Consent.ACTIVE)


def marks_of_ours(house: House, source: SourceInfo, reporter: Reporter) -> tuple[str, ...]:
    """Marks of this program in a file, in words: a capture that carries any was made, not recorded.

    The fingerprint is not asked: it cannot tell a result from the footage that it was made from, and a performer may well
    enrol in front of the same wall.
    """
    claims = Verifier(references_of(house, house.landmarker(reporter))).examine(source.path).claims
    marks = (claims.label, claims.metadata, claims.manifest, claims.watermark)
    return tuple(claim.finding.check for claim in marks if claim.is_ours)


class FaceLocator:
    """Finds the landmarks (478x3) of all faces of a frame that are large enough to hold a mark.

    Faces are followed from one sampled frame to the next, which costs a third of looking for them; the detector looks every
    `DETECT_EVERY` frames, whenever a face is lost, and when another file begins.
    """

    def __init__(self, landmarker: FaceLandmarker) -> None:
        self._landmarker = landmarker
        self._known: list[F32] = []
        self._left = 0
        self._last = -1

    def __call__(self, frame: Frame) -> list[F32]:
        picture = FrameSampler(frame)
        is_next, self._last = frame.index > self._last, frame.index
        known = self._known if is_next and self._left else []
        followed = [self._landmarker.landmarks_of(picture, region_of_landmarks(points)) for points in known]
        if followed and all(result.presence >= LEAST_PRESENCE for result in followed):
            self._left -= 1
            seen = followed
        else:
            self._left = DETECT_EVERY
            seen = self._found(picture)
        # What only looked like a face for a moment is not followed, or losing it would mean to search each frame.
        self._known = [result.points_image for result in seen if result.presence >= LEAST_PRESENCE]
        return [result.points_image for result in seen]

    def _found(self, picture: Sampler) -> list[LandmarkResult]:
        found: list[LandmarkResult] = []
        for detection in self._landmarker.detector.search(picture, smallest_px=SMALLEST_READ_PX):
            righted = self._landmarker.detector.righted(picture, detection)
            first = self._landmarker.landmarks_of(picture, region_of_detection(righted))
            # A second look from where the first one found the face is what tracking does from frame to frame.
            found.append(self._landmarker.landmarks_of(picture, region_of_landmarks(first.points_image)))
        return found


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """0 all valid; 1 any altered or withdrawn; else 2."""
    states = {verdict.state for verdict in verdicts}
    if states & {State.ALTERED, State.WITHDRAWN}:
        return 1
    return 2 if State.UNKNOWN in states else 0


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """For `--json`."""
    return {
        "file": verdict.file,
        "state": verdict.state.value,
        "reason": verdict.reason,
        "findings": [
            {
                "check": finding.check,
                "outcome": finding.outcome.value,
                "technique": finding.technique,
                "sentence": finding.sentence,
                "confidence": finding.confidence,
                **dict(finding.details),
            }
            for finding in verdict.findings
        ],
    }
