"""One function for each claim: a reading in, a line for people and the facts for the policy out.

Each line names its technique and how sure it is (EU Code of Practice on transparency of AI-generated content, Commitment 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bianlian.marking.label import LEAST_OPENING_SECONDS, LEGAL_INK_SHARE
from bianlian.marking.manifest.reading import ManifestReading, ManifestState
from bianlian.marking.metadata import IS_SYNTHETIC, PRODUCER
from bianlian.marking.reading import LabelReading
from bianlian.marking.registry import IssuedOutput, nearest
from bianlian.marking.watermark.reader import WatermarkReading
from bianlian.records.verdict import Finding, Outcome
from bianlian.verification.claims import Claim, Consent, ConsentState, ManifestClaim, MetadataClaim, WatermarkClaim
from bianlian.verification.pixels import LabelSeen, NoPixels, NoWatermarkKeys, PixelReadings

READABLE_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3."""
AMPLE_FACE_PX, AMPLE_FACES = 160.0, 45  # 3 s
"""Face height and number of faces read from which an unharmed mark is always found: R26 asks for it from 180 px and 4 s on."""
_CERTAIN = "certain"
_LABEL, _METADATA, _MANIFEST, _WATERMARK, _FINGERPRINT, _CONSENT = (
    "letters by correlation in decoded frames", "AIGC label (GB 45438-2025, Annex E)", "C2PA 2.2 manifest",
    "keyed spread spectrum in the face, matched with the issued jobs", "SHA-256; PDQ per second", "status of the receipts",
)  # fmt: skip


def check_label(pixels: PixelReadings | NoPixels) -> Claim:
    """The visible label: on the first frame, for two seconds or the whole file, high enough, with contrast."""
    if isinstance(pixels, NoPixels):
        return Claim(finding=_finding("label", Outcome.NOT_CHECKED, _LABEL, pixels.reason))
    label = pixels.label
    if not label.seen:
        return Claim(
            finding=_finding("label", Outcome.ABSENT, _LABEL, f"No label of ours in {label.looked} frames looked at.")
        )
    faults = label_faults(label)
    until = f" for {label.missing_from:.2f} s" if label.seen < label.looked else ""
    share = f"{label.ink_share:.1%} of the shorter side high, contrast {label.contrast:.1f}:1"
    sentence = f"“{label.words}” in {label.seen} of {label.looked} frames looked at, {share}"
    finding = _finding(
        "label",
        Outcome.BROKEN if faults else Outcome.FOUND,
        _LABEL,
        f"{sentence}; {'; '.join(faults)}." if faults else f"{sentence}, from the first frame on{until}.",
        f"correlation {label.alike:.2f} or more, other pictures stay below 0.4",
        ink_share=f"{label.ink_share:.4f}", contrast=f"{label.contrast:.2f}", looked=str(label.looked),
        seen=str(label.seen), shown_seconds=f"{label.missing_from:.2f}",
    )  # fmt: skip
    return Claim(finding=finding, is_ours=True)


def label_faults(label: LabelSeen) -> tuple[str, ...]:
    """What is wrong with a label that was found; empty when nothing is."""
    is_short = label.seen < label.looked and label.missing_from < LEAST_OPENING_SECONDS
    rules = (
        (not label.is_on_first, "not on the first frame"),
        (label.is_on_first and is_short, f"gone after {label.missing_from:.2f} s"),
        (label.ink_share < LEGAL_INK_SHARE, f"lower than {LEGAL_INK_SHARE:.0%}"),
        (label.contrast < READABLE_CONTRAST, f"contrast below {READABLE_CONTRAST}:1"),
    )
    return tuple(sentence for applies, sentence in rules if applies)


