"""The grain of the skin comes back from frames that lie a little off one another."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.learning.detail import weighted_mean, with_detail
from bianlian.records.arrays import F32

SIDE = 128


def skin(random: np.random.Generator) -> F32:
    """Broad patches with fine spots."""
    broad, fine = (cv2.GaussianBlur(random.normal(size=(SIDE, SIDE, 3)), (0, 0), sigma) for sigma in (9.0, 1.0))
    return (0.5 + 2 * broad + 0.15 * fine).clip(0, 1).astype(np.float32)


def shifted(texture: F32, x: float, y: float) -> F32:
    return cv2.warpAffine(texture, np.float32([[1, 0, x], [0, 1, y]]), (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)


def grain(texture: F32) -> F32:
    return (texture - cv2.GaussianBlur(texture, (0, 0), 1.5))[16:-16, 16:-16]


def test_grain_that_a_mean_washes_out_comes_back() -> None:
    random = np.random.default_rng(5)
    truth = skin(random)
    textures = np.stack([shifted(truth, *random.normal(scale=1.5, size=2)) for _ in range(36)])
    seen, calm = np.ones(textures.shape[:3], np.float32), np.ones(len(textures), np.float32)
    mean = weighted_mean(textures, seen)
    better = with_detail(mean, textures, seen, calm)
    assert grain(better).std() > 1.15 * grain(mean).std()
    assert np.abs(grain(better) - grain(truth)).mean() < np.abs(grain(mean) - grain(truth)).mean()


def test_what_no_frame_shows_stays_the_mean() -> None:
    random = np.random.default_rng(6)
    textures = np.stack([skin(random) for _ in range(12)])
    seen, calm = np.ones(textures.shape[:3], np.float32), np.ones(len(textures), np.float32)
    seen[:, :40] = 0
    mean = weighted_mean(textures, np.ones_like(seen))
    assert np.abs(with_detail(mean, textures, seen, calm) - mean)[:30].max() < 1e-4
