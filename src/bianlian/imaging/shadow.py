"""Cast shadows on a face, told by their asymmetry.

Nine smooth terms of light cannot hold the edge of a shadow, and what they leave over between two persons is beard, brows and
make-up as well. But a face is much the same on both sides, while light need not be: what differs from side to side in the
quotient of two faces is light. Smooth light from a side brightens the one as it darkens the other; a shadow only darkens. Which
of the two it is, the mean of both sides tells: under a shadow it is lower.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from bianlian.imaging.colour import threefold
from bianlian.imaging.light import COARSE, LightBasis
from bianlian.records.arrays import F32

_DARKEST = np.float32(4 / 255)
_UNSEEN = 0.02
"""Coded value under which a texel of a mean texture was hardly ever seen."""
_SOFT = 1.0
"""Coarse texels of blur: features that do not lie exactly on one another."""
_ALIKE = np.float32(0.08)
"""Log difference that the two sides of any face may have."""
_DEEP = 0.25
"""Log difference from which on, over a tenth of the face, there may be light from one side or a shadow. Ordinary light reads .11
to .21 on four pairs and .32 on a bearded one (which then has no part of a shadow), drawn shadows .32 to .65."""
_MISFIT = 0.15
_EVEN_TERMS = (0, 2, 3)
_HOLD = np.diag([0.0, 0.0, 0.1, 0.1])
_SHADOWS = 0.0005
"""Weight of the belief that it is a shadow, which decides where the picture does not. Light from a side read -.26 to .08 parts of
shadow on four rendered pairs, drawn shadows .54 to 1.3 on seven."""
_ROUNDS = 8


def cast_shadow(basis: LightBasis, donor: F32, performer: F32, drawn: npt.NDArray[np.bool_], plain: F32) -> F32:
    """COARSE x COARSE x 3: the factor by which cast shadows darken the `performer`; 1 where there is none, and everywhere under
    ordinary light.

    Args:
        donor, performer: mean textures, COARSE x COARSE x 3 coded RGB.
        drawn: COARSE x COARSE, where the donor is to be drawn.
        plain: COARSE x COARSE, 0..1: where both faces show plain skin.
    """
    known = (drawn & (performer.mean(axis=2) > _UNSEEN)).astype(np.float32)
    known *= known[:, ::-1]
    quotient = np.log(np.maximum(performer, _DARKEST) / np.maximum(donor, _DARKEST))
    weight = np.maximum(cv2.GaussianBlur(known, (0, 0), _SOFT), np.float32(1e-3))
    quotient = cv2.GaussianBlur(quotient * threefold(known), (0, 0), _SOFT) * threefold(known / weight)
    uneven = quotient - quotient[:, ::-1]
    if not known.any() or np.percentile(uneven.mean(axis=2)[known > 0], 10) > -_DEEP:
        return np.ones((COARSE, COARSE, 3), np.float32)
    darker = np.minimum(uneven + _ALIKE, np.float32(0))
    chosen = np.minimum(plain, plain[:, ::-1]) * known > 0.25
    middle = ((quotient + quotient[:, ::-1]) / 2).mean(axis=2)[chosen]
    lower = ((darker + darker[:, ::-1]) / 2).mean(axis=2)[chosen]
    rows = basis.coarse.reshape(COARSE, COARSE, -1)[chosen][:, _EVEN_TERMS]
    return np.exp(darker * np.float32(_part_of(middle, lower, rows)))


def _part_of(middle: F32, lower: F32, rows: F32) -> float:
    """0..1: how far the mean of both sides (N log quotients) follows what shadows would take from it (`lower`, N), beside smooth
    light (`rows`, Nx3), robustly."""
    if len(middle) < 4 * len(_HOLD):
        return 0.0
    terms = np.column_stack([lower, rows]).astype(np.float64)
    trust, found = np.ones(len(terms)), np.zeros(terms.shape[1])
    for _ in range(_ROUNDS):
        weighted = terms * trust[:, None]
        normal, wanted = weighted.T @ terms + _HOLD * len(terms), weighted.T @ middle
        normal[0, 0] += _SHADOWS * len(terms)
        wanted[0] += _SHADOWS * len(terms)
        found = np.linalg.solve(normal, wanted)
        trust = 1 / (1 + ((middle - terms @ found) / _MISFIT) ** 2)
    return float(np.clip(found[0], 0, 1))
