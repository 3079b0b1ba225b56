"""Gaze relative to the head, from where the iris stands between the corners of the eye.

The eyeball is taken as a sphere whose radius is 0.4 of the distance between the corners (24 mm across, corners 30 mm
apart: Bekerman, Gottlieb & Vaiman 2014; Farkas 1994). Good for telling directions apart, not for absolute angles.
"""

from __future__ import annotations

import numpy as np

from bianlian.records.arrays import F32

_EYES = ((33, 133, 468), (263, 362, 473))
"""(outer corner, inner corner, iris centre) of the person's right and left eye."""
EYEBALL = 0.4
"""Radius of the eyeball over the distance between the corners."""
REST = 0.07
"""Height of the iris centre over the corners' line, over their distance, when looking ahead (docs/tracking.md)."""


def gazes(points_image: F32, rotations: F32) -> F32:
    """Nx2 (yaw, pitch) radians, mean of both eyes, signs as in `Pose`.

    Args:
        points_image: Nx478x3.
        rotations: Nx3x3 of the head (`PoseFit.rotations`).
    """
    upright = points_image * np.array([1, -1, -1], np.float32)
    found: list[F32] = []
    for outer, inner, iris in _EYES:
        across = np.linalg.norm(upright[:, outer] - upright[:, inner], axis=1)
        middle = (upright[:, outer] + upright[:, inner]) / 2
        offset = np.einsum("nji,nj->ni", rotations, upright[:, iris] - middle) / across[:, None]
        found.append((offset[:, :2] - [0.0, REST]) / EYEBALL)
    return np.arcsin(np.clip(np.mean(found, axis=0), -1, 1)).astype(np.float32)
