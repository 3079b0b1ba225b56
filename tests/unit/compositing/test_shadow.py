"""Shadows: what half a face lies in, the donor's lies in too; light from a side and ordinary light are no shadow."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest

from bianlian.compositing.perform import cast_role
from bianlian.compositing.performer import study
from bianlian.compositing.stage import Cast, compose
from bianlian.imaging.colour import rgb_from_frame
from bianlian.imaging.light import coarse, factor
from bianlian.imaging.shadow import cast_shadow
from bianlian.records.arrays import F32, U8
from bianlian.records.face import TrackedFace
from bianlian.records.frame import Frame
from tests.faces import grant, space, tracked
from tests.material import frame_of
from tests.unit.compositing.test_stage import FOOTAGE, appearance, performer

CHEEKS = (205, 425)
"""Landmarks in the middle of the right and of the left cheek."""
DEPTH = 0.4


def shaded(picture: U8, points: F32) -> U8:
    """A picture with everything beyond a line down the face, beside the nose, in a shadow."""
    top, bottom = points[[297, 378], :2].astype(np.float64)
    across = np.array([bottom[1] - top[1], top[0] - bottom[0]]) / np.linalg.norm(bottom - top)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    beyond = (columns - top[0]) * across[0] + (rows - top[1]) * across[1]
    share = 1 / (1 + np.exp(-np.clip(beyond, -30, 30)))
    return np.rint(picture * (1 - share * (1 - DEPTH))[..., None]).astype(np.uint8)


@cache
def half_dark() -> list[tuple[Frame, TrackedFace]]:
    return [
        (frame_of(shaded(rgb_from_frame(frame), face.face.points_image), frame.index), face)
        for frame, face in tracked(FOOTAGE, 12, 0, 10)
    ]


def sides(frame: Frame, face: TrackedFace) -> float:
    """The brightness of one cheek over that of the other, log."""
    luma = cv2.GaussianBlur(frame.planes[0].astype(np.float32), (0, 0), 4)
    right, left = (luma[int(y), int(x)] for x, y in face.face.points_image[list(CHEEKS), :2])
    return float(np.log(max(left, 1) / max(right, 1)))


def test_the_donor_lies_in_the_shadow_that_the_performer_lies_in() -> None:
    performer_in_shadow = study(half_dark(), space())
    role = cast_role(appearance(), performer_in_shadow, space())
    assert role.shadow.min() < 0.6
    frame, face = half_dark()[0]
    cast = {1: Cast(grant=grant(), appearance=appearance(), performer=performer_in_shadow)}
    (composite,) = compose([(frame, (face,))], cast, space())
    assert sides(composite.frame, face) == pytest.approx(sides(frame, face), abs=0.3)


def test_under_ordinary_light_there_is_no_shadow() -> None:
    assert (cast_role(appearance(), performer(), space()).shadow == 1).all()


@pytest.mark.parametrize("strength", [-0.6, 0.6])
def test_light_from_a_side_is_no_shadow(strength: float) -> None:
    light = np.zeros((9, 3), np.float32)
    light[1] = strength
    donor = coarse(appearance().mean)
    everywhere = np.ones(donor.shape[:2], np.bool_)
    lit = donor * factor(space().light, light)
    shadow = cast_shadow(space().light, donor, lit, everywhere, space().skin)
    assert shadow[space().skin > 0.5].mean() > 0.97
