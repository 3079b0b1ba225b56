"""The donor's own eyes, from the moments of the capture in which they looked and blinked as the performer's do now.

A few components of change cannot hold an iris that wanders: it comes out as a smear. Real texels can. They are chosen softly, so
that eyes glide with the performer's and do not jump from one moment of the capture to another.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from bianlian.imaging.colour import threefold
from bianlian.imaging.face_space import Eye, FaceSpace
from bianlian.imaging.lids import SHUT
from bianlian.imaging.mesh import combined
from bianlian.imaging.performance import POSE, soft_step
from bianlian.records.appearance import Appearance
from bianlian.records.arrays import F32, U8
from bianlian.records.frame import Size

I64 = npt.NDArray[np.int64]
_LOOK, _BLINK, _TURN = 0.04, 0.2, 0.3
"""How far two moments may differ before one counts little for the other: irises, in widths of an eye; lids, in usual openings;
the head, in radians."""
_ROLLED = 0.15
"""How far an eyeball is turned at most, in widths of an eye, to look where the performer looks."""
_WIDE, _CLOSING = 0.8, 0.5
"""Openings between which the opening comes to tell all, counting `_STRICT` times, and where the eye looks counts `_ASIDE`: of
blinks a capture has few moments, and a mean over them is a smear. Worth .35 dB and .008 of SSIM in eyes that are half closed."""
_STRICT, _ASIDE = 4.0, 0.02
_MOMENTS = 12
"""How many moments are mixed. 3 are sharper still, but lose .4 dB in the eyes; all that are near win .05 dB and blur."""
_GAP = 4.0
"""Squared distance of the nearest moment from which on the others are told apart less sharply: eyes glide, too, between moments
that no capture joined, as an open and a shut eye."""
_OPEN = 0.7
"""The opening from which the donor's lids follow the performer's shades; from `SHUT` down they are all that is drawn."""
_INSIDE, _WHITE = 0.9, 3
"""What of an eye surely lies between the lids, and the part of that, one in so many, that is white in a usual look."""
_WHITEST = 0.25, 4.0
"""Between the palest and the darkest skins it is 3."""
_DARK = np.float32(0.02)
_UNSEEN = np.float32(0.001)
"""What an eye that was not seen counts at least, and its share of the mix: there must be an eye, though none better is known."""
_FINE = 0.012
"""Standard deviation, share of the template's side, of what counts as a shade."""


def with_eyes(texture: F32, appearance: Appearance, features: F32, look: F32, whites: F32, space: FaceSpace) -> F32:
    """`texture` (SxSx3 under the donor's mean light, changed in place) with the donor's eyes of such a moment.

    Args:
        features: the performance as the donor would have given it.
        look: 4, see `lids.lids`, openings in usual ones.
        whites: see `whites_between`.
    """
    apart = ((appearance.looks[:, :2] - look[:2]) ** 2).sum(axis=1) / _LOOK**2
    apart += ((appearance.covered[:, POSE] - features[POSE]) ** 2).sum(axis=1) / _TURN**2
    for index, (eye, opened) in enumerate(zip(space.eyes, openness(look), strict=True)):
        blink = (appearance.looks[:, 2 + index] - look[2 + index]) ** 2 / _BLINK**2
        closing = soft_step(look[2 + index], _WIDE, _CLOSING)
        weighed = apart * (1 - closing * (1 - _ASIDE)) + blink * (1 + closing * (_STRICT - 1))
        own = texture[eye.part]
        near, shares = _nearest(weighed, appearance.eyes_seen[:, index])
        aside = np.clip(look[0] - appearance.looks[near, 0], -_ROLLED, _ROLLED)
        moments = _rolled(appearance.eyes[near, index], aside, eye)
        missing = combined(np.zeros_like(own), shares / 255, moments) - own
        missing -= opened * cv2.GaussianBlur(missing, (0, 0), _FINE * texture.shape[0])
        own += threefold(eye.lids) * missing
        own *= 1 + threefold(opened * eye.ball) * (whites - 1)
    return texture


def openness(look: F32) -> F32:
    """2, 0..1: how far each eye is open, 0 where its lids are all that is to be seen."""
    return soft_step(look[2:], SHUT, _OPEN)


def whites_between(donor: F32, performer: F32, space: FaceSpace) -> F32:
    """3: what the donor's eyeballs are to be multiplied by so that their whites are as bright as the performer's.

    The tone that brings one skin to another must not fall on eyes: a dark face has as white eyes as a pale one. Both textures
    (square, one size) are of usual looks, the donor's in the performer's light and tone.
    """
    side = space.template.side
    bright: list[F32] = []
    for texture in (donor, performer):
        large = cv2.resize(texture, (side, side), interpolation=cv2.INTER_LINEAR)
        balls = np.concatenate([large[eye.part][eye.ball > _INSIDE] for eye in space.eyes])
        bright.append(balls[np.argsort(balls.sum(axis=1))[-len(balls) // _WHITE :]].mean(axis=0))
    return np.clip((bright[1] + _DARK) / (bright[0] + _DARK), *_WHITEST).astype(np.float32)


def _nearest(apart: F32, seen: F32) -> tuple[I64, F32]:
    """(K, K adding up to 1): the moments that are nearest, of N that lie `apart` (N, squared), each `seen` so well (N).

    The first that is left out gives the weight that counts as nothing, so that none comes or goes at once.
    """
    nearest = apart.min()
    weights = np.maximum(seen, _UNSEEN) * np.exp((nearest - apart) / (2 + nearest / _GAP))
    order = np.argsort(-weights, kind="stable")
    near = order[:_MOMENTS]
    least = weights[order[_MOMENTS]] if len(order) > _MOMENTS else 0
    shares = weights[near] - least + _UNSEEN * weights[near]
    return near, (shares / shares.sum()).astype(np.float32)


def _rolled(patches: U8, aside: F32, eye: Eye) -> U8:
    """`patches` (KxHxWx3, changed in place) with the eyeballs turned `aside` (K), in widths of the eye, under lids that stay."""
    ball = eye.ball[eye.opening]
    # One above the other, so that one call moves them all.
    pile = patches[:, *eye.opening].reshape(-1, ball.shape[1], 3)
    rows, columns = _places(pile.shape[:2])
    across, down = ((aside * way)[:, None, None] * ball for way in eye.across)
    columns, rows = columns - across.reshape(rows.shape), rows - down.reshape(rows.shape)
    pile = cv2.remap(pile, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    patches[:, *eye.opening] = pile.reshape(len(patches), *ball.shape, 3)
    return patches


@cache
def _places(size: Size) -> F32:
    """2xHxW: the row and the column of each pixel."""
    places = np.mgrid[: size[0], : size[1]].astype(np.float32)
    places.flags.writeable = False
    return places
