"""Grain: what is measured on noisy skin is what was put there, and what is drawn measures the same."""

from __future__ import annotations

import numpy as np
import pytest

from bianlian.compositing.grain import grain, grain_over, roughness
from bianlian.imaging.light import TERMS
from bianlian.records.arrays import F32
from tests.faces import space

SIZE = (240, 240)


def points() -> F32:
    """A face of 200 pixels that looks into the camera."""
    flat = space().template.uv / np.float32(space().template.side) * 200 + 20
    return np.concatenate([flat, np.zeros((len(flat), 1))], axis=1).astype(np.float32)


def measured(frames: list[F32], levels: list[float] | None = None) -> F32:
    """Grain of frames, each under so much of the usual light."""
    rough = np.stack([roughness(frame, points(), space()) for frame in frames])
    seen = np.ones((len(frames), space().small.side, space().small.side), np.float32)
    lights = [np.full((TERMS, 3), 0, np.float32) for _ in frames]
    for light, level in zip(lights, levels or [1.0] * len(frames), strict=True):
        light[0] = np.log(level)
    return grain_over(rough, seen, lights, space())


def skin() -> F32:
    """Pores: rough, but the same in every frame."""
    return (0.5 + np.random.default_rng(5).normal(0, 0.03, (*SIZE, 3))).astype(np.float32)


@pytest.mark.parametrize(("strength", "coarser"), [(0.01, 0.8), (0.03, 0.8), (0.03, 0.5), (0.04, 0.25)])
def test_drawn_grain_measures_as_asked_for(strength: float, coarser: float) -> None:
    wanted = np.array([strength, strength * coarser], np.float32)
    frames = [skin() + grain(SIZE, wanted, seed=(number,))[..., None] for number in range(24)]
    assert measured(frames) == pytest.approx(wanted, rel=0.25)


def test_a_fade_takes_nothing_from_the_grain_of_the_bright_frames() -> None:
    levels = [min(1.0, number / 16) for number in range(1, 25)]
    frames = [
        (skin() + grain(SIZE, np.array([0.03, 0.024], np.float32), seed=(number,))[..., None]) * np.float32(level)
        for number, level in enumerate(levels)
    ]
    assert measured(frames, levels) == pytest.approx([0.03, 0.024], rel=0.25)


def test_pores_are_no_grain() -> None:
    assert measured([skin()] * 8) == pytest.approx([0, 0], abs=1e-6)


def test_a_still_picture_has_no_grain_to_match() -> None:
    assert not measured([skin()]).any()


def test_the_same_seed_gives_the_same_grain() -> None:
    strength = np.array([0.02, 0.01], np.float32)
    assert np.array_equal(grain((7, 9), strength, seed=(3, 1)), grain((7, 9), strength, seed=(3, 1)))
    assert not np.array_equal(grain((7, 9), strength, seed=(3, 1)), grain((7, 9), strength, seed=(4, 1)))
