"""Where the donor's face passes into the performer's: an ellipse around the eyes, brows and beards beyond it, and the chin.

Axes are the image's, vertices centimetres, as in `imaging.shape`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bianlian.imaging.shape import F64, place
from bianlian.imaging.template import BROWS, IRISES, LOWER_LIDS, UPPER_LIDS
from bianlian.records.face import Face

_HALF_WIDTH, _HALF_HEIGHT, _DEPTH, _FADES = 1.12, 1.38, 0.62, 0.22
"""The ellipse, in distances of the eyes: half its axes, how far its middle lies below theirs; and the share of it over which it
fades out, outermost."""
_HAIR = 0.45
"""Height above the eyes, in units of their distance, from which landmarks follow the hair line more than the skull."""
_CHIN, _SETTLED = 1.54, 0.3
"""Depth below the eyes, in units of their distance, from which there is only chin; and how often the performer's must be seen at
rest to decide as much of the donor's place as the seam: over 72 synthetic pairs the donor's points come 9 % nearer to the truth
than by the seam alone, in height 22 % (docs/engine.md). The chin of a mouth that hardly ever closes says little."""
_REACH, _OWN_REACH, _BEARD_REACH = 1.1, 1.05, 1.6
"""How far the share runs out beyond the ellipse: of what is learnt and of the donor's shape, on the canonical face; of what is
drawn on a performer's own; and for the beard that a performer wears, to the outline of the jaw and the ears (docs/engine.md)."""
_NARROW, _WIDE = 0.92, 1.1
"""The least and the most of the distance of the eyes' middles that pupils stand apart: .96 to 1.07 on nine synthetic heads."""
_SQUARELY = 6
"""The power of the cosine of the head's turn by which a frame counts less for it."""
_BESIDE_BROWS = 0.7, 2.2
"""Centimetres beside them up to which the donor's share is whole, and from which it is none more for their sake."""
_OFF_BROWS = 0.6, 1.2
"""Centimetres from the brows' outlines up to which there are brows only, and from which whatever is dark is hair."""
_BESIDE_EYES = 4.8, 5.6
"""The same from the middle line, beside the eyes and the cheeks: outer corners of eyes lie at 4.5."""
_NOSE, _MOUTH = 2, 61
"""Landmarks under the nose and in the corner of the mouth, between which a beard may begin."""


def seam_weights(vertices: F64) -> tuple[F64, F64, F64, F64]:
    """(share, beard, rim, chin) of the canonical face: the donor's share of each vertex, 1 inside to 0 at the outline; what it
    may grow to where the performer wears a beard; the band along the seam and the chin (0 or 1).

    Brows, nose, mouth and chin are the donor's, forehead, temples and ears the performer's.
    """
    local = _from_the_eyes(vertices) / _eyes_apart(vertices)
    radius = _radius(local)
    below_eyes = np.clip(local[:, 1] / 0.3, 0, 1)
    rim = ((radius > 0.6) & (radius < 0.95) & (-local[:, 1] < _HAIR)).astype(np.float64)
    chin = (local[:, 1] > _CHIN).astype(np.float64)
    return _within(radius, _REACH), _within(radius, _BEARD_REACH) * below_eyes, rim, chin


def own_share(neutral: F64, pupils: float) -> F64:
    """468, 0..1: the donor's share of each vertex of a performer's own face, whose `pupils` are so many centimetres apart.

    Faces differ in how far their eyes stand apart for their size, and the seam goes with the eyes.
    """
    apart = _eyes_apart(neutral)
    return _within(_radius(_from_the_eyes(neutral) / np.clip(pupils, _NARROW * apart, _WIDE * apart)), _OWN_REACH)


def pupils_apart(faces: Sequence[Face], neutral: F64, basis: F64, weights: F64) -> float:
    """Centimetres between the pupils of a person of known neutral shape, seen in these `faces`.

    The middles of lids say less of it, by 3 % either way on nine synthetic heads.
    """
    found, worth = np.empty(len(faces)), np.empty(len(faces))
    for index, face in enumerate(faces):
        placement = place(neutral, basis, weights, face)
        across = placement.rotation[:2, 0]
        squarely = float(across @ across)
        between = np.diff(face.points_image[list(IRISES), :2], axis=0)[0]
        found[index] = (between @ across) / max(placement.scale * squarely, 1e-6)
        worth[index] = squarely ** (_SQUARELY / 2)
    return float(np.average(found, weights=worth))


def anchor_weights(rim: F64, chin: F64, settled: F64) -> F64:
    """468, together 1: what tells the donor's place on the performer. The donor's chin ends where the performer's does, as far as
    that is known; the seam tells the rest.

    Args:
        settled: 468, 0..1: how often each of the performer's points is seen at rest, see `shape.at_rest`.
    """
    seen = float(settled @ chin) / chin.sum()
    holds = seen**2 / (seen**2 + _SETTLED**2)
    return holds * chin / chin.sum() + (1 - holds) * rim / rim.sum()


def brow_weights(vertices: F64) -> tuple[F64, F64]:
    """(brows, hair), 468 each, 0..1: the donor's share that each vertex has at least, so that none of the performer's brows show
    beside the donor's; and where hair may hang, above the brows and beside the eyes and the cheeks."""
    brows = vertices[np.concatenate(BROWS)]
    apart = np.linalg.norm(vertices[:, None] - brows, axis=2)
    away, above = apart.min(axis=1), vertices[:, 1] < brows[apart.argmin(axis=1), 1]
    beside = _rising(np.abs(vertices[:, 0]), *_BESIDE_EYES) * (
        1 - _rising(vertices[:, 1], *vertices[[_NOSE, _MOUTH], 1])
    )
    return 1 - _rising(away, *_BESIDE_BROWS), np.maximum(above, beside) * _rising(away, *_OFF_BROWS)


def _rising(values: F64, low: float, high: float) -> F64:
    return np.clip((values - low) / (high - low), 0, 1)


def _eyes(vertices: F64) -> F64:
    """2x3: the middles of the lids, the eye on the left of the picture first."""
    lids = zip(UPPER_LIDS, LOWER_LIDS, strict=True)
    return np.stack([vertices[sorted({*upper, *lower})].mean(axis=0) for upper, lower in lids])


def _eyes_apart(vertices: F64) -> float:
    return float(np.linalg.norm(np.diff(_eyes(vertices), axis=0)))


def _from_the_eyes(vertices: F64) -> F64:
    return vertices - _eyes(vertices).mean(axis=0)


def _radius(local: F64) -> F64:
    """1 on the ellipse; `local` is in distances of the eyes, from their middle."""
    return np.hypot(local[:, 0] / _HALF_WIDTH, (_DEPTH - local[:, 1]) / _HALF_HEIGHT)


def _within(radius: F64, reach: float) -> F64:
    inside = np.clip((1 - radius / reach) / _FADES, 0, 1)
    return inside * inside * (3 - 2 * inside)
