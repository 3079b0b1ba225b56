"""What stays in front of the donor's face: whatever does not fit the performer's own appearance over the clip."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.compositing.occluders import Occluders
from bianlian.imaging.light import coarse
from bianlian.imaging.performance import soft_step
from bianlian.records.arrays import F32

_LIKELY, _CERTAIN, _NEAR = (-2.5, -0.5), (1.5, 3.5), 15
"""Log odds from which on, and at which in full, a texel counts as hidden; and what they must be somewhere in the square of so
many texels around it. Two thresholds: what is in front has a place where that is plain, and a blink has none."""
_FLOOR = np.float32(0.03)
"""Added to coded values before their logarithm: darkness tells little. (Sampling with sharp edges can give less than black.)"""
_LUMA = np.array([[0.299, 0.587, 0.114]], np.float32)
_FINE, _AROUND = 2.0, 1.5
"""Fine structure is what a blur of so many small texels takes away; it is compared within so many coarse ones."""
_FAINT = np.float32(0.03**2)
"""Variance of fine structure, in squared log units, under which there is none."""


def occlusion(worn: F32, seen: F32, expected: F32, tolerance: F32, occluders: Occluders) -> F32:
    """COARSE x COARSE, 0..1: where something hides the performer's face.

    `worn` and `seen` are the frame's small texture, `expected` is the performer's usual one under the frame's light, `tolerance`
    (COARSE x COARSE) says how far the texture usually strays from it.
    """
    odds = occluders(_evidence(worn, seen, expected, tolerance))
    near = cv2.dilate(odds, np.ones((_NEAR, _NEAR)))
    return np.minimum(soft_step(odds, *_LIKELY), soft_step(near, *_CERTAIN))


def _evidence(worn: F32, seen: F32, expected: F32, tolerance: F32) -> F32:
    """8 x COARSE x COARSE: brighter, redder, bluer than expected, how much of that is usual, how well seen; and of fine structure
    how much alike it is, how much there is, how much there should be."""
    apart = np.log((np.maximum(coarse(worn), 0) + _FLOOR) / (np.maximum(coarse(expected), 0) + _FLOOR))
    red, green, blue = cv2.split(apart)
    brighter = np.clip(cv2.transform(apart, _LUMA), -2, 2)
    return np.stack(
        [brighter, red - green, blue - green, 4 * tolerance, coarse(seen), *_alike(_fine(worn), _fine(expected))]
    )


def _fine(texture: F32) -> F32:
    luma = np.log(np.maximum(cv2.transform(texture, _LUMA), 0) + _FLOOR)
    return luma - cv2.GaussianBlur(luma, (0, 0), _FINE)


def _alike(one: F32, other: F32) -> tuple[F32, F32, F32]:
    """The correlation of two fine structures around each coarse texel, and the logarithm of how strong each is."""
    products = cv2.GaussianBlur(coarse(cv2.merge((one * one, one * other, other * other))), (0, 0), _AROUND)
    ones, both, others = cv2.split(products)
    ones, others = ones + _FAINT, others + _FAINT
    return both / np.sqrt(ones * others), 0.5 * np.log(ones) + 2.5, 0.5 * np.log(others) + 2.5
