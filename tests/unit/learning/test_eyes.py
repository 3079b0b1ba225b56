"""Moments of a capture whose lids the landmarks missed by a texel lie over one another again."""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np

from bianlian.learning.eyes import eyes_of
from bianlian.records.arrays import F32
from tests.faces import space
from tests.unit.compositing.test_stage import appearance

SLIPS = [(across, down) for across, down in product((-2, -1, 0, 1, 2), repeat=2)]
"""Texels."""


def slipped(texture: F32) -> F32:
    """The same face, its landmarks off by one slip after another."""
    size = texture.shape[1::-1]
    moves = [np.array([[1, 0, across], [0, 1, down]], np.float32) for across, down in SLIPS]
    return np.stack([cv2.warpAffine(texture, move, size, borderMode=cv2.BORDER_REPLICATE) for move in moves])


def test_slips_of_the_landmarks_are_undone():
    textures = slipped(appearance().mean)
    seen, alike = np.ones(textures.shape[:3], np.float32), np.zeros((len(textures), 4), np.float32)
    eyes, shown = eyes_of(textures, seen, alike, alike[:, :2], space())
    assert np.allclose(shown, 1)
    for index, eye in enumerate(space().eyes):
        apart = (255 * textures[:, *eye.part]).std(axis=0)[eye.lids > 0.9].mean()
        assert eyes[:, index].std(axis=0)[eye.lids > 0.9].mean() < 0.4 * apart


def test_what_shows_nothing_stays_as_it_is():
    textures = np.full((9, space().template.side, space().template.side, 3), 0.5, np.float32)
    eyes, _ = eyes_of(
        textures,
        np.zeros(textures.shape[:3], np.float32),
        np.zeros((9, 4), np.float32),
        np.zeros((9, 2), np.float32),
        space(),
    )
    assert (eyes == 128).all()
