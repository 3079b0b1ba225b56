"""A performer's fringe stays before the forehead, and a donor's is not drawn on it."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.compositing.performer import study
from bianlian.compositing.stage import Cast, compose
from bianlian.imaging.colour import rgb_from_frame
from bianlian.records.arrays import F32, U8
from tests.faces import faces_of, grant, space, tracked
from tests.material import footage, pictures
from tests.unit.compositing.test_stage import CAPTURE, FOOTAGE, appearance, learnt, performer

FOREHEAD = (10, 338, 297, 332, 284, 333, 299, 337, 151)
"""Around one half of it, well above the brow."""
DARK = (45, 30, 25)


def with_fringe(picture: U8, points: F32) -> tuple[U8, U8]:
    """A picture with dark hair over half of the forehead of the face whose landmarks lie there, and where it is."""
    hair = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillConvexPoly(hair, cv2.convexHull(np.rint(points[list(FOREHEAD), :2]).astype(np.int32)), 255)
    share = cv2.GaussianBlur(hair, (0, 0), 2)[..., None] / 255
    return np.rint(picture * (1 - share) + np.array(DARK) * share).astype(np.uint8), hair


def test_a_fringe_is_not_painted_over() -> None:
    faces = faces_of(FOOTAGE, 8, 0, 10)
    worn = [
        with_fringe(one, each.face.points_image) for one, each in zip(pictures(FOOTAGE, 8, 0, 10), faces, strict=True)
    ]
    frames = list(footage(picture for picture, _ in worn))
    cast = {1: Cast(grant=grant(), appearance=appearance(), performer=study(zip(frames, faces, strict=True), space()))}
    composites = compose(((frame, (face,)) for frame, face in zip(frames, faces, strict=True)), cast, space())
    for (picture, hair), composite in zip(worn, composites, strict=True):
        inside = cv2.erode(hair, np.ones((9, 9))) > 0
        changed = np.abs(rgb_from_frame(composite.frame).astype(np.float32) - picture)[inside]
        assert changed.mean() < 5


def test_a_fringe_is_not_drawn() -> None:
    """A donor whose hair hangs over half of the forehead, on a performer whose forehead is bare."""
    own, faces = pictures(*CAPTURE), faces_of(*CAPTURE)
    worn = (with_fringe(one, each.face.points_image)[0] for one, each in zip(own, faces, strict=True))
    fringed = learnt(zip(footage(worn), faces, strict=True))
    cast = {1: Cast(grant=grant(), appearance=fringed, performer=performer())}
    scene = tracked(FOOTAGE, 8, 0, 10)
    for (frame, face), composite in zip(
        scene, compose(((frame, (face,)) for frame, face in scene), cast, space()), strict=True
    ):
        picture = rgb_from_frame(frame)
        _, forehead = with_fringe(picture, face.face.points_image)
        darker = picture.astype(np.float32) - rgb_from_frame(composite.frame)
        assert darker[cv2.erode(forehead, np.ones((9, 9))) > 0].mean() < 5
