"""Lay the textures of a capture exactly over one another.

Landmarks are some texels off from frame to frame, so a mean over them is blurred. Each texture is moved by a smooth flow field
onto the mean of all, the mean gets sharper, and the next round is more exact.
"""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.records.arrays import F32, U8

_SMOOTH = 0.02
"""Standard deviation of the flow's smoothing, shares of the template's side."""
_FARTHEST = 0.03
"""Largest displacement that is believed, share of the side; anything beyond is a change of the face, not a landmark's error."""


def weighted_mean(textures: F32, seen: F32) -> F32:
    """SxSx3 mean of `textures` (NxSxSx3) where they were `seen` (NxSxS)."""
    summed, total = np.zeros(textures.shape[1:], np.float32), np.full(seen.shape[1:], 1e-3, np.float32)
    for texture, visible in zip(textures, seen, strict=True):
        summed += texture * visible[..., None]
        total += visible
    return summed / total[..., None]


def register(textures: F32, seen: F32, frontal: F32, *, rounds: int = 2) -> F32:
    """Move each of `textures` (NxSxSx3 coded RGB 0..1, even light, changed in place) onto their mean, and return that mean.

    `frontal` (N) says how much each counts at first: landmarks drift with the pose, and the frontal ones set where things lie.
    """
    mean = weighted_mean(textures, seen * frontal[:, None, None])
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    for last in [False] * (rounds - 1) + [True]:
        target = _grey(mean)
        summed, total = np.zeros_like(mean), np.full(mean.shape[:2], 1e-3, np.float32)
        for texture, visible in zip(textures, seen, strict=True):
            guide = np.where(visible[..., None] > 0.3, texture, mean)
            flow = _believed(estimator.calc(target, _grey(guide), np.zeros((*target.shape, 2), np.float32)), visible)
            moved = _follow(texture, flow)
            summed += moved * visible[..., None]
            total += visible
            if last:
                texture[:] = moved
        mean = summed / total[..., None]
    return mean


def _grey(texture: F32) -> U8:
    return cv2.cvtColor(cv2.convertScaleAbs(texture, alpha=255.0), cv2.COLOR_RGB2GRAY)


def _believed(flow: F32, visible: F32) -> F32:
    """The smooth part of a flow field, from where the face was seen, no longer than `_FARTHEST`."""
    side = flow.shape[0]
    spread = _SMOOTH * side
    weighted = cv2.GaussianBlur(flow * visible[..., None], (0, 0), spread)
    smooth = weighted / (cv2.GaussianBlur(visible, (0, 0), spread) + 0.05)[..., None]
    length = np.linalg.norm(smooth, axis=2, keepdims=True)
    return (smooth * np.minimum(1, _FARTHEST * side / np.maximum(length, 1e-6))).astype(np.float32)


def _follow(texture: F32, flow: F32) -> F32:
    side = texture.shape[0]
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    where = flow + np.stack([columns, rows], axis=-1)
    return cv2.remap(texture, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
