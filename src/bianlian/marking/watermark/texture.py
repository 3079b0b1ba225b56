"""Luma and its local texture: the measure by which the mark is hidden, and by which the reader levels the face again."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from bianlian.records.arrays import F32, Plane

_LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B; near enough for judging texture, whatever the matrix."""
_WINDOW = 19
"""Side of the neighbourhood in canonical pixels: about an eye's height."""


def luma_levels(planes: Sequence[Plane], bit_depth: int) -> F32:
    """Luma, HxW, in levels of 8 bits, from (Y,) or (R, G, B) planes or parts of them."""
    unit = np.float32(1 << (bit_depth - 8))
    if len(planes) == 1:
        return planes[0].astype(np.float32) / unit
    weighted = (plane.astype(np.float32) * weight for plane, weight in zip(planes, _LUMA, strict=True))
    return np.asarray(sum(weighted), np.float32) / unit


def local_deviation(luma: F32, pixels_per_canonical: float = 1.0) -> F32:
    """Standard deviation of luma (HxW) in the neighbourhood of each pixel, in the same levels, at most 20."""
    side = max(3, round(_WINDOW * pixels_per_canonical) | 1)
    mean = cv2.blur(luma, (side, side))
    variance = cv2.blur(luma * luma, (side, side)) - mean * mean
    return np.asarray(np.sqrt(np.clip(variance, 0, 400)), np.float32)
