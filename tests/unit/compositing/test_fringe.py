"""A performer's fringe and locks stay before the face, and a donor's are not drawn on it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from bianlian.compositing.performer import study
from bianlian.compositing.stage import Cast, compose
from bianlian.imaging.colour import rgb_from_frame
from bianlian.records.arrays import F32, U8
from tests.faces import faces_of, grant, learnt, space, tracked
from tests.material import footage, pictures
from tests.unit.compositing.test_stage import CAPTURE, FOOTAGE, appearance, performer

FOREHEAD = (10, 338, 297, 332, 284, 333, 299, 337, 151)
"""Around one half of it, well above the brow."""
TEMPLE = (162, 127, 234, 93, 147, 123, 111, 35, 156)
"""Around one side, beside the eye and the cheek."""
DARK = (45, 30, 25)


def with_hair(picture: U8, points: F32, around: tuple[int, ...]) -> tuple[U8, U8]:
    """A picture with dark hair over a part of the face whose landmarks lie there, and where it is."""
    hair = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillConvexPoly(hair, cv2.convexHull(np.rint(points[list(around), :2]).astype(np.int32)), 255)
    share = cv2.GaussianBlur(hair, (0, 0), 2)[..., None] / 255
    return np.rint(picture * (1 - share) + np.array(DARK) * share).astype(np.uint8), hair


def inside(hair: U8) -> npt.NDArray[np.bool_]:
    """Without its edge; a turned head hides a temple, and nothing is left of it."""
    return cv2.erode(hair, np.ones((9, 9))) > 0


@pytest.mark.parametrize("around", [FOREHEAD, TEMPLE])
def test_hair_is_not_painted_over(around: tuple[int, ...]) -> None:
    faces = faces_of(FOOTAGE, 8, 0, 10)
    worn = [
        with_hair(one, each.face.points_image, around)
        for one, each in zip(pictures(FOOTAGE, 8, 0, 10), faces, strict=True)
    ]
    frames = list(footage(picture for picture, _ in worn))
    cast = {1: Cast(grant=grant(), appearance=appearance(), performer=study(zip(frames, faces, strict=True), space()))}
    composites = compose(((frame, (face,)) for frame, face in zip(frames, faces, strict=True)), cast, space())
    for (picture, hair), composite in zip(worn, composites, strict=True):
        changed = np.abs(rgb_from_frame(composite.frame).astype(np.float32) - picture)
        assert changed[inside(hair)].sum() <= 5 * changed[inside(hair)].size


@pytest.mark.parametrize("around", [FOREHEAD, TEMPLE])
def test_hair_is_not_drawn(around: tuple[int, ...]) -> None:
    """A donor whose hair hangs over part of the face, on a performer whose face is bare."""
    own, faces = pictures(*CAPTURE), faces_of(*CAPTURE)
    worn = (with_hair(one, each.face.points_image, around)[0] for one, each in zip(own, faces, strict=True))
    fringed = learnt(zip(footage(worn), faces, strict=True))
    cast = {1: Cast(grant=grant(), appearance=fringed, performer=performer())}
    scene = tracked(FOOTAGE, 8, 0, 10)
    for (frame, face), composite in zip(
        scene, compose(((frame, (face,)) for frame, face in scene), cast, space()), strict=True
    ):
        picture = rgb_from_frame(frame)
        _, hair = with_hair(picture, face.face.points_image, around)
        darker = picture.astype(np.float32) - rgb_from_frame(composite.frame)
        assert darker[inside(hair)].sum() <= 5 * darker[inside(hair)].size
