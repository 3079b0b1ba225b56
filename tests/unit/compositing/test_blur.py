"""Blur: what was put into the footage is measured, whatever its direction, the grain over it, and what hides the face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.compositing.blur import blur_between, blurred
from bianlian.imaging.colour import rgb_from_frame
from bianlian.records.arrays import F32
from tests.faces import tracked

CLEAR = np.ones(468, np.float32)


def face() -> tuple[F32, F32]:
    ((frame, tracked_face),) = tracked("demo/demo_footage.mp4", 1)
    return rgb_from_frame(frame).astype(np.float32) / np.float32(255), tracked_face.face.points_image


def measured(worn: F32, clear: F32 = CLEAR) -> F32:
    sharp, points = face()
    return blur_between(worn, points, sharp, points, clear)


def rounded(picture: F32) -> F32:
    return (np.rint(picture * 255) / 255).astype(np.float32)


def out_of_focus(deviation: float) -> F32:
    return rounded(cv2.GaussianBlur(face()[0], (0, 0), deviation))


@pytest.mark.parametrize("deviation", [1.0, 2.0, 3.0])
def test_footage_out_of_focus_is_measured(deviation: float) -> None:
    covariance = measured(out_of_focus(deviation))
    assert np.diag(covariance) == pytest.approx([deviation**2] * 2, rel=0.3)
    assert covariance[0, 1] == pytest.approx(0, abs=0.2 * deviation**2)


def test_motion_blurs_in_its_direction_only() -> None:
    moved = rounded(cv2.blur(face()[0], (9, 1)))
    covariance = measured(moved)
    assert covariance[0, 0] == pytest.approx(80 / 12, rel=0.5)
    assert abs(covariance[1, 1]) < 0.3


def test_a_sharp_plate_leaves_the_face_alone() -> None:
    sharp, points = face()
    assert not blur_between(sharp, points, out_of_focus(1), points, CLEAR).any()
    assert blurred(sharp, measured(sharp)) is sharp


def test_grain_over_the_blur_does_not_pass_for_sharpness() -> None:
    noise = np.random.default_rng(1).normal(0, 0.015, face()[0].shape[:2]).astype(np.float32)
    assert np.diag(measured(out_of_focus(2) + noise[..., None])) == pytest.approx([4, 4], rel=0.3)


def test_what_hides_an_eye_does_not_count() -> None:
    worn, points = out_of_focus(2), face()[1]
    x, y = (int(v) for v in points[159, :2])
    worn[y - 30 : y + 30, x - 30 : x + 30] = np.random.default_rng(1).random((60, 60, 1), np.float32)
    clear = CLEAR.copy()
    clear[np.hypot(*(points[:468, :2] - (x, y)).T) < 40] = 0
    assert np.diag(measured(worn, clear)) == pytest.approx([4, 4], rel=0.35)


def test_a_beard_that_the_performer_has_not_is_no_blur() -> None:
    sharp, points = face()
    x, y = (int(v) for v in points[[13, 14], :2].mean(axis=0))
    chin, bearded = (slice(y - 30, y + 30), slice(x - 30, x + 30)), sharp.copy()
    bearded[chin] += np.random.default_rng(1).normal(0, 0.3, (60, 60, 1)).astype(np.float32)
    covariance = blur_between(sharp, points, rounded(np.clip(bearded, 0, 1)), points, CLEAR)
    assert blurred(bearded, covariance) is bearded


def test_a_face_without_room_for_a_window_is_left_alone() -> None:
    sharp, points = face()
    tiny = cv2.resize(sharp, None, fx=0.05, fy=0.05)
    assert not blur_between(tiny, points / np.float32(20), tiny, points / np.float32(20), CLEAR).any()


def test_the_drawn_face_gets_the_blur_that_was_measured() -> None:
    sharp, _ = face()
    wanted = np.array([[3.0, 0.3], [0.3, 2.5]], np.float32)
    assert measured(rounded(blurred(sharp, wanted))) == pytest.approx(wanted, abs=0.8)
