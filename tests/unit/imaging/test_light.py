"""Light passes over between textures, features do not."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bianlian.imaging.face_space import plain_skin
from bianlian.imaging.light import COARSE, TERMS, TWO_FACES, factor, light_between
from tests.faces import space


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-0.3, 0.3), min_size=3 * 4, max_size=3 * 4))
def test_a_light_that_the_harmonics_can_say_is_found(values: list[float]) -> None:
    light = np.zeros((TERMS, 3), np.float32)
    light[:4] = np.array(values, np.float32).reshape(4, 3)
    texture = np.full((COARSE, COARSE, 3), 0.4, np.float32)
    lit = texture * factor(space().light, light)
    found = light_between(space().light, lit, texture, space().skin)
    skin = space().skin > 0.5
    ratio = factor(space().light, found)[skin] / factor(space().light, light)[skin]
    assert np.abs(np.log(ratio)).mean() < 0.15


def test_light_that_burns_out_a_part_is_found_by_the_rest() -> None:
    light = np.zeros((TERMS, 3), np.float32)
    light[0], light[1] = 0.8, 0.2
    texture = np.random.default_rng(1).uniform(0.3, 0.6, (COARSE, COARSE, 3)).astype(np.float32)
    lit = texture * factor(space().light, light)
    assert (lit[space().skin > 0.5] > 1).mean() > 0.3
    found = light_between(space().light, np.minimum(lit, 1), texture, space().skin)
    assert np.abs(found[0] - light[0]).max() < 0.05


def test_a_dark_spot_does_not_pass_for_light() -> None:
    texture = np.full((COARSE, COARSE, 3), 0.5, np.float32)
    spotted = texture.copy()
    spotted[40:46, 16:22] = 0.05
    found = light_between(space().light, spotted, texture, space().skin)
    assert np.abs(np.log(factor(space().light, found)[space().skin > 0.5])).mean() < 0.1


def test_between_two_people_a_feature_stays_a_feature() -> None:
    other = np.full((COARSE, COARSE, 3), 0.5, np.float32)
    hollow = other.copy()
    hollow[16:28, 8:56] = 0.35
    alone = light_between(space().light, hollow, other, space().skin)
    between = light_between(space().light, hollow, other, space().skin, holds=TWO_FACES)
    assert np.abs(between[4:]).sum() < 0.5 * np.abs(alone[4:]).sum()


def test_nothing_seen_means_no_change() -> None:
    texture = np.full((COARSE, COARSE, 3), 0.5, np.float32)
    assert not light_between(space().light, texture * 2, texture, np.zeros((COARSE, COARSE), np.float32)).any()


def test_a_beard_is_no_plain_skin() -> None:
    texture = np.full((COARSE, COARSE, 3), 0.6, np.float32)
    texture[44:] = 0.15
    skin = plain_skin(space(), texture + np.linspace(0, 0.02, COARSE, dtype=np.float32)[:, None, None])
    assert skin[46:].max() == 0
    assert skin[:20].max() > 0.6


def test_light_from_a_side_is_found_in_full_between_two_people() -> None:
    light = np.zeros((TERMS, 3), np.float32)
    light[1] = 0.8
    texture = np.full((COARSE, COARSE, 3), 0.4, np.float32)
    found = light_between(space().light, texture * factor(space().light, light), texture, space().skin, holds=TWO_FACES)
    assert np.abs(found[1] - light[1]).max() < 0.03
