"""A donor who hardly turns: the background beside the landmarks' outline is not learnt as skin."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.imaging.colour import rgb_from_frame
from bianlian.imaging.template import OVAL
from bianlian.learning.unseen import filled_in
from bianlian.records.arrays import F32, U8
from tests.faces import learnt, space, tracked
from tests.material import frame_of

CLIP = "demo/demo_donor_talk.mp4"
GREEN = 0, 255, 0


def before_green(picture: U8, points: F32) -> U8:
    """`picture` with all green beside the face, which ends 1.5 % inside the outline."""
    outline = points[list(OVAL), :2]
    inner = outline + 0.015 * (outline.mean(axis=0) - outline)
    face = cv2.fillPoly(np.zeros(picture.shape[:2], np.uint8), [np.rint(inner).astype(np.int32)], 1)
    return np.where(face[..., None] > 0, picture, np.uint8(GREEN)).astype(np.uint8)


def test_the_background_does_not_become_skin() -> None:
    """It would be on 8 % of it."""
    capture = [
        (frame_of(before_green(rgb_from_frame(frame), face.face.points_image), frame.index), face)
        for frame, face in tracked(CLIP, 60, 0, 3)
        if abs(face.face.pose.yaw) < 0.2
    ]
    assert len(capture) > 8
    face = learnt(capture).mean
    drawn = space().template.spread(space().share) > 0.02
    greenish = face[..., 1] > face[..., 0]
    assert greenish[drawn & space().template.inside].mean() < 0.03


def test_what_is_known_stays_and_the_rest_is_as_around() -> None:
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32)[:, None, None], (1, 64, 3))
    known = np.ones((64, 64), np.float32)
    known[20:44, 50:] = 0
    holed = np.where(known[..., None] > 0, ramp, np.float32(9))
    filled = filled_in(holed, known)
    assert np.allclose(filled[known > 0], ramp[known > 0])
    assert np.abs(filled - ramp).max() < 0.3
