"""Where a pair of eyes looks and how far it is open, read from the landmarks of irises and lids."""

from __future__ import annotations

import numpy as np

from bianlian.imaging.template import EYE_CORNERS, EYES
from bianlian.records.arrays import F32

_IRISES, _OUTLINES, _CORNERS = np.array((468, 473)), np.array(EYES), np.array(EYE_CORNERS)
_NARROWEST = 0.15
"""The least that a person's usual opening can be: somebody may blink in a photograph."""


def lids(points: F32) -> F32:
    """4, from 478 landmarks (478x3 pixels), all in widths of an eye.

    Where the irises lie between the corners of their eyes, across (right in the picture) and down, mean of both; the openings of
    the eye on the left and of the one on the right of a face seen from the front.
    """
    plane = points[:, :2].astype(np.float64) @ (1, 1j)
    left, right = plane[_CORNERS].T
    # A complex number's product with the conjugate of a direction is its part along it and, times i, across it.
    along = np.conj(right - left) / np.abs(right - left) ** 2
    looks = ((plane[_IRISES] - (left + right) / 2) * along).mean()
    openings = np.ptp(((plane[_OUTLINES] - left[:, None]) * along[:, None]).imag, axis=1)
    return np.array([looks.real, looks.imag, *openings], np.float32)


def usual_openings(pairs: F32) -> F32:
    """2: how far a person's eyes are usually open, from `lids` of many frames (Nx4): a narrow eye is not a closed one."""
    return np.maximum(np.median(pairs[:, 2:], axis=0), _NARROWEST).astype(np.float32)
