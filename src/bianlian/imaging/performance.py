"""A face's performance as a vector of numbers: what the donor's texture is predicted from."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.imaging.shape import F64
from bianlian.records.arrays import F32
from bianlian.records.face import Face

POSE = slice(51, 53)
"""Yaw and pitch in a performance."""


def head_angles(rotation: F64) -> tuple[float, float]:
    """(yaw, pitch) in radians, signs as in `records.face.Pose`, of a rotation in image axes.

    They say from where the camera looks at the head, so neither a head that leans nor a camera that is turned changes them.
    """
    return float(np.arctan2(rotation[2, 0], rotation[2, 2])), float(np.arcsin(np.clip(-rotation[2, 1], -1, 1)))


def performance(face: Face, rotation: F64, rest: F32) -> F32:
    """FEATURES (records/appearance.py): expression above `rest` (51), pose and gaze of a face held by `rotation` (image axes)."""
    yaw, pitch = head_angles(rotation)
    return np.concatenate([face.expression[1:] - rest, [yaw, pitch, yaw * yaw, pitch * pitch], face.gaze]).astype(
        np.float32
    )


def soft_step(values: F32, low: float, high: float) -> F32:
    """0 below `low`, 1 above `high`, smooth between; works for high < low too."""
    x = np.clip((values - low) / (high - low), 0, 1)
    return (x * x * (3 - 2 * x)).astype(np.float32)


def enlarged(image: F32, side: int) -> F32:
    """`image` at side x side, bilinear."""
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
