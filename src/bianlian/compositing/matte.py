"""What stays in front of the donor's face: whatever does not fit the performer's own appearance over the clip."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.compositing.occluders import HALF, Occluders
from bianlian.imaging.light import coarse
from bianlian.imaging.performance import soft_step
from bianlian.records.arrays import F32

_LIKELY, _CERTAIN, _NEAR = (-2.5, -0.5), (0.0, 2.0), 15
"""Log odds from which on, and at which in full, a texel counts as hidden; and what they must be somewhere in the square of so
many texels around it. Two thresholds: what is in front has a place where that is plain, and a blink has none."""
_FLOOR = np.float32(0.03)
"""Added to coded values before their logarithm: darkness tells little. (Sampling with sharp edges can give less than black.)"""
_LUMA = np.array([[0.299, 0.587, 0.114]], np.float32)
_FINE, _NEARBY = 2.0, 0.75
"""Fine structure is what a blur of so many small texels takes away; it is compared within so many of HALF."""
_FAINT = np.float32(0.03**2)
"""Variance of fine structure, in squared log units, under which there is none."""


def occlusion(worn: F32, seen: F32, expected: F32, tolerance: F32, occluders: Occluders) -> F32:
    """COARSE x COARSE, 0..1: where something hides the performer's face.

    `worn` and `seen` are the frame's small texture, `expected` is the performer's usual one under the frame's light, `tolerance`
    (COARSE x COARSE) says how far the texture usually strays from it.
    """
    odds = occluders(_apart(worn, expected), _around(worn, seen, expected, tolerance))
    near = cv2.dilate(odds, np.ones((_NEAR, _NEAR)))
    return np.minimum(soft_step(odds, *_LIKELY), soft_step(near, *_CERTAIN))


def _apart(worn: F32, expected: F32) -> F32:
    """3 x COARSE x COARSE: how much brighter, redder and bluer than expected, in log units."""
    apart = np.log((np.maximum(coarse(worn), 0) + _FLOOR) / (np.maximum(coarse(expected), 0) + _FLOOR))
    red, green, blue = cv2.split(apart)
    return np.stack([np.clip(cv2.transform(apart, _LUMA), -2, 2), red - green, blue - green])


def _around(worn: F32, seen: F32, expected: F32, tolerance: F32) -> F32:
    """5 x HALF x HALF: how far it is usually apart, how well it is seen; of fine structure how much alike it is, how much there
    is and how much there should be."""
    one, other = _fine(worn), _fine(expected)
    ones, both, others = cv2.split(
        cv2.GaussianBlur(_half(cv2.merge((one * one, one * other, other * other))), (0, 0), _NEARBY)
    )
    ones, others = ones + _FAINT, others + _FAINT
    alike = both / np.sqrt(ones * others)
    return np.stack([4 * _half(tolerance), _half(seen), alike, 0.5 * np.log(ones) + 2.5, 0.5 * np.log(others) + 2.5])


def _fine(texture: F32) -> F32:
    luma = np.log(np.maximum(cv2.transform(texture, _LUMA), 0) + _FLOOR)
    return luma - cv2.GaussianBlur(luma, (0, 0), _FINE)


def _half(texture: F32) -> F32:
    return cv2.resize(texture, (HALF, HALF), interpolation=cv2.INTER_AREA)
