"""A burnt-out capture teaches the face that was burnt out."""

from __future__ import annotations

import numpy as np

from bianlian.learning.burnt import unburnt
from bianlian.records.arrays import F32
from tests.faces import changed, learnt, space, tracked

CLIP = "demo/demo_donor_talk.mp4", 24, 0, 6


def face_learnt(gain: float) -> F32:
    return learnt(changed(tracked(*CLIP), lambda picture: np.minimum(gain * picture, 255))).mean


def tints(face: F32) -> F32:
    """Nx2: log of red and of green over blue, of all that is drawn."""
    drawn = face[space().template.spread(space().share) > 0.5]
    return np.log(np.maximum(drawn[:, :2], 0.02) / np.maximum(drawn[:, 2:], 0.02))


def test_burnt_out_skin_keeps_its_tint() -> None:
    """As it is its red would be .18 off in the mean."""
    assert np.abs(tints(face_learnt(1.7)) - tints(face_learnt(1.0))).mean() < 0.04


def test_a_clear_capture_stays_as_it_is() -> None:
    textures = np.full((3, 128, 128, 3), 0.8, np.float32)
    assert unburnt(textures, np.ones((3, 128, 128), np.float32), space()) is textures


def test_white_stays_white() -> None:
    textures = np.full((3, 128, 128, 3), (0.9, 0.7, 0.6), np.float32)
    textures[:, 40:60, 40:60] *= np.float32(1.3)
    textures[:, :8, :8] = 0.98
    told = unburnt(np.minimum(textures, 1), np.ones((3, 128, 128), np.float32), space())
    white, burnt = told[0, 0, 0], told[0, 50, 50]
    assert np.ptp(white) < 1e-3
    assert np.allclose(burnt / burnt[2], np.array((0.9, 0.7, 0.6)) / 0.6, rtol=0.02)
