"""Where a pair of eyes looks and how far it is open, read from the landmarks of irises and lids."""

from __future__ import annotations

import numpy as np

from bianlian.imaging.template import EYES
from bianlian.records.arrays import F32

_IRISES = (468, 473)
_CORNERS = ((33, 133), (362, 263))
"""Of each eye, the corner on the left of an upright face and the one on its right."""
_NARROWEST = 0.15
"""The least that a person's usual opening can be: somebody may blink in a photograph."""


def lids(points: F32) -> F32:
    """4, from 478 landmarks (478x3 pixels), all in widths of an eye.

    Where the irises lie between the corners of their eyes, across (right in the picture) and down, mean of both; the openings of
    the eye on the left and of the one on the right of a face seen from the front.
    """
    across_down = np.zeros(2)
    openings: list[float] = []
    for outline, corners, iris in zip(EYES, _CORNERS, _IRISES, strict=True):
        left, right = points[list(corners), :2].astype(np.float64)
        width = float(np.hypot(*(right - left)))
        axis = (right - left) / width
        frame = np.stack([axis, (-axis[1], axis[0])]) / width
        across_down += frame @ (points[iris, :2] - (left + right) / 2) / 2
        openings.append(np.ptp((points[list(outline), :2] - left) @ frame[1]))
    return np.array([*across_down, *openings], np.float32)


def usual_openings(pairs: F32) -> F32:
    """2: how far a person's eyes are usually open, from `lids` of many frames (Nx4): a narrow eye is not a closed one."""
    return np.maximum(np.median(pairs[:, 2:], axis=0), _NARROWEST).astype(np.float32)
