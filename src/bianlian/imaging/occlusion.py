"""What is in front of a face: whatever does not fit the person's own appearance over the clip.

A network is shown how a frame's texture differs from the person's usual one, and sees what no single texel tells: an outline,
a region without lips where lips belong, the shape of a hand. It knows no person, only differences. Trained on renderings of
synthetic performers with hands, microphones, cloths, strands and other things, whose mattes are exact (docs/engine.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from bianlian.imaging.colour import LUMA
from bianlian.imaging.face_space import FaceSpace
from bianlian.imaging.light import COARSE, coarse
from bianlian.imaging.network import Network, read_network
from bianlian.imaging.performance import soft_step
from bianlian.imaging.template import EYES, filled
from bianlian.records.arrays import F32

_HALF = COARSE // 2
_LIKELY, _CERTAIN, _NEAR = (-2.0, 0.0), (1.5, 2.5), 15
"""Log odds from which on, and at which in full, a texel counts as hidden; and what they must be somewhere in the square of so
many texels around it. Two thresholds: what is in front has a place where that is plain, and a blink has none."""
_WARY = 1.5
"""Log odds more that it takes in the eyes: what is doubtful there must not show a performer's eyes."""
_LIDS = 7
"""Small texels, twice the width around an eye's opening that belongs to it and one."""
_FLOOR = np.float32(0.03)
"""Added to coded values before their logarithm: darkness tells little. (Sampling with sharp edges can give less than black.)"""
_DARKEST = np.float32(6 / 255)
_FINE, _NEARBY = 2.0, 0.75
"""Fine structure is what a blur of so many small texels takes away; it is compared within so many texels of half that size."""
_FAINT = np.float32(0.03**2)
"""Variance of fine structure, in squared log units, under which there is none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OccluderFinder:
    """Finds what is in front of one face in one picture."""

    network: Network
    wary: F32
    """COARSE x COARSE: the log odds more that it takes, `_WARY` in the eyes."""

    def __call__(self, worn: F32, seen: F32, expected: F32, usual: F32, tolerance: F32) -> F32:
        """COARSE x COARSE, 0..1: where something hides a person's face.

        `worn` and `seen` are the picture's small texture, `expected` is the person's usual one under the picture's light and
        `usual` its fine structure (`fine`), `tolerance` (COARSE x COARSE) says how far the texture usually strays.
        """
        odds = self.network(*evidence(worn, seen, expected, usual, tolerance))
        near = cv2.dilate(odds, np.ones((_NEAR, _NEAR)))
        return np.minimum(soft_step(odds - self.wary, *_LIKELY), soft_step(near, *_CERTAIN))


def occluder_finder(space: FaceSpace) -> OccluderFinder:
    """The finder with the network as it comes with the program."""
    eyes = cv2.dilate(filled(space.small, *EYES), np.ones((_LIDS, _LIDS)))
    return OccluderFinder(network=read_network("occluders"), wary=np.float32(_WARY) * coarse(eyes))


def evidence(worn: F32, seen: F32, expected: F32, usual: F32, tolerance: F32) -> tuple[F32, F32]:
    """(3 x COARSE x COARSE, 5 x _HALF x _HALF): what the network is shown, from what `OccluderFinder` is called with."""
    return _apart(worn, expected), _around(fine(worn), usual, seen, tolerance)


def fine(texture: F32) -> F32:
    """SxS: the fine structure of a texture (SxSx3), in log units; light does not change it."""
    luma = np.log(np.maximum(cv2.transform(texture, LUMA[None]), 0) + _FLOOR)
    return luma - cv2.GaussianBlur(luma, (0, 0), _FINE)


def stray(texture: F32, expected: F32) -> F32:
    """HxW: mean absolute log difference of the channels of two textures (HxWx3)."""
    return np.abs(np.log(np.maximum(texture, _DARKEST)) - np.log(np.maximum(expected, _DARKEST))).mean(axis=-1)


def _apart(worn: F32, expected: F32) -> F32:
    """3 x COARSE x COARSE: how much brighter, redder and bluer than expected, in log units."""
    apart = np.log((np.maximum(coarse(worn), 0) + _FLOOR) / (np.maximum(coarse(expected), 0) + _FLOOR))
    red, green, blue = cv2.split(apart)
    return np.stack([np.clip(cv2.transform(apart, LUMA[None]), -2, 2), red - green, blue - green])


def _around(own: F32, usual: F32, seen: F32, tolerance: F32) -> F32:
    """5 x _HALF x _HALF: how far the texture is usually apart, how well it is seen; how much alike its `own` fine structure and
    the `usual` one are, how strong the one is and the other."""
    products = cv2.GaussianBlur(_half(cv2.merge((own * own, own * usual, usual * usual))), (0, 0), _NEARBY)
    owns, both, usuals = cv2.split(products)
    owns, usuals = owns + _FAINT, usuals + _FAINT
    alike = both / np.sqrt(owns * usuals)
    return np.stack([4 * _half(tolerance), _half(seen), alike, 0.5 * np.log(owns) + 2.5, 0.5 * np.log(usuals) + 2.5])


def _half(texture: F32) -> F32:
    return cv2.resize(texture, (_HALF, _HALF), interpolation=cv2.INTER_AREA)
