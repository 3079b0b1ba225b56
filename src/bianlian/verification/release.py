"""The last look before a result gets its name: every mark is read back from the finished draft, or it is not released."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from bianlian.errors import MarksRefused
from bianlian.marking.fingerprint import Print
from bianlian.marking.metadata import AigcLabel
from bianlian.marking.reading import read_labels
from bianlian.records.verdict import Finding, Outcome, State, Verdict
from bianlian.verification.pixels import LabelSeen, NoPixels, Passing, as_they_come
from bianlian.verification.verifier import References, Verifier


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseExpectation:
    """What a finished draft must carry."""

    job_id: str
    metadata: AigcLabel
    carries_watermark: bool
    """A placed face was drawn large enough, and long enough, for its mark to be read again."""
    opening_seconds: Fraction = Fraction(0)
    """As in `LabelStyle`: 0 asks for the visible label in every frame that is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDraft:
    """A draft that may be released."""

    verdict: Verdict
    prints: tuple[Print, ...]
    """Its fingerprint, for the registry of outputs."""


def check_draft(
    draft: Path, expected: ReleaseExpectation, references: References, passing: Passing = as_they_come
) -> CheckedDraft:
    """Read all marks back from a sealed draft, with the readers of `verify`.

    A watermark that cannot be found though a face could carry it is a refusal only where so much face was read that a whole
    mark is always found; else it is a line of the verdict.

    Args:
        draft: the sealed file under its temporary name, with the suffix that it will keep.
        passing: sees the decoded frames: the content gate's place.
        references: this installation's; `outputs` need not hold the job yet.

    Raises:
        MarksRefused: codes marks-label, marks-metadata, marks-manifest, marks-watermark; what is missing is in the message.
        MediaError: the draft cannot be opened or decoded whole.
    """
    seen = Verifier(references).examine(draft, passing)
    if isinstance(seen.pixels, NoPixels):
        raise seen.pixels.error
    claims = seen.claims
    if seen.pixels.damage:
        raise _refused("label", f"the pictures cannot be decoded whole: {seen.pixels.damage}")
    if claims.label.outcome is not Outcome.FOUND:
        raise _refused("label", claims.label.finding.sentence)
    gap = _gap(seen.pixels.label, expected.opening_seconds)
    if gap:
        raise _refused("label", gap)
    labels = read_labels(draft)
    if labels.malformed or labels.labels != (expected.metadata,):
        raise _refused(
            "metadata", f"{claims.metadata.finding.sentence} Expected: content {expected.metadata.produce_id}."
        )
    manifest = claims.manifest
    if manifest.outcome is not Outcome.FOUND or not manifest.is_trusted or manifest.job_id != expected.job_id:
        raise _refused("manifest", _why(manifest.finding, manifest.is_trusted, manifest.job_id, expected.job_id))
    watermark = claims.watermark
    is_foreign = bool(watermark.job_id) and watermark.job_id != expected.job_id
    if is_foreign or (expected.carries_watermark and watermark.is_ample and watermark.outcome is Outcome.ABSENT):
        raise _refused("watermark", watermark.finding.sentence)
    # A withdrawal is the ledger's to refuse, with its own code.
    if seen.verdict.state not in (State.VALID, State.WITHDRAWN):
        raise _refused("manifest", seen.verdict.reason)
    return CheckedDraft(verdict=seen.verdict, prints=seen.pixels.prints)


def _gap(label: LabelSeen, opening_seconds: Fraction) -> str:
    """Where the label is missing though it was to be shown; empty when it is not."""
    until = min(float(opening_seconds), label.length) if opening_seconds else label.length
    if label.seen == label.looked or (opening_seconds and label.missing_from >= until):
        return ""
    return f"it is missing from {label.missing_from:.2f} s on, and was to be shown for {until:.2f} s."


def _why(finding: Finding, is_trusted: bool, job_id: str, expected: str) -> str:
    if finding.outcome is Outcome.FOUND and not is_trusted:
        return "its signature does not lead to this installation's root certificate."
    if finding.outcome is Outcome.FOUND:
        return f"it names job {job_id or 'none'}, not {expected}."
    return finding.sentence


def _refused(mark: str, sentence: str) -> MarksRefused:
    names = {
        "label": "visible label",
        "metadata": "metadata label",
        "manifest": "signed manifest",
        "watermark": "watermark",
    }
    return MarksRefused(
        f"The result is not released: its {names[mark]} did not come back as it must: {sentence}",
        code=f"marks-{mark}",
        advice="Nothing was left under the final name. Run the job again; if it happens again, report it with this message.",
    )
