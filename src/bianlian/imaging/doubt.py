"""How far a shape that was solved from pictures may be off, and how much of a difference between two shapes that leaves.

Two halves of a clip are two looks at one person, so what their shapes differ by is error. Where a head hardly turns it is as
large as what sets one person apart from another, and drawing it moves a face for nothing: most of all where somebody plays
themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bianlian.imaging.face_space import FaceSpace
from bianlian.imaging.performance import soft_step
from bianlian.imaging.seam import anchor_weights
from bianlian.imaging.shape import F64, at_rest, donor_offset, neutral_shape, resting_expression
from bianlian.records.arrays import F32
from bianlian.records.face import Face

_ENOUGH = 16
"""Faces from which on two halves tell something."""
_ROUNDS = 5
"""Of the solving of a half; ten find it 4 % farther from the other."""
_QUARTERS = 4
"""A half is every other quarter: two halves in a row would differ by what is done in them, too."""
_NOTHING, _ALL = 1.5, 3.0
"""Mean square of a difference over that of its error: up to the first it is not drawn at all, from the second on whole. Of eleven
people drawn on themselves eight read less than 2.1, of 72 pairs of two persons two (docs/engine.md)."""


def apart(donor: F64, performer: F64, settled: F64, space: FaceSpace) -> F32:
    """468x3 centimetres, in the performer's head frame: what to add to the performer's points to get the donor's whole face, see
    `shape.donor_offset`; `settled` as in `seam.anchor_weights`."""
    return donor_offset(
        donor, performer, np.ones(len(donor)), space.rim, anchor_weights(space.rim, space.chin, settled)
    )


def shape_doubt(faces: Sequence[Face], space: FaceSpace) -> float:
    """Centimetres, root mean square over the donor's share, that the shape solved from a clip's `faces` (in order of time) may be
    off; 0 where they are too few to tell."""
    if len(faces) < _ENOUGH:
        return 0.0
    quarters = [_QUARTERS * place // len(faces) for place in range(len(faces))]
    halves = [[face for face, quarter in zip(faces, quarters, strict=True) if quarter % 2 == half] for half in (0, 1)]
    one, other = (_at_rest_shape(half, space) for half in halves)
    # The mean of two looks is off by half of what they differ by.
    return _size(apart(one, other, at_rest(faces, space.expressions)[1], space), space) / 2


def credence(difference: F32, doubts: tuple[float, float], space: FaceSpace) -> float:
    """0..1: how much of the difference between two shapes (468x3, see `apart`) is theirs, where each may be off so far."""
    error = np.hypot(*doubts)
    return float(soft_step(np.array(_size(difference, space) ** 2 / max(error**2, 1e-9), np.float32), _NOTHING, _ALL))


def _at_rest_shape(faces: Sequence[Face], space: FaceSpace) -> F64:
    neutral = neutral_shape(faces, space.canonical, space.expressions, space.pose_weights, rounds=_ROUNDS)
    return neutral + np.tensordot(resting_expression(faces).astype(np.float64), space.expressions, 1)


def _size(difference: F32, space: FaceSpace) -> float:
    """Root mean square over the donor's share of what a difference (468x3) moves in a picture from the front."""
    return float(np.sqrt(np.average((difference[:, :2] ** 2).sum(axis=1), weights=space.share)))
