"""A donor's glasses are taken off: on another face they would be a flat drawing that ends where the donor's share does."""

from __future__ import annotations

import numpy as np

from bianlian.imaging.face_space import FaceSpace, small
from bianlian.imaging.glasses import WORN, around, glasses_finder
from bianlian.imaging.performance import enlarged
from bianlian.learning.detail import weighted_mean
from bianlian.learning.unseen import filled_in
from bianlian.records.arrays import F32

_KNOWN = np.float32(0.1)
"""Share of a texel's sightings in which no glasses are before it, from which on it is known. A rim slides over the skin as a head
turns and nods."""


def without_glasses(textures: F32, seen: F32, weights: F32, mean: F32, space: FaceSpace) -> F32:
    """The `mean` (SxSx3) of a donor who wears no glasses; of one who does, without them, and `textures` lose them in place.

    Args:
        textures: NxSxSx3 coded RGB under one light, and how well each texel was `seen`, NxSxS.
        weights: N, how much each counts in the mean.
    """
    find = glasses_finder(space)
    looks = [(small(texture), small(part)) for texture, part in zip(textures, seen, strict=True)]
    if find.share_worn(looks) < WORN:
        return mean
    worn = np.stack([enlarged(around(find(*look)), seen.shape[1]) for look in looks])
    bared = seen * (1 - worn)
    bare = filled_in(weighted_mean(textures, bared, weights), _known(seen, bared, weights))
    for index, glasses in enumerate(worn):
        textures[index] += glasses[..., None] * (bare - textures[index])
    return np.clip(weighted_mean(textures, seen, weights), 0, 1)


def _known(seen: F32, bared: F32, weights: F32) -> F32:
    """SxS, 0..1: how surely a texel is known, from how well it is `seen` and how well `bared` of glasses (NxSxS)."""
    with_any, without = (np.einsum("n,nij->ij", weights, part) for part in (seen, bared))
    return np.clip(without / np.maximum(with_any, 1e-3) / _KNOWN, 0, 1).astype(np.float32)
