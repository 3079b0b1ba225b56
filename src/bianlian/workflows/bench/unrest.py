"""How unsteady the skin is where it lies: what the eye calls flicker.

The difference to the truth from frame to frame (`metrics.flicker`) also counts texture that stands a pixel off and rightly moves
along. Here the face is unwrapped through the truth's own landmarks: the head's motion is taken out, and whatever boils, jumps or
swims over the face is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from bianlian.imaging.metrics import Mask
from bianlian.imaging.template import Template, unwrap
from bianlian.records.arrays import F32, U8

_WHOLLY = 0.99
"""Share of a texel that must lie inside."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrueSkin:
    """Where the skin of the perfect swap lies in each of N frames."""

    points: Sequence[F32 | None]
    """N: landmarks in pixels; None where no face is found."""
    inside: Sequence[Mask]
    template: Template

    def unrest(self, pictures: Sequence[U8]) -> float:
        """Mean absolute second difference over time of the luma (0..255) of N `pictures`; NaN if no three in a row show it."""
        skins = list(map(self._unwrapped, pictures, self.points, self.inside))
        changes = (np.abs(one - 2 * two + three) for one, two, three in zip(skins, skins[1:], skins[2:], strict=False))
        known = [float(np.nanmean(change)) for change in changes if np.isfinite(change).any()]
        return float(np.mean(known)) if known else float("nan")

    def _unwrapped(self, picture: U8, points: F32 | None, inside: Mask) -> F32:
        """The luma over the template; NaN where it does not count."""
        nothing = np.full((self.template.side, self.template.side), np.nan, np.float32)
        if points is None:
            return nothing
        luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        skin, counts = (unwrap(image.astype(np.float32), points, self.template) for image in (luma, inside))
        return np.where(np.asarray(counts, np.float32) > _WHOLLY, np.asarray(skin, np.float32), nothing)
