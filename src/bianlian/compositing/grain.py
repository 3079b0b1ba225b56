"""The plate's grain: measured on the performer's skin over time, and given to the drawn face, which has none of its own."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from bianlian.imaging.colour import LUMA
from bianlian.imaging.face_space import FaceSpace
from bianlian.imaging.light import coarse
from bianlian.records.arrays import F32

_RESPONSE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
"""Immerkaer 1996: blind to planes and edges, and white noise keeps its deviation."""
_NORMAL = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
_SMOOTHEST = 25
"""Per cent of the skin that is taken as free of beard and wrinkles that move."""
_FEWEST = 5
"""Frames below which grain cannot be told from skin."""
_BRIGHT = 0.5
"""Share of the usual light from which a frame's grain is looked at."""


def roughness(rgb: F32, points: F32, space: FaceSpace) -> F32:
    """2 x SMALL x SMALL: what is rough at one and at two pixels' size on the face whose landmarks lie in `rgb`."""
    luma = cv2.transform(rgb, LUMA[None])
    half = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    where = space.small.coordinates(points)
    return np.stack(
        [
            cv2.remap(cv2.filter2D(part, -1, _RESPONSE), at, None, cv2.INTER_NEAREST)
            for part, at in ((luma, where), (half, where / 2 - np.float32(0.25)))
        ]
    )


def dimmed(light: F32) -> float:
    """0..1: how much darker than usual a face is under `light` (9x3, from the performer's reference). A picture that is faded out
    loses its grain as it loses its light; more light than usual brings no more grain."""
    return min(1.0, float(np.exp(light[0].mean())))


def grain_over(rough: F32, seen: F32, lights: Sequence[F32], space: FaceSpace) -> F32:
    """2: standard deviation in coded values of the grain at one and at two pixels' size, from the `roughness` (N x 2 x SMALL x
    SMALL) of frames, where the face was `seen` (N x SMALL x SMALL): what does not stay with the skin. `lights` (N times 9x3)
    say how bright each frame is; much darker ones than usual tell of rounding only."""
    levels = np.array([dimmed(light) for light in lights], np.float32)
    bright = levels > _BRIGHT
    rough, seen = rough[bright] / levels[bright, None, None, None], seen[bright]
    skin = (space.skin > 0.5) & (coarse(seen.mean(axis=0)) > 0.5) if len(rough) >= _FEWEST else np.zeros(1, bool)
    if not skin.any():
        return np.zeros(2, np.float32)
    change = np.median(np.abs(rough - np.median(rough, axis=0)), axis=0)
    return (_NORMAL * np.array([np.percentile(coarse(part)[skin], _SMOOTHEST) for part in change])).astype(np.float32)


def grain(size: tuple[int, int], strength: F32, *, seed: tuple[int, ...]) -> F32:
    """`size` values to add to a picture's coded RGB, with the deviations of `grain_over`; the same for the same seed."""
    random = np.random.default_rng(seed)
    fine = random.standard_normal(size, np.float32) * strength[0]
    shape = (-(-size[0] // 2), -(-size[1] // 2))
    if strength[1] < strength[0] / 2:  # finer than white noise, as dither is
        half = cv2.resize(fine, shape[::-1], interpolation=cv2.INTER_AREA) * (2 * strength[1] / strength[0] - 1)
    else:
        half = random.standard_normal(shape, np.float32) * np.sqrt(strength[1] ** 2 - strength[0] ** 2 / 4)
    return fine + cv2.resize(half, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)[: size[0], : size[1]]
