"""What a file goes through, and the verdict that it gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bianlian.errors import MediaError
from bianlian.records.verdict import Outcome, State, Verdict
from bianlian.verification.claims import Consent, ConsentState
from bianlian.verification.pixels import NoWatermarkKeys
from bianlian.verification.verifier import References, Verifier
from tests.media_factory import cut_off, make_clip
from tests.unit.verification.copies import flipped_bit, recoded, remuxed, scaled, screenshot
from tests.unit.verification.marked_file import JOB, Workshop, points_at

WITHDRAWN = ConsentState(consent=Consent.WITHDRAWN, since="2026-11-23T00:00:00.000Z")


def outcomes(verdict: Verdict) -> dict[str, Outcome]:
    return {finding.check: finding.outcome for finding in verdict.findings}


def named(verdict: Verdict, check: str) -> str:
    return next(dict(finding.details).get("job", "") for finding in verdict.findings if finding.check == check)


def without_secrets(references: References) -> References:
    return replace(references, watermark=NoWatermarkKeys(reason="no key"))


@pytest.fixture
def quick(workshop: Workshop) -> Verifier:
    """Reads no watermark, which takes longest."""
    return Verifier(without_secrets(workshop.references()))


@pytest.fixture
def thorough(workshop: Workshop) -> Verifier:
    return Verifier(workshop.references())


def test_a_released_file_is_valid_and_every_line_says_how_it_knows(workshop: Workshop, thorough: Verifier) -> None:
    verdict = thorough.verify(workshop.sealed)
    assert verdict.state is State.VALID
    assert set(outcomes(verdict).values()) == {Outcome.FOUND}
    assert list(outcomes(verdict)) == ["label", "metadata", "manifest", "trust", "watermark", "fingerprint", "consent"]
    assert all(finding.technique and finding.confidence and finding.sentence for finding in verdict.findings)
    assert named(verdict, "watermark") == named(verdict, "manifest") == JOB


def test_without_secrets_it_is_still_valid_and_says_what_was_not_checked(workshop: Workshop, quick: Verifier) -> None:
    verdict = quick.verify(workshop.sealed)
    assert verdict.state is State.VALID
    assert outcomes(verdict)["watermark"] is Outcome.NOT_CHECKED


def test_a_signature_under_another_root_is_whole_but_not_trusted(workshop: Workshop) -> None:
    nobody = replace(without_secrets(workshop.references()), roots_pem=b"")
    verdict = Verifier(nobody).verify(workshop.sealed)
    assert verdict.state is State.ALTERED
    assert outcomes(verdict)["manifest"] is Outcome.FOUND
    assert outcomes(verdict)["trust"] is Outcome.ABSENT


@pytest.mark.parametrize(
    ("needle", "after"), [(b"mdat", 9000), (b'"ProduceID":"', 15), (b"receiptsSha256", 30), (b"jumb", 900)],
    ids=["pixels", "metadata", "consent-in-manifest", "manifest"],
)  # fmt: skip
def test_one_bit_is_seen(workshop: Workshop, quick: Verifier, tmp_path: Path, needle: bytes, after: int) -> None:
    verdict = quick.verify(flipped_bit(workshop.sealed, tmp_path / "copy.mp4", needle, after=after))
    assert verdict.state is State.ALTERED
    assert outcomes(verdict)["manifest"] is not Outcome.FOUND


def test_a_remux_loses_the_manifest_and_keeps_the_rest(workshop: Workshop, thorough: Verifier, tmp_path: Path) -> None:
    verdict = thorough.verify(remuxed(workshop.sealed, tmp_path / "copy.mp4"))
    assert verdict.state is State.ALTERED
    found = outcomes(verdict)
    assert found["manifest"] is Outcome.ABSENT
    assert found["label"] is found["metadata"] is found["watermark"] is found["fingerprint"] is Outcome.FOUND


def test_strip_everything_and_recode_is_still_traced_to_the_job(
    workshop: Workshop, thorough: Verifier, tmp_path: Path
) -> None:
    verdict = thorough.verify(recoded(workshop.sealed, tmp_path / "copy.mkv", crf=23))
    assert verdict.state is State.ALTERED
    assert outcomes(verdict)["metadata"] is outcomes(verdict)["manifest"] is Outcome.ABSENT
    assert outcomes(verdict)["label"] is Outcome.FOUND
    assert named(verdict, "watermark") == named(verdict, "fingerprint") == JOB


def test_half_size_is_traced_and_its_label_found(workshop: Workshop, thorough: Verifier, tmp_path: Path) -> None:
    verdict = thorough.verify(recoded(workshop.sealed, tmp_path / "copy.mp4", change=scaled(0.5)))
    assert verdict.state is State.ALTERED
    assert outcomes(verdict)["label"] is Outcome.FOUND
    assert named(verdict, "fingerprint") == JOB


def test_a_crop_that_takes_the_label_is_traced_by_the_watermark(workshop: Workshop, tmp_path: Path) -> None:
    references = workshop.references()
    keys = references.watermark
    assert not isinstance(keys, NoWatermarkKeys)
    shift = np.array([40, 0, 0], np.float32)
    shifted = replace(keys, locate=lambda frame: [points_at(frame.index) - shift])
    copy = recoded(workshop.sealed, tmp_path / "copy.mp4", change=lambda rgb: rgb[:288, 40:344])
    verdict = Verifier(replace(references, watermark=shifted)).verify(copy)
    assert verdict.state is State.ALTERED
    assert outcomes(verdict)["label"] is Outcome.ABSENT
    assert named(verdict, "watermark") == JOB


def test_a_screenshot_is_a_copy(workshop: Workshop, thorough: Verifier, tmp_path: Path) -> None:
    verdict = thorough.verify(screenshot(workshop.sealed, tmp_path / "shot.jpg"))
    assert verdict.state is State.ALTERED
    assert outcomes(verdict)["label"] is Outcome.FOUND
    assert named(verdict, "watermark") == JOB


def test_a_cut_off_copy_is_altered_not_unreadable(workshop: Workshop, quick: Verifier, tmp_path: Path) -> None:
    verdict = quick.verify(cut_off(workshop.sealed, tmp_path / "copy.mp4", 0.7))
    assert verdict.state is State.ALTERED
    assert outcomes(verdict)["label"] is Outcome.NOT_CHECKED


def test_withdrawal_is_seen_on_the_file_and_on_every_copy(workshop: Workshop, tmp_path: Path) -> None:
    verifier = Verifier(workshop.references(WITHDRAWN))
    naked = recoded(workshop.sealed, tmp_path / "naked.mp4", crf=28)
    for path in (workshop.sealed, remuxed(workshop.sealed, tmp_path / "copy.mp4"), naked):
        verdict = verifier.verify(path)
        assert verdict.state is State.WITHDRAWN
        assert "2026-11-23" in verdict.reason


def test_a_near_match_alone_does_not_claim_more_than_it_knows(
    workshop: Workshop, tmp_path: Path, quick: Verifier
) -> None:
    def unlabelled(rgb: np.ndarray) -> np.ndarray:
        rgb = rgb.copy()
        rgb[280:] = rgb[279]
        return rgb

    verdict = quick.verify(recoded(workshop.sealed, tmp_path / "copy.mp4", change=unlabelled))
    assert outcomes(verdict)["label"] is Outcome.ABSENT
    assert verdict.state is (State.ALTERED if outcomes(verdict)["fingerprint"] is Outcome.FOUND else State.UNKNOWN)
    if verdict.state is State.ALTERED:
        assert "may as well be the footage" in verdict.reason


def test_other_peoples_files_are_unknown_which_proves_nothing(quick: Verifier, tmp_path: Path) -> None:
    verdict = quick.verify(make_clip(tmp_path / "clip.mp4"))
    assert verdict.state is State.UNKNOWN
    assert "proves nothing" in verdict.reason
    assert "authentic" not in verdict.reason.lower()


@pytest.mark.parametrize("content", [b"", b"not media at all" * 100], ids=["empty", "text"])
def test_what_is_no_media_and_has_no_mark_is_refused_in_words(quick: Verifier, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError) as caught:
        quick.verify(path)
    assert caught.value.advice


def test_a_missing_file_and_a_folder_are_refused_in_words(quick: Verifier, tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.mp4", tmp_path):
        with pytest.raises(MediaError):
            quick.verify(path)