def check_metadata(reading: LabelReading) -> MetadataClaim:
    """The metadata label: exactly one, well-formed, and whose."""
    count = len(reading.labels) + len(reading.malformed)
    if not count:
        return MetadataClaim(finding=_finding("metadata", Outcome.ABSENT, _METADATA, "The file carries no AIGC label."))
    ours = next((label for label in reading.labels if label.producer == PRODUCER), None)
    job_id, receipts = (ours.produce_id, ours.reserved1) if ours else ("", "")
    if count > 1 or reading.malformed:
        what = f"{count} labels where there may be one" if count > 1 else "no proper label"
        more = f" ({'; '.join(reading.malformed)})" if reading.malformed else ""
        finding = _finding("metadata", Outcome.BROKEN, _METADATA, f"The file carries {what}{more}.", _CERTAIN)
        return MetadataClaim(finding=finding, is_ours=ours is not None, job_id=job_id, receipts_sha256=receipts)
    label = reading.labels[0]
    says = {"1": "is", "2": "may be", "3": "is suspected to be"}.get(label.label, "is, by an unknown code,")
    is_whole = ours is None or (label.label == IS_SYNTHETIC and bool(job_id))
    finding = _finding(
        "metadata",
        Outcome.FOUND if is_whole else Outcome.BROKEN,
        _METADATA,
        f"{label.producer or 'Nobody'} says that it {says} AI-made, content number {label.produce_id or 'none'}.",
        "what the label says, unsigned by itself; the manifest covers it",
        producer=label.producer, produce_id=label.produce_id, propagator=label.propagator, propagate_id=label.propagate_id,
    )  # fmt: skip
    return MetadataClaim(finding=finding, is_ours=ours is not None, job_id=job_id, receipts_sha256=receipts)


def check_manifest(reading: ManifestReading) -> ManifestClaim:
    """The manifest's integrity; trust is a line of its own, `trust_finding`."""
    outcome = {
        ManifestState.ABSENT: Outcome.ABSENT, ManifestState.BROKEN: Outcome.BROKEN, ManifestState.VALID: Outcome.FOUND,
    }[reading.state]  # fmt: skip
    when = f" on {reading.signed_at}" if reading.signed_at else ""
    sentence = {
        Outcome.ABSENT: "The file carries no manifest.",
        Outcome.BROKEN: f"The file does not fit its manifest: {', '.join(reading.failures) or 'it cannot be read'}.",
        Outcome.FOUND: f"Nothing that the manifest covers was changed since it was signed{when}.",
    }[outcome]
    return ManifestClaim(
        finding=_finding(
            "manifest", outcome, _MANIFEST, sentence, "no statement" if outcome is Outcome.ABSENT else _CERTAIN,
            job=reading.job_id, receipts=" ".join(reading.receipt_ids), source_type=reading.source_type,
            signed_by=reading.signed_by, signed_at=reading.signed_at,
        ),
        is_ours=bool(reading.job_id),
        job_id=reading.job_id,
        is_trusted=reading.is_trusted and outcome is Outcome.FOUND,
        receipts_sha256=reading.receipts_sha256,
    )  # fmt: skip


def trust_finding(manifest: ManifestClaim) -> Finding:
    """Whether a trusted root stands behind the manifest's signature."""
    technique = "certificate chain to the given roots"
    signer = dict(manifest.finding.details).get("signed_by") or "an unnamed signer"
    if manifest.outcome is Outcome.ABSENT:
        return _finding("trust", Outcome.NOT_CHECKED, technique, "There is no signature to trust.")
    if manifest.is_trusted:
        return _finding(
            "trust", Outcome.FOUND, technique, f"Signed by {signer}, under a root that is trusted here.", _CERTAIN
        )
    return _finding(
        "trust", Outcome.ABSENT, technique, f"Signed by {signer}, under no whole chain to a trusted root.", _CERTAIN
    )


