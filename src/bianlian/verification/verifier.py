"""What is this file? Every technique is asked, the pixels are decoded once, then the policy decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bianlian.errors import MediaError
from bianlian.marking.manifest.reading import read_manifest
from bianlian.marking.reading import read_labels
from bianlian.marking.registry import IssuedOutput
from bianlian.media.probe import describe, sha256_of
from bianlian.records.verdict import Finding, Outcome, Verdict
from bianlian.verification.checks import (
    check_fingerprint,
    check_label,
    check_manifest,
    check_metadata,
    check_watermark,
    consent_finding,
    trust_finding,
)
from bianlian.verification.claims import Claims, ConsentState, jobs_named
from bianlian.verification.pixels import (
    NoPixels,
    NoWatermarkKeys,
    Passing,
    PixelReadings,
    Still,
    WatermarkKeys,
    as_they_come,
    read_pixels,
)
from bianlian.verification.policy import decide


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What a file is compared with. From an installation, or from a public bundle (`bundle.references`)."""

    roots_pem: bytes
    """Certificates whose signatures are trusted; empty trusts nobody."""
    outputs: Callable[[], Iterable[IssuedOutput]]
    """The released outputs."""
    consent_of: Callable[[str], ConsentState]
    """Where the consent of a job stands, by its id."""
    watermark: WatermarkKeys | NoWatermarkKeys


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examination:
    """A verdict, and what it rests on."""

    verdict: Verdict
    claims: Claims
    pixels: PixelReadings | NoPixels

    @property
    def stills(self) -> tuple[Still, ...]:
        """The frames in question, for the page."""
        return () if isinstance(self.pixels, NoPixels) else self.pixels.stills


class Verifier:
    """Reads back what was made here, and says what it cannot know."""

    def __init__(self, references: References) -> None:
        self._references = references

    def verify(self, path: Path) -> Verdict:
        """The verdict on one file.

        Raises:
            MediaError: it cannot be opened, or it is no media and carries no mark.
        """
        return self.examine(path).verdict

    def examine(self, path: Path, passing: Passing = as_they_come) -> Examination:
        """The verdict on one file with the claims and frames that it rests on; `passing` sees the decoded frames.

        Raises:
            MediaError: it cannot be opened, or it is no media and carries no mark.
        """
        references, sha256 = self._references, sha256_of(path)
        metadata, manifest = (
            check_metadata(read_labels(path)),
            check_manifest(read_manifest(path, references.roots_pem)),
        )
        pixels = _pixels(path, references.watermark, passing)
        fingerprint = check_fingerprint(sha256, pixels, references.outputs())
        says_something = any(
            claim.is_ours or claim.outcome is Outcome.FOUND for claim in (metadata, manifest, fingerprint)
        )
        if isinstance(pixels, NoPixels) and not says_something:
            raise pixels.error
        label, watermark = check_label(pixels), check_watermark(pixels)
        claims = Claims(
            label=label, metadata=metadata, manifest=manifest, watermark=watermark, fingerprint=fingerprint,
            # Outputs made from the same footage look alike, so the fingerprint is asked only where nothing else names a job.
            consents=tuple(
                (job_id, references.consent_of(job_id))
                for job_id in jobs_named(manifest, metadata, watermark) or jobs_named(fingerprint)
            ),
        )  # fmt: skip
        decision = decide(claims)
        verdict = Verdict(file=path.name, state=decision.state, reason=decision.reason, findings=findings_of(claims))
        return Examination(verdict=verdict, claims=claims, pixels=pixels)


def findings_of(claims: Claims) -> tuple[Finding, ...]:
    """The lines of a verdict, in the order in which people read them."""
    return (
        claims.label.finding,
        claims.metadata.finding,
        claims.manifest.finding,
        trust_finding(claims.manifest),
        claims.watermark.finding,
        claims.fingerprint.finding,
        consent_finding(claims.consents),
    )


def _pixels(path: Path, keys: WatermarkKeys | NoWatermarkKeys, passing: Passing) -> PixelReadings | NoPixels:
    try:
        return read_pixels(describe(path), keys, passing)
    except MediaError as error:
        return NoPixels(reason=str(error), error=error)
