"""Laws of the verdict over every combination of claims."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from bianlian.records.verdict import Finding, Outcome, State
from bianlian.verification.claims import (
    Claim,
    Claims,
    Consent,
    ConsentState,
    ManifestClaim,
    MetadataClaim,
    WatermarkClaim,
)
from bianlian.verification.policy import decide

T = TypeVar("T", bound=Claim)
JOBS = st.sampled_from(["", "job-1", "job-2"])
STATES = st.builds(ConsentState, consent=st.sampled_from(Consent))


def finding(outcome: Outcome) -> Finding:
    return Finding(check="c", outcome=outcome, technique="t", sentence="S.", confidence="c")


def some(kind: type[T], **more: st.SearchStrategy[object]) -> st.SearchStrategy[T]:
    return st.builds(kind, finding=st.sampled_from(Outcome).map(finding), is_ours=st.booleans(), **more)


@st.composite
def claims(draw: st.DrawFn) -> Claims:
    found = Claims(
        label=draw(some(Claim)),
        metadata=draw(some(MetadataClaim, job_id=JOBS, receipts_sha256=JOBS)),
        manifest=draw(some(ManifestClaim, job_id=JOBS, receipts_sha256=JOBS, is_trusted=st.booleans())),
        watermark=draw(some(WatermarkClaim, job_id=JOBS, is_ample=st.booleans())),
        fingerprint=draw(some(Claim, job_id=JOBS)),
        consents=(),
    )
    jobs = {claim.job_id for claim in found.all if claim.job_id}
    consents = tuple((job, draw(STATES)) for job in sorted(jobs))
    return replace(found, consents=consents)


def whole() -> Claims:
    """The claims of a released file."""
    fine = finding(Outcome.FOUND)
    return Claims(
        label=Claim(finding=fine, is_ours=True),
        metadata=MetadataClaim(finding=fine, is_ours=True, job_id="job-1", receipts_sha256="r"),
        manifest=ManifestClaim(finding=fine, is_ours=True, job_id="job-1", receipts_sha256="r", is_trusted=True),
        watermark=WatermarkClaim(finding=fine, is_ours=True, job_id="job-1", is_ample=True),
        fingerprint=Claim(finding=fine, is_ours=True, job_id="job-1"),
        consents=(("job-1", ConsentState(consent=Consent.ACTIVE)),),
    )


def test_a_whole_file_is_valid() -> None:
    assert decide(whole()).state is State.VALID


@given(claims())
def test_nothing_is_valid_without_a_whole_trusted_manifest_and_its_label(found: Claims) -> None:
    if decide(found).state is State.VALID:
        assert found.manifest.outcome is Outcome.FOUND
        assert found.manifest.is_trusted
        assert found.metadata.outcome is found.label.outcome is Outcome.FOUND
        assert found.metadata.job_id == found.manifest.job_id != ""
        assert found.watermark.job_id in ("", found.manifest.job_id)


@given(claims())
def test_a_withdrawal_goes_before_everything(found: Claims) -> None:
    is_withdrawn = any(state.consent is Consent.WITHDRAWN for _, state in found.consents)
    assert (decide(found).state is State.WITHDRAWN) == is_withdrawn


def only_a_stranger_signed(found: Claims) -> bool:
    """Valid but for who signed, and nothing that only this installation can know says that it is ours."""
    trusted = replace(found, manifest=replace(found.manifest, is_trusted=True))
    known = found.watermark.is_ours or found.fingerprint.is_ours
    return not found.manifest.is_trusted and not known and decide(trusted).state is State.VALID


@given(claims())
def test_unknown_exactly_where_nothing_is_ours_or_only_a_stranger_signed(found: Claims) -> None:
    if not any(state.consent is Consent.WITHDRAWN for _, state in found.consents):
        nothing = not any(claim.is_ours for claim in found.all)
        assert (decide(found).state is State.UNKNOWN) == (nothing or only_a_stranger_signed(found))


@given(claims())
def test_no_verdict_calls_a_file_authentic_and_each_has_a_reason(found: Claims) -> None:
    decision = decide(found)
    assert decision.reason
    assert not any(word in decision.reason.lower() for word in ("authentic", "genuine", "real footage"))


@given(claims(), st.sampled_from(["label", "metadata", "manifest", "watermark"]))
def test_taking_a_mark_from_a_whole_file_is_never_valid(found: Claims, name: str) -> None:
    parts = {
        part: getattr(whole(), part)
        for part in ("label", "metadata", "manifest", "watermark", "fingerprint", "consents")
    }
    other = getattr(found, name)
    state = decide(Claims(**{**parts, name: other})).state
    if other.outcome is Outcome.BROKEN or (other.outcome is Outcome.ABSENT and name != "watermark"):
        assert state is State.ALTERED


def test_an_unread_watermark_is_said() -> None:
    """A whole manifest covers every pixel, so the mark was not taken away: the face was too small for it, or nobody asked."""
    unread = WatermarkClaim(finding=finding(Outcome.ABSENT))
    decision = decide(replace(whole(), watermark=unread))
    assert decision.state is State.VALID
    assert "watermark adds nothing" in decision.reason


def test_outputs_of_one_footage_do_not_contradict_each_other() -> None:
    other = Claim(finding=finding(Outcome.FOUND), is_ours=True, job_id="job-2")
    assert decide(replace(whole(), fingerprint=other)).state is State.VALID