def check_watermark(pixels: PixelReadings | NoPixels) -> WatermarkClaim:
    """The invisible mark, with the bound of its false alarms."""
    if isinstance(pixels, NoPixels):
        return WatermarkClaim(finding=_finding("watermark", Outcome.NOT_CHECKED, _WATERMARK, pixels.reason))
    reading = pixels.watermark
    if isinstance(reading, NoWatermarkKeys):
        return WatermarkClaim(finding=_finding("watermark", Outcome.NOT_CHECKED, _WATERMARK, reading.reason))
    finding = _finding(
        "watermark",
        Outcome.FOUND if reading.is_found else Outcome.ABSENT,
        _WATERMARK,
        _found_mark(reading) if reading.is_found else f"Not found: {reading.reason}.",
        f"false alarm at most {reading.false_alarm:.1g}" if reading.is_found else "no statement",
        job=reading.job_id, score=f"{reading.score:.2f}", false_alarm=f"{reading.false_alarm:.2g}",
        frames=str(reading.frames_read), faces=str(reading.faces_read), largest_face_px=f"{reading.largest_face_px:.0f}",
    )  # fmt: skip
    is_ample = reading.largest_face_px >= AMPLE_FACE_PX and reading.faces_read >= AMPLE_FACES
    return WatermarkClaim(finding=finding, is_ours=reading.is_found, job_id=reading.job_id, is_ample=is_ample)


def _found_mark(reading: WatermarkReading) -> str:
    mirrored = ", mirrored" if reading.is_mirrored else ""
    return f"The faces carry the mark of job {reading.job_id}{mirrored} (score {reading.score:.1f} of 11.3)."


def check_fingerprint(sha256: str, pixels: PixelReadings | NoPixels, outputs: Iterable[IssuedOutput]) -> Claim:
    """The released output that the file is, or looks like."""
    known = tuple(outputs)
    same = next((output for output in known if output.sha256 == sha256), None)
    if same:
        sentence = f"This is, to the bit, the file that job {same.job_id} released."
        finding = _finding("fingerprint", Outcome.FOUND, _FINGERPRINT, sentence, _CERTAIN, job=same.job_id)
        return Claim(finding=finding, is_ours=True, job_id=same.job_id)
    if isinstance(pixels, NoPixels):
        return Claim(finding=_finding("fingerprint", Outcome.NOT_CHECKED, _FINGERPRINT, pixels.reason))
    match = nearest(pixels.prints, known)
    if not match.is_found:
        looks = f"It looks like none of the {len(known)} released outputs that are known here."
        return Claim(finding=_finding("fingerprint", Outcome.ABSENT, _FINGERPRINT, looks))
    like = match.likeness
    finding = _finding(
        "fingerprint",
        Outcome.FOUND,
        _FINGERPRINT,
        f"It looks like the output of job {match.job_id}{', mirrored' if like.is_mirrored else ''}, or like its footage.",
        f"{like.query_share:.0%} of {like.compared} pictures near, {like.distance:.0f} of 256 bits differ; chance gives 128",
        job=match.job_id, sha256=match.sha256,
    )  # fmt: skip
    return Claim(finding=finding, is_ours=True, job_id=match.job_id)


def consent_finding(consents: Sequence[tuple[str, ConsentState]]) -> Finding:
    """Where the consents stand that the named jobs rest on."""
    if not consents:
        return _finding("consent", Outcome.NOT_CHECKED, _CONSENT, "No job is named, so there is no consent to look up.")
    states = {state.consent for _, state in consents}
    outcome = (
        Outcome.BROKEN
        if Consent.WITHDRAWN in states
        else Outcome.NOT_CHECKED
        if Consent.UNKNOWN in states
        else Outcome.FOUND
    )
    sentence = " ".join(f"Job {job_id}: {_state_words(state)}." for job_id, state in consents)
    confidence = "no statement" if outcome is Outcome.NOT_CHECKED else "as sure as the technique that names the job"
    return _finding("consent", outcome, _CONSENT, sentence, confidence,
                    **{job_id: state.consent.value for job_id, state in consents})  # fmt: skip


def _state_words(state: ConsentState) -> str:
    since = f" since {state.since}" if state.since else ""
    reason = f" ({state.reason})" if state.reason else ""
    return f"the consent is {state.consent.value}{since}{reason}"


def _finding(
    check: str, outcome: Outcome, technique: str, sentence: str, confidence: str = "no statement", **details: str
) -> Finding:
    return Finding(
        check=check, outcome=outcome, technique=technique, sentence=sentence, confidence=confidence,
        details=tuple((name, value) for name, value in details.items() if value),
    )  # fmt: skip
