"""Glasses that somebody wears: a performer's stay in front of the donor's face, and a donor's are not learnt.

Worn all through, they are part of a person's usual look, and nothing that is compared with it finds them; painted over, a
performer's rims end where the donor's face does. So a network looks for them in the picture itself, in what stands out from the
skin. Trained on renderings of synthetic performers with drawn glasses, whose mattes are exact (docs/engine.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from bianlian.imaging.colour import LUMA
from bianlian.imaging.face_space import SMALL, FaceSpace
from bianlian.imaging.network import Network, read_network
from bianlian.imaging.performance import soft_step
from bianlian.imaging.template import EYES, filled
from bianlian.records.arrays import F32

_FLOOR = np.float32(0.03)
"""Added to coded values before their logarithm: darkness tells little."""
_BROAD = 1 / 16
"""Standard deviation, share of the texture's side, of what is skin and light and not glasses."""
_LIKELY, _CERTAIN, _NEAR = (-0.5, 1.0), (1.5, 2.5), 15
"""Log odds from which on, and at which in full, a texel counts as glasses; and what they must be somewhere in the square of so
many texels around it: a thin rim is plain in places only."""
_PLAIN, _LEAST = 2.0, 0.01
"""Log odds at which a texel is plainly one of glasses, and the share of the donor's part of the face that must be plain."""
_WARY = 3.0
"""Log odds more that it takes in the eyes: rims and dark panes reach them, but a performer's eyes must not be shown because of a
reflection on the glass before them."""
_LIDS = 7
"""Texels, twice the width around an eye's opening that belongs to it and one."""
_BRIDGED = 2.0
"""Log odds that must be reached on the bridge of the nose: dark locks and lashes lie on both sides of it, glasses across."""
_BRIDGE = (168, 6, 197, 193, 417, 122, 351, 8)
"""Landmarks around it."""
WORN = 0.25
"""Share of the looks at a person in which glasses must be plain, for them to be looked for in every frame."""
_LOOKS = 12
"""In how many looks they are looked for, to know whether any are worn."""
_BESIDE = 5
"""Texels, twice the width of the edge that glasses tinge and one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GlassesFinder:
    """Finds the glasses in one texture of a face."""

    network: Network
    region: F32
    """SMALL x SMALL, 0 or 1: what of the face a donor's is drawn on."""
    bridge: F32
    """SMALL x SMALL, 0 or 1: the bridge of the nose."""
    wary: F32
    """SMALL x SMALL: the log odds more that it takes, `_WARY` in the eyes."""

    def __call__(self, texture: F32, seen: F32) -> F32:
        """SMALL x SMALL, 0..1: what of a face that wears some is glasses: rims, arms, dark panes.

        Args:
            texture: SMALL x SMALL x 3 coded RGB.
            seen: SMALL x SMALL, how well the face is seen.
        """
        odds = self._odds(texture, seen)
        near = cv2.dilate(odds * self.region, np.ones((_NEAR, _NEAR)))
        return np.minimum(soft_step(odds - self.wary, *_LIKELY), soft_step(near, *_CERTAIN)) * self.region

    def are_worn(self, texture: F32, seen: F32) -> bool:
        """Whether this texture plainly shows glasses."""
        odds = self._odds(texture, seen)
        plain = ((odds > _PLAIN) * self.region).sum() > _LEAST * self.region.sum()
        return bool(plain and (cv2.blur(odds, (3, 3))[self.bridge > 0] > _BRIDGED).any())

    def share_worn(self, looks: Sequence[tuple[F32, F32]]) -> float:
        """0..1: in which share of `looks` (texture, seen), of which a few are looked at, glasses are worn."""
        return float(np.mean([self.are_worn(*look) for look in looks[:: max(1, len(looks) // _LOOKS)]]))

    def _odds(self, texture: F32, seen: F32) -> F32:
        half = cv2.resize(seen, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        return self.network(_standing_out(texture), half[None])


def glasses_finder(space: FaceSpace) -> GlassesFinder:
    """The finder with the network as it comes with the program."""
    corners = np.rint(space.small.uv[list(_BRIDGE)]).astype(np.int32)
    lids = np.ones((_LIDS, _LIDS))
    return GlassesFinder(
        network=read_network("glasses"), region=(space.small.spread(space.share) > 0).astype(np.float32),
        bridge=cv2.fillConvexPoly(np.zeros((SMALL, SMALL), np.float32), cv2.convexHull(corners), 1.0),
        wary=np.float32(_WARY) * cv2.dilate(filled(space.small, *EYES), lids),
    )  # fmt: skip


def around(worn: F32) -> F32:
    """SxS, 0..1: the glasses that are `worn` (SxS) with what they tinge: their edges and the shade beside them."""
    return cv2.dilate(worn, np.ones((_BESIDE, _BESIDE)))


def _standing_out(texture: F32) -> F32:
    """3xSxS: how much brighter, redder and bluer than its surroundings, in log units."""
    logs = np.log(np.maximum(texture, 0) + _FLOOR)
    red, green, blue = cv2.split(logs)
    tones = cv2.merge((cv2.transform(logs, LUMA[None]), red - green, blue - green))
    apart = tones - cv2.GaussianBlur(tones, (0, 0), _BROAD * len(texture))
    return np.ascontiguousarray(np.clip(apart, -2, 2).transpose(2, 0, 1))
