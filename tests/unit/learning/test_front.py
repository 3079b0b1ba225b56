"""A hand before the donor's face during the capture is not learnt as skin, nor are glasses."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.imaging.colour import rgb_from_frame
from bianlian.records.arrays import F32
from tests.faces import learnt, space, tracked
from tests.material import frame_of
from tests.occluders import BLACK, Draw, with_glasses, with_hand, with_microphone

CLIP = "demo/demo_donor_talk.mp4"


def face_learnt(draw: Draw | None, every: int = 3) -> F32:
    """The face as it mostly is, SxSx3, learnt from a capture with something in front in one frame of `every`."""
    capture = tracked(CLIP, 30, 0, 5)
    if draw is not None:
        for index in range(0, len(capture), every):
            frame, face = capture[index]
            picture, _ = draw(rgb_from_frame(frame), face.face.points_image)
            capture[index] = frame_of(picture, frame.index), face
    return learnt(capture, limit=60).mean


def away(one: F32, other: F32) -> float:
    """Mean difference of two faces, broadly."""
    shown = space().template.spread(space().share) > 0.5
    broad = [cv2.GaussianBlur(face, (0, 0), 2.0)[shown] for face in (one, other)]
    return float(np.abs(broad[0] - broad[1]).mean())


@pytest.mark.parametrize(("draw", "limit"), [(with_hand, 0.012), (with_microphone, 0.003)])
def test_what_was_in_front_is_not_learnt(draw: Draw, limit: float) -> None:
    """Were it learnt as any other texel the face would be 0.022 off by the hand, and 0.007 by the microphone."""
    assert away(face_learnt(draw), face_learnt(None)) < limit


@pytest.mark.parametrize(("width", "limit"), [(0.2, 0.012), (0.1, 0.010)])
def test_glasses_are_not_learnt(width: float, limit: float) -> None:
    """With their rims learnt the face would be 0.028 and 0.017 off."""
    worn = face_learnt(lambda picture, points: with_glasses(picture, points, BLACK, width), every=1)
    assert away(worn, face_learnt(None)) < limit
