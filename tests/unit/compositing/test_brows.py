"""A performer's brows do not show beside the donor's."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.compositing.performer import study
from bianlian.compositing.stage import Cast, compose
from bianlian.imaging.colour import rgb_from_frame
from bianlian.records.arrays import F32, U8
from tests.faces import faces_of, grant, space
from tests.material import footage, pictures
from tests.unit.compositing.test_stage import FOOTAGE, appearance

ENDS = ((70, 63, 105), (334, 293, 300))
"""The upper edges of the brows, on their outer halves."""
DARK = (45, 30, 25)


def with_thick_brows(picture: U8, points: F32) -> tuple[U8, U8]:
    """A picture with high brows painted on the face whose landmarks lie there, and where they are."""
    brows = np.zeros(picture.shape[:2], np.uint8)
    height = float(np.ptp(points[:, 1]))
    for end in ENDS:
        line = points[list(end), :2] - np.array([0, 0.02 * height])
        cv2.polylines(brows, [np.rint(line * 16).astype(np.int32)], False, 255, round(0.03 * height), cv2.LINE_AA, 4)
    share = cv2.GaussianBlur(brows, (0, 0), 1.5)[..., None] / 255
    return np.rint(picture * (1 - share) + np.array(DARK) * share).astype(np.uint8), brows


def test_the_ends_of_thick_brows_are_painted_over() -> None:
    plain, faces = pictures(FOOTAGE, 8, 0, 10), faces_of(FOOTAGE, 8, 0, 10)
    painted = [with_thick_brows(one, each.face.points_image) for one, each in zip(plain, faces, strict=True)]
    frames = list(footage(picture for picture, _ in painted))
    performer = study(zip(frames, faces, strict=True), space())
    cast = {1: Cast(grant=grant(), appearance=appearance(), performer=performer)}
    left = list[float]()
    for before, (worn, brows), after in zip(
        plain,
        painted,
        compose(((frame, (face,)) for frame, face in zip(frames, faces, strict=True)), cast, space()),
        strict=True,
    ):
        skin, brow, drawn = (float(one[brows > 200].mean()) for one in (before, worn, rgb_from_frame(after.frame)))
        left.append((skin - drawn) / (skin - brow))
    assert np.mean(left) < 0.35
