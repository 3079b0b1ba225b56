"""The seam goes with the eyes of who is drawn on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bianlian.imaging.seam import own_share, pupils_apart
from bianlian.imaging.template import IRISES
from bianlian.records.face import Face
from tests.faces import space
from tests.unit.imaging.test_shape import turned

CLOSE, APART = 6.0, 6.9


def looking(pupils: float, yaw: float, pitch: float) -> Face:
    """The canonical face, turned, with pupils so many centimetres apart between its lids."""
    shape, rest = space().canonical, np.zeros(52, np.float32)
    face = turned(shape, yaw, pitch, rest)
    middle = shape[[33, 133, 263, 362]].mean(axis=0)
    points, across = face.points_image.copy(), turned(shape + np.array([1.0, 0, 0]), yaw, pitch, rest).points_image[0]
    unit = across - face.points_image[0]
    centre = turned(shape - shape[0] + middle, yaw, pitch, rest).points_image[0]
    for iris, side in zip(IRISES, (-0.5, 0.5), strict=True):
        points[iris] = centre + side * pupils * unit
    return Face(
        points_image=points,
        pose=face.pose,
        expression=face.expression,
        gaze=face.gaze,
        quality=face.quality,
    )


@pytest.mark.parametrize("pupils", [CLOSE, APART])
def test_pupils_are_as_far_apart_from_every_side(pupils: float) -> None:
    faces = [looking(pupils, yaw, pitch) for yaw in (-0.5, 0.0, 0.4) for pitch in (-0.2, 0.1)]
    found = pupils_apart(faces, space().canonical, space().expressions, space().pose_weights)
    assert found == pytest.approx(pupils, rel=0.01)


def test_eyes_that_stand_apart_let_more_of_the_donor_in() -> None:
    near, far = (own_share(space().canonical, pupils) for pupils in (CLOSE, APART))
    assert (far >= near).all()
    assert far.sum() > 1.1 * near.sum()


@given(pupils=st.floats(-100, 100))
def test_no_misread_eye_moves_the_seam_far(pupils: float) -> None:
    share, least, most = (own_share(space().canonical, apart) for apart in (pupils, 1.0, 50.0))
    assert (least <= share).all()
    assert (share <= most).all()
    assert most.sum() < 1.5 * least.sum()
