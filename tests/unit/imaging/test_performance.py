"""How a head is held towards the camera is the same however the camera is turned about its axis."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bianlian.imaging.performance import head_angles

ANGLE = st.floats(-1.2, 1.2)


def turned(about: int, angle: float) -> np.ndarray:
    return cv2.Rodrigues(np.eye(3)[about] * angle)[0]


@given(ANGLE, ANGLE, st.floats(-3.1, 3.1))
def test_a_turned_camera_changes_nothing(yaw, pitch, roll):
    held = turned(1, yaw) @ turned(0, pitch)
    assert np.allclose(head_angles(turned(2, roll) @ held), head_angles(held), atol=1e-6)


@given(ANGLE)
def test_a_turn_or_a_nod_alone_is_its_own_angle(angle):
    assert np.allclose(np.abs(head_angles(turned(1, angle))), (abs(angle), 0), atol=1e-6)
    assert np.allclose(np.abs(head_angles(turned(0, angle))), (0, abs(angle)), atol=1e-6)
