"""Nothing is released unless every mark comes back from the finished file; the refusal names the mark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from bianlian.errors import MarksRefused, MediaError
from bianlian.marking.certificates import open_credentials
from bianlian.marking.manifest.seal import seal
from bianlian.marking.metadata import first_label
from bianlian.records.verdict import State
from bianlian.verification.release import ReleaseExpectation, check_draft
from tests.unit.verification.marked_file import JOB, NOW, RECEIPTS, Workshop, facts_of, make_draft


def expectation(workshop: Workshop, **changes: object) -> ReleaseExpectation:
    usual = ReleaseExpectation(job_id=JOB, metadata=workshop.label, carries_watermark=True)
    return replace(usual, **changes)  # pyright: ignore[reportArgumentType]


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(MarksRefused) as caught:
        call()
    assert caught.value.advice
    return caught.value.code


def test_a_whole_draft_may_be_released_and_hands_its_fingerprint_on(workshop: Workshop) -> None:
    checked = check_draft(workshop.sealed, expectation(workshop), workshop.references(has_released=False))
    assert checked.verdict.state is State.VALID
    assert [one.second for one in checked.prints] == [0, 1, 2, 3]
    assert checked.prints == workshop.issued().prints


def test_an_unsealed_draft_is_refused(workshop: Workshop) -> None:
    assert (
        code_of(lambda: check_draft(workshop.draft, expectation(workshop), workshop.references())) == "marks-manifest"
    )


def test_a_manifest_of_another_installation_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    stranger = open_credentials(tmp_path / "keys", password=b"for tests", installation_id="stranger", now=NOW)
    seal(workshop.draft, tmp_path / "sealed.mp4", facts_of(workshop.footage), stranger)
    with pytest.raises(MarksRefused, match="root certificate") as caught:
        check_draft(tmp_path / "sealed.mp4", expectation(workshop), workshop.references())
    assert caught.value.code == "marks-manifest"


def test_another_job_and_another_label_are_refused(workshop: Workshop) -> None:
    references = workshop.references()
    other_job = expectation(workshop, job_id="f" * 32)
    assert code_of(lambda: check_draft(workshop.sealed, other_job, references)) == "marks-manifest"
    other_label = expectation(workshop, metadata=first_label(job_id="f" * 32, receipts_sha256=RECEIPTS))
    assert code_of(lambda: check_draft(workshop.sealed, other_label, references)) == "marks-metadata"


@pytest.mark.parametrize(
    ("flaw", "code"),
    [
        ("no label", "marks-label"),
        ("late label", "marks-label"),
        ("short label", "marks-label"),
        ("no metadata", "marks-metadata"),
        ("no watermark", "marks-watermark"),
    ],
)
def test_each_missing_mark_is_named(workshop: Workshop, tmp_path: Path, flaw: str, code: str) -> None:
    draft = make_draft(tmp_path, workshop.footage, workshop.book, flaw=flaw)
    seal(draft, tmp_path / "sealed.mp4", facts_of(workshop.footage), workshop.credentials)
    references = workshop.references()
    assert code_of(lambda: check_draft(tmp_path / "sealed.mp4", expectation(workshop), references)) == code


def test_a_label_of_the_opening_alone_where_it_was_asked_for(workshop: Workshop, tmp_path: Path) -> None:
    draft = make_draft(tmp_path, workshop.footage, workshop.book, flaw="short label")
    seal(draft, tmp_path / "sealed.mp4", facts_of(workshop.footage), workshop.credentials)
    two = expectation(workshop, opening_seconds=Fraction(2))
    checked = check_draft(tmp_path / "sealed.mp4", two, workshop.references())
    assert checked.verdict.state is State.VALID
    assert "for 2.5" in checked.verdict.findings[0].sentence
    three = expectation(workshop, opening_seconds=Fraction(3))
    assert code_of(lambda: check_draft(tmp_path / "sealed.mp4", three, workshop.references())) == "marks-label"


def test_a_draft_that_is_no_media_is_a_fault_of_media(workshop: Workshop, tmp_path: Path) -> None:
    path = tmp_path / "draft.mp4"
    path.write_bytes(b"nothing")
    with pytest.raises(MediaError):
        check_draft(path, expectation(workshop), workshop.references())
