"""Composing: who may be drawn, where pixels may change, and that chunks make no difference."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from bianlian.compositing.perform import at_side
from bianlian.compositing.performer import Performer, study
from bianlian.compositing.stage import LEAD_IN, Cast, compose
from bianlian.errors import ConsentRefused, InternalError
from bianlian.imaging.colour import rgb_from_frame
from bianlian.imaging.face_space import side_for
from bianlian.records.appearance import Appearance
from bianlian.records.arrays import F32
from bianlian.records.composite import Composite
from bianlian.records.face import EXPRESSION_NAMES, Pose, TrackedFace
from bianlian.records.frame import Frame
from tests.faces import grant, learnt, space, tracked
from tests.material import frame_of

CAPTURE = "demo/demo_donor_talk.mp4", 24, 0, 6
"""As `tests.faces.tracked` takes it."""
FOOTAGE = "demo/demo_footage.mp4"
COUNT = 8


@cache
def appearance() -> Appearance:
    return learnt(tracked(*CAPTURE))


@cache
def performer() -> Performer:
    return study(tracked(FOOTAGE, 12, 0, 10), space())


def cast() -> dict[int, Cast]:
    return {1: Cast(grant=grant(), appearance=appearance(), performer=performer())}


def footage() -> list[tuple[Frame, tuple[TrackedFace, ...]]]:
    return [(frame, (face,)) for frame, face in tracked(FOOTAGE, COUNT)]


@cache
def composed() -> tuple[Composite, ...]:
    return tuple(compose(footage(), cast(), space()))


def without_basis(whole: Appearance) -> Appearance:
    """The same face, always as it is in the mean."""
    return replace(
        whole, basis=whole.basis[:0], scales=whole.scales[:0], doubt=whole.doubt[:0], regressor=whole.regressor[:, :0]
    )


def drawn_into(clip: list[tuple[Frame, TrackedFace]], drawn: Appearance | None = None) -> tuple[F32, F32]:
    """(the first frame with the donor in it, and how much of each of its pixels is the donor)."""
    cast = {1: Cast(grant=grant(), appearance=drawn or appearance(), performer=study(clip, space()))}
    frame, face = clip[0]
    (composite,) = compose([(frame, (face,))], cast, space())
    (placed,) = composite.faces
    rows, columns = placed.matte.shape
    share = np.zeros(frame.size, np.float32)
    share[placed.top : placed.top + rows, placed.left : placed.left + columns] = placed.matte / np.float32(255)
    return rgb_from_frame(composite.frame).astype(np.float32), share


def test_only_pixels_under_the_matte_change() -> None:
    for (frame, _), composite in zip(footage(), composed(), strict=True):
        (placed,) = composite.faces
        matte = np.zeros(frame.size, np.uint8)
        rows, columns = placed.matte.shape
        matte[placed.top : placed.top + rows, placed.left : placed.left + columns] = placed.matte
        assert (matte > 200).sum() > 5000
        assert np.array_equal(composite.frame.planes[0][matte == 0], frame.planes[0][matte == 0])
        shared = cv2.dilate(matte, np.ones((3, 3)))[::2, ::2]
        for own, new in zip(frame.planes[1:], composite.frame.planes[1:], strict=True):
            assert np.array_equal(new[shared == 0], own[shared == 0])
        assert (composite.frame.planes[0] != frame.planes[0]).sum() > 5000


def test_chunks_join_to_the_same_frames() -> None:
    begin = 5
    tail = list(compose(footage()[begin - LEAD_IN :], cast(), space()))[LEAD_IN:]
    for whole, part in zip(composed()[begin:], tail, strict=True):
        for own, other in zip(whole.frame.planes, part.frame.planes, strict=True):
            assert np.array_equal(own, other)


def test_a_larger_template_draws_the_same_face() -> None:
    larger = space().at(256)
    cast_larger = {1: replace(cast()[1], appearance=at_side(appearance(), 256))}
    (composite,) = compose(footage()[:1], cast_larger, larger)
    (placed,) = composed()[0].faces
    assert np.abs(composite.faces[0].matte.astype(int) - placed.matte).mean() < 1
    difference = composite.frame.planes[0].astype(float) - composed()[0].frame.planes[0]
    assert np.percentile(np.abs(difference[difference != 0]), 99) < 50  # the corners of the eyes are sharper
    assert np.abs(difference).mean() < 0.2


def test_the_template_grows_with_the_face() -> None:
    assert [side_for(height) for height in (40, 200, 400, 900)] == [256, 256, 512, 512]


def test_the_skin_keeps_the_light_of_the_footage() -> None:
    (frame, _), composite = footage()[0], composed()[0]
    assert np.abs(skin_of(frame, composite) - skin_of(composite.frame, composite)).max() < 25


@pytest.mark.parametrize("gain", [0.25, 1.4])
def test_sudden_light_is_followed_in_the_same_frame(gain: float) -> None:
    frames = footage()[: LEAD_IN + 1]
    last, faces = frames[-1]
    lit = (lit_by(gain, last), faces)
    *_, led = compose([*frames[:-1], lit], cast(), space())
    (alone,) = compose([lit], cast(), space())
    assert np.abs(skin_of(led.frame, led) - skin_of(alone.frame, led)).max() <= 1


def lit_by(gain: float, frame: Frame) -> Frame:
    """A frame with `gain` times its coded brightness, clipped as a camera clips."""
    return frame_of(np.clip(rgb_from_frame(frame) * gain, 0, 255).astype(np.uint8), frame.index)


def skin_of(frame: Frame, composite: Composite) -> F32:
    """3: median colour under the face's matte."""
    (placed,) = composite.faces
    rows, columns = placed.matte.shape
    box = (slice(placed.top, placed.top + rows), slice(placed.left, placed.left + columns))
    return np.median(rgb_from_frame(frame)[box][placed.matte > 200], axis=0)


