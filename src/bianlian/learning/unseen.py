"""What a capture never shows is filled in from around: what is behind a donor's glasses, and the sides of a face that hardly
turns, where the outline of the landmarks lies on the background."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.imaging.face_space import FaceSpace
from bianlian.imaging.performance import soft_step
from bianlian.imaging.template import openings
from bianlian.records.arrays import F32

_EDGE = 0.03
"""Share of the side over which a texel comes to be as good as others: the landmarks' outline of a jaw lies up to half of this
beside it."""
_REACH = (0.01, 0.02, 0.04, 0.08)
"""Standard deviations, shares of the template's side, over which what is never seen is filled in from around: from near first."""
_ENOUGH = np.float32(0.05)
"""How much of what is around must be known for that."""
_BEST = 0.9
"""Quantile of a texel's visibilities that says how well it is seen: a side is seen well in some frames of a head that turns."""
_OBLIQUE, _SQUARE = 0.5, 0.9
"""Visibility up to which a texel is not known, and from which it is. Of two donors who turn their heads by 32° all is seen
squarely; 99 % of what is drawn is above .4 for one who turns less, 90 and 88 % for two who hardly do."""


def with_sides(mean: F32, seen: F32, space: FaceSpace) -> F32:
    """The `mean` (SxSx3) of textures that are `seen` so well (NxSxS), its sides filled in where none shows them squarely."""
    inside = space.template.inside.astype(np.uint8)
    from_outline = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_5) / (_EDGE * len(mean))
    best = np.minimum(np.quantile(seen, _BEST, axis=0), from_outline)
    return filled_in(mean, np.maximum(soft_step(best, _OBLIQUE, _SQUARE), openings(space.template)))


def filled_in(texture: F32, known: F32) -> F32:
    """`texture` (SxSx3) where it is `known` (SxS, 0..1), and elsewhere what is known around."""
    for reach in _REACH:
        spread = reach * len(texture)
        there = cv2.GaussianBlur(known, (0, 0), spread)
        around_it = cv2.GaussianBlur(texture * known[..., None], (0, 0), spread) / np.maximum(there, 1e-6)[..., None]
        texture = texture + ((1 - known) * (there > 0))[..., None] * (around_it - texture)
        known = np.maximum(known, (there > _ENOUGH).astype(np.float32))
    return texture
