"""The fine grain of a donor's skin: pores, brow hair, lashes and stubble, which a mean over many frames washes out."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.learning.flow import follow, smooth_flow
from bianlian.records.arrays import F32

_GRAIN = 0.01
"""Standard deviation that parts the fine from the broad, share of the template's side."""
_STRENGTH = 0.6
"""How much of the mean's grain is replaced. More is sharper, but a pixel's misplacement then costs more than sharpness gains."""


def weighted_mean(textures: F32, seen: F32) -> F32:
    """SxSx3 mean of `textures` (NxSxSx3) where they were `seen` (NxSxS)."""
    summed, total = np.zeros(textures.shape[1:], np.float32), np.full(seen.shape[1:], 1e-3, np.float32)
    for texture, visible in zip(textures, seen, strict=True):
        summed += texture * visible[..., None]
        total += visible
    return summed / total[..., None]


def with_detail(mean: F32, textures: F32, seen: F32, calm: F32, *, rounds: int = 2) -> F32:
    """`mean` (SxSx3) with the grain of the sharpest calm ones, a twelfth, of `textures` (NxSxSx3 coded RGB 0..1, even light).

    `calm` (N, 0..1) says how frontal and expressionless each is. The chosen are laid over one another by a smooth flow.
    """
    count = max(3, len(textures) // 12)
    chosen = np.argsort(-calm * _sharpness(textures, seen), kind="stable")[:count]
    target, visible = mean, seen[chosen]
    for _ in range(rounds):
        flows = [smooth_flow(textures[index], target, seen[index]) for index in chosen]
        target = weighted_mean(
            np.stack([follow(textures[index], flow) for index, flow in zip(chosen, flows, strict=True)]), visible
        )
    side = len(mean)
    shown = np.minimum(visible.mean(axis=0) * 2, 1).astype(np.float32)
    strength = _STRENGTH * cv2.GaussianBlur(shown, (0, 0), _GRAIN * side)
    return mean + strength[..., None] * (_grain(target) - _grain(mean))


def _grain(texture: F32) -> F32:
    return texture - cv2.GaussianBlur(texture, (0, 0), _GRAIN * len(texture))


def _sharpness(textures: F32, seen: F32) -> F32:
    """N: energy of the grain where the face is seen."""
    return np.array(
        [
            ((_grain(texture) ** 2).sum(axis=2) * visible).sum() / (visible.sum() + 1)
            for texture, visible in zip(textures, seen, strict=True)
        ],
        np.float32,
    )
