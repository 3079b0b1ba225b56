"""Eyes look where the performer looks and close when theirs do; whites stay white."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from bianlian.compositing.eyes import whites_between, with_eyes
from bianlian.imaging.colour import threefold
from bianlian.imaging.lids import lids, shut, with_shut
from bianlian.imaging.template import EYES, LOWER_LIDS, UPPER_LIDS
from bianlian.records.appearance import Appearance
from bianlian.records.arrays import F32
from tests.faces import space, tracked
from tests.unit.compositing.test_stage import appearance

SAME = np.ones(3, np.float32)


def open_face() -> F32:
    return tracked("demo/demo_footage.mp4", 1)[0][1].face.points_image.copy()


def drawn(donor: Appearance, moment: int, opening: float | None = None) -> F32:
    """The mean face with the eyes of a moment of the capture, or with those eyes opened so far."""
    look = donor.looks[moment].copy()
    if opening is not None:
        look[2:] = opening
    return with_eyes(donor.mean.copy(), donor, donor.covered[moment], look, SAME, space())


def ball(texture: F32, eye: int) -> F32:
    """What lies between the lids."""
    where = space().eyes[eye]
    return texture[where.part][where.ball > 0.9]


@pytest.mark.parametrize("step", [-2.0, 2.0])
def test_lids_follow_the_irises(step):
    points = open_face()
    moved = points.copy()
    moved[468:, 0] += step
    assert np.sign(lids(moved)[0] - lids(points)[0]) == np.sign(step)
    assert np.allclose(lids(moved)[2:], lids(points)[2:])


def test_lids_know_which_eye_closes():
    points = open_face()
    shut = points.copy()
    shut[list(UPPER_LIDS[0])] = shut[list(LOWER_LIDS[0])]
    assert lids(shut)[2] < 0.6 * lids(points)[2]
    assert lids(shut)[3] == lids(points)[3]


def test_a_turned_picture_changes_nothing():
    points = open_face()
    turned = points.copy()
    turned[:, :2] = points[:, :2] @ np.array([[0.8, 0.6], [-0.6, 0.8]], np.float32)
    assert np.allclose(lids(turned), lids(points), atol=1e-4)


@pytest.mark.parametrize("yaw", [-0.6, -0.3, 0.3, 0.6])
def test_a_turned_head_does_not_open_its_eyes(yaw):
    points = open_face()
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]], np.float32)
    assert np.allclose(lids(points @ turn)[2:], lids(points)[2:], rtol=0.06)


def lidded(texture: F32, eye: int) -> F32:
    """`texture` with skin where one eyeball is."""
    where, covered = space().eyes[eye], texture.copy()
    part = covered[where.part]
    cheek = texture[round(0.55 * len(texture)), len(texture) // 4]
    part += threefold(np.minimum(1, 2 * where.ball)) * (cheek - part)
    return covered


@pytest.mark.parametrize("eye", [0, 1])
@pytest.mark.parametrize("side", [128, 256])
def test_the_picture_tells_which_eye_is_shut(eye, side):
    usual = appearance().mean
    noise = np.random.default_rng(1).normal(0, 0.02, usual.shape).astype(np.float32)
    small = [cv2.resize(one + noise, (side, side), interpolation=cv2.INTER_AREA) for one in (lidded(usual, eye), usual)]
    found = shut(small[0], small[1], space())
    assert found[eye] > 0.9
    assert found[1 - eye] == 0
    looks = with_shut(np.array([0, 0, 0.7, 0.7], np.float32), found)
    assert looks[2 + eye] < 0.4
    assert looks[3 - eye] == np.float32(0.7)


@pytest.mark.parametrize("light", [0.3, 1.5])
def test_light_shuts_no_eye(light):
    usual = appearance().mean
    assert not shut(usual * np.float32(light), usual, space()).any()


def test_the_eyes_of_a_moment_come_back():
    donor = appearance()
    lively = int(np.argmax(np.abs(donor.looks[:, 0] - np.median(donor.looks[:, 0]))))
    for eye in range(len(EYES)):
        real = donor.eyes[lively, eye][space().eyes[eye].ball > 0.9] / np.float32(255)
        with_it, without = (np.abs(ball(one, eye) - real).mean() for one in (drawn(donor, lively), donor.mean))
        assert with_it < 0.8 * without


def test_only_eyes_and_lids_change():
    texture = drawn(appearance(), 0)
    elsewhere = np.ones(texture.shape[:2], bool)
    for eye in space().eyes:
        elsewhere[eye.part] = False
    assert np.array_equal(texture[elsewhere], appearance().mean[elsewhere])


def test_eyes_glide():
    """A little more of a blink is a little change."""
    steps = [drawn(appearance(), 0, opening) for opening in np.linspace(0.2, 1.0, 41)]
    jumps = [np.abs(later - earlier).mean() for earlier, later in pairwise(steps)]
    assert max(jumps) < 0.2 * np.abs(steps[-1] - steps[0]).mean()


def never_seen() -> Appearance:
    return replace(appearance(), eyes_seen=np.zeros_like(appearance().eyes_seen))


def moments_alike() -> Appearance:
    donor = appearance()
    same = np.zeros(len(donor.looks), np.int64)
    return replace(donor, looks=donor.looks[same], covered=donor.covered[same])


def no_moment_near() -> Appearance:
    return replace(appearance(), looks=appearance().looks + np.float32(50) * np.arange(4, dtype=np.float32))


@pytest.mark.parametrize("capture", [never_seen, moments_alike, no_moment_near])
def test_there_are_eyes_whatever_the_capture_shows(capture):
    donor = capture()
    texture = with_eyes(donor.mean.copy(), donor, appearance().covered[0], np.ones(4, np.float32), SAME, space())
    assert np.isfinite(texture).all()
    assert ball(texture, 0).std() > 0.02


def test_lids_move_together_unless_somebody_winks():
    blink, wink = with_shut(np.array([[0, 0, 0.9, 0.8], [0, 0, 1, 0.3]], np.float32), np.zeros((2, 2), np.float32))
    assert np.allclose(blink[2:], 0.85)
    assert np.allclose(wink[2:], (1, 0.3))


def test_whites_keep_their_brightness_under_another_tone():
    donor = appearance().mean
    for tone in (0.3, 0.8, 2.0):
        tinted = donor * np.float32(tone)
        assert np.allclose(whites_between(tinted, donor, space()), 1 / tone, rtol=0.1)
    assert np.allclose(whites_between(donor, donor, space()), 1)


def staring() -> Appearance:
    """A donor whose every moment is a white eye with a dark dot in the middle."""
    donor = appearance()
    one = np.zeros(len(donor.looks), np.int64)
    eyes = np.full_like(donor.eyes, 230)
    for eye in range(len(EYES)):
        ball = space().eyes[eye].ball
        middle = np.average(np.indices(ball.shape).reshape(2, -1), axis=1, weights=ball.ravel())
        away = np.hypot(*(np.indices(ball.shape) - middle[:, None, None]))
        eyes[:, eye, away < 0.12 * np.linalg.norm(space().eyes[eye].across)] = 20
    return replace(donor, looks=donor.looks[one], covered=donor.covered[one], eyes=eyes)


def dot(texture: F32, eye: int) -> float:
    """The middle of what is dark between the lids, in texels from the left."""
    where = space().eyes[eye]
    dark = (1 - texture[where.part].mean(axis=2)) ** 4 * (where.ball > 0.5)
    return float((dark.sum(axis=0) * np.arange(dark.shape[1])).sum() / dark.sum())


@pytest.mark.parametrize("eye", [0, 1])
def test_eyes_look_where_no_moment_of_the_capture_did(eye):
    donor = staring()

    def looking(aside: float) -> float:
        look = np.append(donor.looks[0, :2] + np.array([aside, 0], np.float32), [0.2, 0.2]).astype(np.float32)
        return dot(with_eyes(donor.mean.copy(), donor, donor.covered[0], look, SAME, space()), eye)

    width = float(np.linalg.norm(space().eyes[eye].across))
    assert looking(0.1) - looking(0) == pytest.approx(0.1 * width, rel=0.3)
    assert looking(0) - looking(-0.1) == pytest.approx(0.1 * width, rel=0.3)
