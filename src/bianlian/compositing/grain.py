"""The plate's grain: measured on the performer's skin over time, and given to the drawn face, which has none of its own."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.imaging.face_space import FaceSpace
from bianlian.imaging.light import coarse
from bianlian.records.arrays import F32

_LUMA = np.array([[0.299, 0.587, 0.114]], np.float32)
_RESPONSE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
"""Immerkaer 1996: blind to planes and edges, and white noise keeps its deviation."""
_NORMAL = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
_SMOOTHEST = 25
"""Per cent of the skin that is taken as free of beard and wrinkles that move."""
_FEWEST = 5
"""Frames below which grain cannot be told from skin."""


def roughness(rgb: F32, points: F32, space: FaceSpace) -> F32:
    """2 x SMALL x SMALL: what is rough at one and at two pixels' size on the face whose landmarks lie in `rgb`."""
    luma = cv2.transform(rgb, _LUMA)
    half = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    where = space.small.coordinates(points)
    return np.stack(
        [
            cv2.remap(cv2.filter2D(part, -1, _RESPONSE), at, None, cv2.INTER_NEAREST)
            for part, at in ((luma, where), (half, where / 2 - np.float32(0.25)))
        ]
    )


def grain_over(rough: F32, seen: F32, space: FaceSpace) -> F32:
    """2: standard deviation in coded values of the grain at one and at two pixels' size, from the `roughness` (N x 2 x SMALL x
    SMALL) of frames, where the face was `seen` (N x SMALL x SMALL): what does not stay with the skin."""
    skin = space.skin > 0.5
    skin &= coarse(seen.mean(axis=0)) > 0.5
    if len(rough) < _FEWEST or not skin.any():
        return np.zeros(2, np.float32)
    change = np.median(np.abs(rough - np.median(rough, axis=0)), axis=0)
    return (_NORMAL * np.array([np.percentile(coarse(part)[skin], _SMOOTHEST) for part in change])).astype(np.float32)


def grain(size: tuple[int, int], strength: F32, *, seed: tuple[int, ...]) -> F32:
    """`size` values to add to a picture's coded RGB, with the deviations of `grain_over`; the same for the same seed."""
    random = np.random.default_rng(seed)
    fine = random.standard_normal(size, np.float32) * strength[0]
    rest = float(np.sqrt(max(strength[1] ** 2 - strength[0] ** 2 / 4, 0)))
    half = random.standard_normal((-(-size[0] // 2), -(-size[1] // 2)), np.float32) * np.float32(rest)
    return fine + cv2.resize(half, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)[: size[0], : size[1]]
