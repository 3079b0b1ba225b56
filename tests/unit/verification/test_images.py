"""Images carry the same marks as clips and get the same verdicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from bianlian.marking.label import LabelStyle, plan_label
from bianlian.marking.manifest.facts import SourceType
from bianlian.marking.manifest.seal import seal
from bianlian.marking.stage import mark_frames
from bianlian.marking.watermark.embedder import FaceWatermark
from bianlian.marking.xmp import xmp_packet
from bianlian.media.images import write_image
from bianlian.media.probe import describe
from bianlian.records.verdict import State
from bianlian.verification.release import ReleaseExpectation, check_draft
from bianlian.verification.verifier import Verifier
from tests.unit.verification.copies import flipped_bit
from tests.unit.verification.marked_file import JOB, SIZE, START, Workshop, composites_of, facts_of, picture


@pytest.fixture(params=[".png", ".jpg", ".webp"])
def sealed(request: pytest.FixtureRequest, workshop: Workshop, tmp_path: Path) -> Path:
    """A marked and sealed image."""
    suffix: str = request.param
    footage = tmp_path / f"footage{suffix}"
    cv2.imwrite(str(footage), picture(0, SIZE))
    source = describe(footage)
    plan = plan_label(source.size, [], style=LabelStyle(), start=START)
    (marked,) = mark_frames(composites_of(source), label=plan, watermark=FaceWatermark(workshop.book, JOB))
    draft, target = tmp_path / f"draft{suffix}", tmp_path / f"sealed{suffix}"
    write_image(marked, draft, xmp=xmp_packet(workshop.label, SourceType.TRAINED.value), source=source)
    seal(draft, target, replace(facts_of(footage), is_image=True), workshop.credentials)
    return target


def test_a_marked_image_is_released_and_valid(sealed: Path, workshop: Workshop) -> None:
    expected = ReleaseExpectation(job_id=JOB, metadata=workshop.label, carries_watermark=True)
    checked = check_draft(sealed, expected, workshop.references(has_released=False))
    assert checked.verdict.state is State.VALID
    assert len(checked.prints) == 1


def test_one_bit_and_a_bare_copy_are_altered(sealed: Path, workshop: Workshop, tmp_path: Path) -> None:
    verifier = Verifier(workshop.references())
    changed = flipped_bit(sealed, tmp_path / f"changed{sealed.suffix}", b"ProduceID", after=20)
    assert verifier.verify(changed).state is State.ALTERED
    bare = tmp_path / "bare.jpg"
    cv2.imwrite(str(bare), np.asarray(cv2.imread(str(sealed))), (cv2.IMWRITE_JPEG_QUALITY, 85))
    verdict = verifier.verify(bare)
    assert verdict.state is State.ALTERED
    assert JOB in verdict.reason
