"""From claims to one verdict: a pure function, so that it can be read, and tested over every combination.

Marks prove what they say when they are whole; their absence proves nothing. Nothing here ever says "authentic".
"""

from __future__ import annotations

from dataclasses import dataclass

from bianlian.records.verdict import Outcome, State
from bianlian.verification.claims import Claims, Consent

_UNTRUSTED = "nobody trusted signed the manifest"
_STRANGER = (
    "Its marks are whole, but signed by an installation that is not trusted here: anybody can make such a signature. "
    "With the verification bundle of that installation the file can be judged."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A state and the sentence that gives its reason."""

    state: State
    reason: str


def decide(claims: Claims) -> Decision:
    """The verdict that follows from the claims.

    A withdrawn consent goes before everything; valid needs every mark whole and all of one job under a trusted signature; any
    other trace of ours is an altered file; no trace is unknown, and so are whole marks that only a stranger signed.
    """
    for job_id, state in claims.consents:
        if state.consent is Consent.WITHDRAWN:
            since = f" on {state.since}" if state.since else ""
            return Decision(
                state=State.WITHDRAWN,
                reason=f"The donor's consent for job {job_id} was withdrawn{since}; take the file down.{_hedge(claims)}",
            )
    if not any(claim.is_ours for claim in claims.all):
        return Decision(state=State.UNKNOWN, reason="No marks of ours were found, which proves nothing about the file.")
    faults = faults_of(claims)
    if not faults:
        return Decision(state=State.VALID, reason=_valid(claims))
    if faults == (_UNTRUSTED,) and not (claims.watermark.is_ours or claims.fingerprint.is_ours):
        return Decision(state=State.UNKNOWN, reason=_STRANGER)
    return Decision(state=State.ALTERED, reason=_altered(claims, faults))


def faults_of(claims: Claims) -> tuple[str, ...]:
    """What keeps a file from being valid, in words, weightiest first; empty when nothing does.

    A watermark that is not found is no fault: a manifest that fits covers every pixel, so nothing took the mark away, and the
    faces may be too small for it, or faded out. Whether it had to be there is decided before release.
    """
    manifest, metadata, label, watermark = claims.manifest, claims.metadata, claims.label, claims.watermark
    is_whole = metadata.outcome is Outcome.FOUND and metadata.is_ours
    rules = (
        (manifest.outcome is Outcome.ABSENT, "the signed manifest is missing"),
        (manifest.outcome is Outcome.BROKEN, "the file does not fit its signed manifest"),
        (manifest.outcome is Outcome.NOT_CHECKED, "the manifest was not checked"),
        (manifest.outcome is Outcome.FOUND and not manifest.is_trusted, _UNTRUSTED),
        (manifest.outcome is Outcome.FOUND and not manifest.job_id, "the manifest is another program's"),
        (metadata.outcome is Outcome.ABSENT, "the metadata label is missing"),
        (metadata.outcome in (Outcome.BROKEN, Outcome.NOT_CHECKED), "the metadata label is broken"),
        (metadata.outcome is Outcome.FOUND and not metadata.is_ours, "the metadata label is another program's"),
        (is_whole and bool(manifest.job_id) and _disagrees(claims), "metadata label and manifest name different jobs"),
        (label.outcome is Outcome.ABSENT, "the visible label is missing"),
        (label.outcome is Outcome.BROKEN, "the visible label is not as it must be"),
        (label.outcome is Outcome.NOT_CHECKED, "the visible label could not be looked for"),
        (
            bool(watermark.job_id and manifest.job_id) and watermark.job_id != manifest.job_id,
            "the watermark names another job than the manifest",
        ),
        (watermark.outcome is Outcome.BROKEN, "the watermark is broken"),
    )
    return tuple(sentence for applies, sentence in rules if applies)


def _disagrees(claims: Claims) -> bool:
    manifest, metadata = claims.manifest, claims.metadata
    return (metadata.job_id, metadata.receipts_sha256) != (manifest.job_id, manifest.receipts_sha256)


def _valid(claims: Claims) -> str:
    expired = any(state.consent is Consent.EXPIRED for _, state in claims.consents)
    unknown = not claims.consents or any(state.consent is Consent.UNKNOWN for _, state in claims.consents)
    parts = ["A face was replaced with the donor's consent, every mark is in place, and nothing was changed since."]
    if expired:
        parts.append("The consent's term is over by now: no new results, this one stands.")
    if unknown:
        parts.append("Whether the consent still stands is not known here.")
    if claims.watermark.outcome is not Outcome.FOUND:
        parts.append(f"The watermark adds nothing here. {claims.watermark.finding.sentence}")
    return " ".join(parts)


def _altered(claims: Claims, faults: tuple[str, ...]) -> str:
    jobs = dict.fromkeys(
        claim.job_id
        for claim in (claims.manifest, claims.watermark, claims.metadata, claims.fingerprint)
        if claim.job_id
    )
    whose = f"a copy of job {next(iter(jobs))}" if jobs else "a face replacement of ours"
    return f"This is {whose} that was changed: {'; '.join(faults)}.{_hedge(claims)}"


def _hedge(claims: Claims) -> str:
    """What must be added when nothing but the fingerprint speaks."""
    others = (claims.label, claims.metadata, claims.manifest, claims.watermark)
    if claims.fingerprint.is_ours and not any(claim.is_ours for claim in others):
        return (
            " Only the fingerprint says so: it may as well be the footage that the job was made from, "
            "which looks nearly the same."
        )
    return ""