def test_who_is_not_cast_keeps_every_bit() -> None:
    frame, (face,) = footage()[0]
    other = replace(face, person=2)
    (composite,) = compose([(frame, (other,))], cast(), space())
    assert composite.frame is frame
    assert composite.faces == ()


def test_a_head_beyond_the_capture_fades_to_the_original_with_a_reason() -> None:
    frame, (tracked_face,) = footage()[0]
    face = tracked_face.face
    turn = cv2.Rodrigues(np.array([0.0, 1.4, 0.0]))[0]
    centre = face.points_image.mean(axis=0)
    points = ((face.points_image - centre) @ turn.T + centre).astype(np.float32)
    flip = np.diag([1.0, -1.0, -1.0])
    pose = Pose(rotation=(flip @ turn @ flip @ face.pose.rotation).astype(np.float32))
    gone = replace(tracked_face, face=replace(face, points_image=points, pose=pose))
    (composite,) = compose([(frame, (gone,))], cast(), space())
    (placed,) = composite.faces
    assert placed.confidence == 0
    assert "turned" in placed.fade_reason
    assert np.array_equal(composite.frame.planes[0], frame.planes[0])


def test_an_expression_far_beyond_the_capture_fades_smoothly_with_a_reason() -> None:
    frame, (tracked_face,) = footage()[0]
    face = tracked_face.face
    mouth = [
        EXPRESSION_NAMES.index(name) for name in ("jawOpen", "mouthFunnel", "mouthLowerDownLeft", "mouthUpperUpLeft")
    ]
    faded: list[float] = []
    for strength in np.linspace(0, 1, 11):
        expression = face.expression.copy()
        expression[mouth] = np.maximum(expression[mouth], strength)
        strange = replace(tracked_face, face=replace(face, expression=expression))
        (composite,) = compose([(frame, (strange,))], cast(), space())
        (placed,) = composite.faces
        assert bool(placed.fade_reason) == (placed.confidence < 1)
        assert not placed.fade_reason or "mouth" in placed.fade_reason
        faded.append(placed.confidence)
    assert faded[0] == 1
    assert faded[-1] < 0.7
    assert all(-0.35 < step <= 0 for step in np.diff(faded))


def test_ordinary_talk_does_not_fade() -> None:
    assert all(placed.confidence == 1 for composite in composed() for placed in composite.faces)


def test_a_hand_stays_in_front() -> None:
    frame, (face,) = footage()[0]
    points = face.face.points_image
    x, y = (int(v) for v in points[50, :2])
    reach = int(face.face.quality.size_px * 0.13)
    planes = [plane.copy() for plane in frame.planes]
    planes[0][y - reach : y + reach, x - reach : x + reach] = 30
    for plane in planes[1:]:
        plane[(y - reach) // 2 : (y + reach) // 2, (x - reach) // 2 : (x + reach) // 2] = 128
    hidden = replace(frame, planes=(planes[0], planes[1], planes[2]))
    (composite,) = compose([(hidden, (face,))], cast(), space())
    (placed,) = composite.faces
    matte = placed.matte[
        y - placed.top - reach // 3 : y - placed.top + reach // 3,
        x - placed.left - reach // 3 : x - placed.left + reach // 3,
    ]
    (clear,) = composed()[0].faces
    assert matte.mean() < 60
    assert clear.matte[y - clear.top, x - clear.left] > 150


def test_in_a_photograph_an_open_mouth_is_open_and_dark() -> None:
    ((frame, face),) = tracked(FOOTAGE, 1, 5)
    still = study([(frame, face)], space())
    assert still.stillness() > 0.9
    assert performer().stillness() < 0.3
    (composite,) = compose([(frame, (face,))], {1: replace(cast()[1], performer=still)}, space())
    (placed,) = composite.faces

    def opening(points: F32) -> float:
        return float(np.linalg.norm(points[13, :2] - points[14, :2]))

    assert opening(placed.points_image) > 0.6 * opening(face.face.points_image)
    x, y = placed.points_image[[13, 14], :2].mean(axis=0).astype(int)
    own, drawn = (
        picture.planes[0][y - 2 : y + 3, x - 4 : x + 5].astype(float).mean() for picture in (frame, composite.frame)
    )
    assert own < 60
    assert drawn < 80


def test_a_grant_for_another_donor_draws_nobody() -> None:
    with pytest.raises(ConsentRefused):
        Cast(grant=grant(donor_id="somebody-else"), appearance=appearance(), performer=performer())


def test_a_grant_for_another_enrolment_draws_nobody() -> None:
    with pytest.raises(ConsentRefused):
        Cast(grant=grant(commitment="older"), appearance=appearance(), performer=performer())


def test_a_grant_for_another_person_draws_nobody() -> None:
    wrong = Cast(grant=grant(person=2), appearance=appearance(), performer=performer())
    with pytest.raises(InternalError):
        list(compose(footage()[:1], {1: wrong}, space()))


def test_a_performer_survives_its_file() -> None:
    read = Performer.from_bytes(performer().to_bytes())
    assert np.array_equal(read.neutral, performer().neutral)
    assert np.array_equal(read.tolerance, performer().tolerance)
