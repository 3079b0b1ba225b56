"""What comes before the donor's face during the capture - a hand, a microphone, a strand of hair - is not learnt."""

from __future__ import annotations

import numpy as np

from bianlian.imaging.face_space import FaceSpace, small
from bianlian.imaging.light import coarse
from bianlian.imaging.occlusion import OccluderFinder, fine, occluder_finder, stray
from bianlian.imaging.performance import enlarged
from bianlian.learning.detail import weighted_mean
from bianlian.records.arrays import F32

_ROUNDS = 2
"""The first mean still shows what it is to be rid of."""
_UNLIKE = np.float32(0.25)
"""Log difference from the mean at which a texel counts half in it before anything is known to be in front."""
_CLEAR = 0.02
"""Share of the face hidden at which a frame hardly serves for grain any more: the edge of a hand is sharper than any skin."""


def uncovered(textures: F32, seen: F32, weights: F32, mean: F32, space: FaceSpace) -> tuple[F32, F32, F32]:
    """(mean, seen, clear): the mean of a donor's textures, SxSx3, and how well each texel of each is seen, NxSxS, both without
    what is in front; and how free of that each texture is, N, 0..1.

    Args:
        textures: NxSxSx3 coded RGB under one light, and how well each texel was `seen`, NxSxS.
        weights: N, how much each counts in the mean.
        mean: SxSx3, of all that was seen.
    """
    find, shown, coarsely = occluder_finder(space), seen.copy(), np.stack([coarse(part) for part in seen])
    trust, hidden = coarsely / (1 + (_strays(textures, mean) / _UNLIKE) ** 2), np.zeros_like(coarsely)
    for _ in range(_ROUNDS):
        hidden = _hidden(textures, seen, mean, trust, find)
        for index, part in enumerate(hidden):
            shown[index] = seen[index] * (1 - enlarged(part, seen.shape[1]))
        mean, trust = np.clip(weighted_mean(textures, shown, weights), 0, 1), coarsely * (1 - hidden)
    share = space.coarse_share()
    covered = (hidden * share).sum(axis=(1, 2)) / share.sum()
    return mean, shown, np.exp(-((covered / _CLEAR) ** 2)).astype(np.float32)


def _hidden(textures: F32, seen: F32, mean: F32, trust: F32, find: OccluderFinder) -> F32:
    """N x COARSE x COARSE, 0..1: what of each texture is hidden, by how far it is from the `mean`, and by how far all of them
    usually are where there is `trust` in them (N x COARSE x COARSE)."""
    tolerance = (_strays(textures, mean) * trust).sum(axis=0) / np.maximum(trust.sum(axis=0), np.float32(1e-3))
    expected = small(mean)
    usual = fine(expected)
    return np.stack([
        find(small(texture), small(part), expected, usual, tolerance)
        for texture, part in zip(textures, seen, strict=True)
    ])  # fmt: skip


def _strays(textures: F32, mean: F32) -> F32:
    """N x COARSE x COARSE, see `occlusion.stray`."""
    return np.stack([stray(coarse(texture), coarse(mean)) for texture in textures])
