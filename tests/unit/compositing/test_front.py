"""What is in front of the performer stays in front, though it has the colour of the skin; and nothing else is left out."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest

from bianlian.compositing.perform import cast_role
from bianlian.compositing.performer import Performer, study
from bianlian.compositing.stage import Cast, compose
from bianlian.imaging.colour import rgb_from_frame
from bianlian.records.arrays import F32
from bianlian.records.face import TrackedFace
from bianlian.records.frame import Frame
from tests.faces import grant, space, tracked
from tests.material import frame_of
from tests.occluders import Draw, with_hand, with_microphone
from tests.unit.compositing.test_stage import FOOTAGE, appearance, performer

ACTS = "demo/demo_performer_acts.mp4"
NOSE = 4


@cache
def of_the_acts() -> Performer:
    return study(tracked(ACTS, 12, 0, 9), space())


def matte_of(frame: Frame, face: TrackedFace, who: Performer) -> F32:
    """HxW, 0..1: where the donor is drawn into the frame, whatever the confidence."""
    cast = {1: Cast(grant=grant(), appearance=appearance(), performer=who)}
    (composite,) = compose([(frame, (face,))], cast, space())
    (placed,) = composite.faces
    matte = np.zeros(frame.size, np.float32)
    rows, columns = placed.matte.shape
    matte[placed.top : placed.top + rows, placed.left : placed.left + columns] = placed.matte / np.float32(
        255 * placed.confidence
    )
    return matte


@pytest.mark.parametrize("draw", [with_hand, with_microphone])
def test_what_is_in_front_stays_in_front(draw: Draw) -> None:
    frame, face = tracked(FOOTAGE, 8)[4]
    hidden, thing = draw(rgb_from_frame(frame), face.face.points_image)
    clear, matte = (matte_of(one, face, performer()) for one in (frame, frame_of(hidden, frame.index)))
    inside = cv2.erode(thing, np.ones((5, 5))) > 0
    assert clear[inside].mean() > 0.2
    assert matte[inside].mean() < 0.3 * clear[inside].mean()
    apart = cv2.dilate(thing, np.ones((25, 25))) == 0
    assert matte[apart].sum() > 0.97 * clear[apart].sum()


def test_nothing_is_left_out_in_blinks_turns_and_wide_open_mouths() -> None:
    share = cast_role(appearance(), of_the_acts(), space()).share
    sides = np.flatnonzero(share > 0.99)
    for frame, face in tracked(ACTS, 12, 4, 9):
        inside = np.zeros(frame.size, np.uint8)
        hull = cv2.convexHull(face.face.points_image[sides, :2].round().astype(np.int32))
        cv2.fillConvexPoly(inside, hull, 1)
        inside = cv2.erode(inside, np.ones((15, 15))) > 0
        assert matte_of(frame, face, of_the_acts())[inside].mean() > 0.97


def test_light_from_one_side_is_not_in_front() -> None:
    frame, face = tracked(FOOTAGE, 8)[2]
    points = face.face.points_image
    way = (np.arange(frame.size[1]) - points[NOSE, 0]) / np.ptp(points[:, 1])
    shade = np.exp(np.clip(1.2 * way, -0.8, 0.2))[None, :, None]
    lit = np.clip(rgb_from_frame(frame) * shade, 0, 255).astype(np.uint8)
    clear, dark = (matte_of(one, face, performer()) for one in (frame, frame_of(lit, frame.index)))
    assert dark.sum() > 0.97 * clear.sum()
