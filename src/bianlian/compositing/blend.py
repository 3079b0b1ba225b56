"""The drawn face laid over the footage, pixel by pixel."""

from __future__ import annotations

import numba
import numpy as np

from bianlian.records.arrays import F32, U8


def laid_over(rgb: F32, drawn: F32, opacity: F32) -> U8:
    """Blend `drawn` (HxWx3 coded RGB, clipped to 0..1) into `rgb`, in place, by `opacity` (HxW, 0..1).

    Returns:
        The matte: the opacity in the 256 steps in which it was used.
    """
    matte = np.empty(opacity.shape, np.uint8)
    _lay(rgb, drawn, opacity, matte)
    return matte


@numba.njit(cache=True, nogil=True)
def _lay(rgb: F32, drawn: F32, opacity: F32, matte: U8) -> None:  # pragma: no cover - compiled
    height, width = opacity.shape
    for y in range(height):
        for x in range(width):
            step = np.uint8(np.rint(opacity[y, x] * np.float32(255)))
            matte[y, x] = step
            if step:
                share = step / np.float32(255)
                for k in range(3):
                    colour = min(max(drawn[y, x, k], np.float32(0)), np.float32(1))
                    rgb[y, x, k] += share * (colour - rgb[y, x, k])
