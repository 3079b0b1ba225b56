"""A bearded performer under a donor without a beard: nothing of it peeps out, and it does not mottle the donor's skin."""

from __future__ import annotations

from functools import cache

import numpy as np

from bianlian.compositing.perform import cast_role
from bianlian.compositing.performer import Performer, study
from bianlian.compositing.stage import Cast, compose
from bianlian.learning.interface import Identity
from bianlian.learning.levels import draft_learner
from bianlian.learning.samples import collect
from bianlian.records.arrays import F32
from bianlian.records.composite import Composite
from bianlian.records.progress import Silent
from tests.faces import COMMITMENT, DONOR_ID, grant, space, tracked
from tests.unit.compositing.test_stage import appearance, performer

BEARDED = "bench/b3_capture.mp4"
CHIN, NOSE = 152, 4


@cache
def bearded() -> Performer:
    return study(tracked(BEARDED, 12, 0, 12), space())


@cache
def composed() -> tuple[Composite, ...]:
    cast = {1: Cast(grant=grant(), appearance=appearance(), performer=bearded())}
    return tuple(compose(((frame, (face,)) for frame, face in tracked(BEARDED, 3, 0, 12)), cast, space()))


def under_the_chin(luma: F32, points: F32) -> float:
    """Mean luma from the landmarks' lowest point to where a beard ends, a little to both sides."""
    (x, y), height = points[CHIN, :2], float(np.ptp(points[:, 1]))
    return float(luma[round(y) : round(y + 0.02 * height), round(x - 0.06 * height) : round(x + 0.06 * height)].mean())


def test_no_rim_of_a_beard_stays_under_a_chin_without_one() -> None:
    for (frame, face), composite in zip(tracked(BEARDED, 3, 0, 12), composed(), strict=True):
        points = face.face.points_image
        before, after = (under_the_chin(one.planes[0].astype(np.float32), points) for one in (frame, composite.frame))
        assert after > 1.15 * before


def test_a_moving_beard_does_not_change_the_donors_skin() -> None:
    role, plain = (cast_role(appearance(), who, space()) for who in (bearded(), performer()))
    across, down = (space().template.uv[CHIN] * 128 / space().template.side).astype(int)
    chin = (slice(down - 14, down - 6), slice(across - 6, across + 6))
    assert role.heed[chin].mean() < 0.3
    assert plain.heed[chin].mean() > 0.9
    across, down = (space().template.uv[NOSE] * 128 / space().template.side).astype(int)
    assert role.heed[down - 4 : down + 4, across - 4 : across + 4].min() > 0.9


def test_a_donors_beard_ends_where_their_share_does() -> None:
    lesson = collect(tracked(BEARDED, 12, 0, 12), space(), limit=12)
    identity = Identity(donor_id=DONOR_ID, template_commitment=COMMITMENT)
    beard = draft_learner(space()).fit(lesson, identity, seed=0, reporter=Silent())
    to_bare, to_bearded = cast_role(beard, performer(), space()), cast_role(appearance(), bearded(), space())
    jaw = [58, 172, 288, 397]
    assert to_bare.share[jaw].max() < 0.5
    assert to_bearded.share[jaw].mean() > 0.7
