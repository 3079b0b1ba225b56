"""Lay one texture exactly over another: landmarks are some texels off from frame to frame."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.records.arrays import F32, U8

_SMOOTH = 0.02
"""Standard deviation of the flow's smoothing, shares of the template's side."""
_FARTHEST = 0.03
"""Largest displacement that is believed, share of the side; anything beyond is a change of the face, not a landmark's error."""


def smooth_flow(texture: F32, target: F32, seen: F32) -> F32:
    """SxSx2 texels: where in `texture` (SxSx3 coded RGB 0..1) to find what lies at each texel of `target`.

    Smooth, from where the face was `seen` (SxS, 0..1), and zero where it was not.
    """
    side = len(texture)
    guide = np.where(seen[..., None] > 0.3, texture, target)
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow = estimator.calc(_grey(target), _grey(guide), np.zeros((side, side, 2), np.float32))
    spread = _SMOOTH * side
    weighted = cv2.GaussianBlur(flow * seen[..., None], (0, 0), spread)
    smooth = weighted / (cv2.GaussianBlur(seen, (0, 0), spread) + 0.05)[..., None]
    length = np.linalg.norm(smooth, axis=2, keepdims=True)
    return (smooth * np.minimum(1, _FARTHEST * side / np.maximum(length, 1e-6))).astype(np.float32)


def follow(texture: F32, flow: F32) -> F32:
    """`texture` (SxSxC) with each texel taken from where `flow` (SxSx2) points."""
    rows, columns = np.mgrid[: len(flow), : len(flow)].astype(np.float32)
    where = flow + np.stack([columns, rows], axis=-1)
    return cv2.remap(texture, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _grey(texture: F32) -> U8:
    return cv2.cvtColor(cv2.convertScaleAbs(texture, alpha=255.0), cv2.COLOR_RGB2GRAY)
