"""How unsteady the skin is where it lies: what the eye calls flicker.

The difference to the truth from frame to frame (`metrics.flicker`) also counts texture that stands a pixel off and rightly moves
along. Here the face is unwrapped through the truth's own landmarks: the head's motion is taken out, and whatever boils, jumps or
swims over the face is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from bianlian.imaging.metrics import Mask
from bianlian.imaging.template import Template, unwrap
from bianlian.records.arrays import F32, U8
from bianlian.records.face import TrackedFace

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
        changes = [_second_difference(*three) for three in zip(skins, skins[1:], skins[2:], strict=False)]
        known = [change for change in changes if change is not None]
        return float(np.mean(known)) if known else float("nan")

    def _unwrapped(self, picture: U8, points: F32 | None, inside: Mask) -> F32 | None:
        """The luma over the template; NaN where it does not count."""
        if points is None:
            return None
        luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        skin, counts = (unwrap(image, points, self.template) for image in (luma, inside.astype(np.float32)))
        return np.where(counts.astype(np.float32) > _WHOLLY, skin, np.float32(np.nan)).astype(np.float32)


def largest_points(faces: Iterable[tuple[TrackedFace, ...]]) -> list[F32 | None]:
    """Landmarks (pixels) of the largest face of each frame; None where there is none."""
    return [max(found, key=lambda one: one.face.box.height).face.points_image if found else None for found in faces]


def _second_difference(before: F32 | None, now: F32 | None, after: F32 | None) -> float | None:
    if before is None or now is None or after is None:
        return None
    change = np.abs(before - 2 * now + after)
    return float(np.nanmean(change)) if np.isfinite(change).any() else None
