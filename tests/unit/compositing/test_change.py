"""What the performer's picture tells: nothing where it is unseen or only the light changed; else the donor's face follows."""

from __future__ import annotations

from functools import cache

import numpy as np

from bianlian.compositing.change import change, surely
from bianlian.compositing.perform import Role, cast_role
from bianlian.imaging.face_space import SMALL
from bianlian.imaging.light import TERMS, relit
from bianlian.records.arrays import F32
from tests.faces import space
from tests.unit.compositing.test_stage import appearance, footage, performer

EVERYWHERE = np.ones((SMALL, SMALL), np.float32)
DARK = np.zeros((TERMS, 3), np.float32)
MOUTH = (slice(80, 100), slice(50, 78))


@cache
def role() -> Role:
    return cast_role(appearance(), performer(), space())


def usual() -> F32:
    return role().performer.usual


def darker_mouth() -> F32:
    worn = usual().copy()
    worn[MOUTH] *= 0.6
    return worn


def test_other_light_is_no_change() -> None:
    light = DARK.copy()
    light[0], light[1] = -0.5, 0.2
    lit = relit(usual(), space().light, light)
    assert np.abs(change(lit, EVERYWHERE, performer().under(light, space())) - 1).max() < 0.05


def test_what_a_flash_burns_out_is_no_change() -> None:
    light = DARK.copy()
    light[0] = 1
    burnt = np.minimum(relit(usual(), space().light, light), 1)
    assert np.abs(change(burnt, EVERYWHERE, performer().under(light, space())) - 1).max() < 0.05


def test_what_is_not_seen_changes_nothing() -> None:
    unseen = np.zeros_like(EVERYWHERE)
    assert np.array_equal(change(darker_mouth(), unseen, usual()), np.ones_like(usual()))


def test_the_donor_follows_a_change_of_the_performer() -> None:
    (_, (tracked,)), *_ = footage()
    features = role().features(tracked.face, tracked.face.pose.rotation.astype(np.float64))
    bright, dark = (
        role().texture(features, change(worn, EVERYWHERE, usual()), EVERYWHERE) for worn in (usual(), darker_mouth())
    )
    inside = tuple(slice(part.start + 4, part.stop - 4) for part in MOUTH)
    assert 0.5 < dark[inside].mean() / bright[inside].mean() < 0.75
    assert abs(dark[20:60].mean() / bright[20:60].mean() - 1) < 0.02


def test_what_lies_behind_a_turned_face_is_no_change_of_it() -> None:
    seen = np.ones((SMALL, SMALL), np.float32)
    seen[:, 90:] = 0
    nostril = slice(60, 66), slice(50, 56)
    seen[nostril] = 0
    sure = surely(seen)
    assert not sure[:, 87:].any()
    assert not sure[nostril].any()
    sure[nostril] = 1
    assert sure[:, :87].all()
