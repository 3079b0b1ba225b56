"""Parts of the liveness check that the attack table does not show by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from bianlian.donors.capture import part
from bianlian.donors.liveness import SignalMeter, find_loop, flatness
from bianlian.donors.rules import CaptureRules
from bianlian.donors.series import Series, read_series, runs
from bianlian.records.frame import ColourSpec, Frame
from bianlian.records.time import Instant
from tests.unit.donors.performances import MadeTrack, Moment, flat, neutral, take, talk
from tests.unit.donors.test_capture import ASKED, check

RULES = CaptureRules()


def frame(luma: np.ndarray, index: int, bit_depth: int = 8) -> Frame:
    chroma = np.full((luma.shape[0] // 2, luma.shape[1] // 2), 128, luma.dtype)
    return Frame(
        index=index, instant=Instant(pts=index, time_base=Fraction(1, 15)), duration=1,
        planes=(luma, chroma, chroma.copy()), colour=ColourSpec(), bit_depth=bit_depth,
    )  # fmt: skip


def series(moments: Sequence[Moment]) -> Series:
    made = MadeTrack(moments)
    return read_series(made, made.instants)


@pytest.mark.parametrize(("bit_depth", "scale"), [(8, 1), (10, 4)])
def test_signals_are_in_eight_bit_steps_at_any_depth(bit_depth: int, scale: int) -> None:
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    meter = SignalMeter()
    luma = np.full((64, 64), 100 * scale, dtype)
    signals = [
        meter.measure(frame(luma, 0, bit_depth)),
        meter.measure(frame(luma.copy(), 1, bit_depth)),
        meter.measure(frame(luma + dtype(3 * scale), 2, bit_depth)),
    ]
    assert [signal.mean_abs_difference for signal in signals] == [np.inf, 0.0, 3.0]
    assert signals[2].luma_mean == 103.0


def test_a_tracker_that_loses_the_face_for_a_moment_is_forgiven() -> None:
    moments = take(ASKED)
    hidden = [replace(moment, is_gone=True) for moment in moments[250:254]]
    assert check(moments[:250] + hidden + moments[254:]).acts


def test_blinks_and_syllables_between_acts_are_no_acts() -> None:
    moments = take(ASKED)
    for start in (14, 44, 75, 100, 140):
        for index in range(start, start + 4):
            face = {**moments[index].face, "eyeBlinkLeft": 0.8, "eyeBlinkRight": 0.8}
            moments[index] = replace(moments[index], face=face)
    assert [seen.act for seen in check(moments).acts] == list(ASKED)


@pytest.mark.parametrize("seed", range(6))
def test_nobody_who_talks_is_a_loop(seed: int) -> None:
    assert find_loop(series(talk(1, 20, seed)), 0, RULES) is None


@pytest.mark.parametrize("length", [2, 3, 5])
def test_loops_are_found_forwards_and_backwards(length: int) -> None:
    once = talk(1, length, seed=3)
    assert find_loop(series(once * 3), 0, RULES) is not None
    assert find_loop(series(once + once[::-1]), 0, RULES) is not None


def test_a_calm_face_is_no_loop() -> None:
    assert find_loop(series(neutral(1, 20)), 0, RULES) is None


def test_a_head_is_deep_and_a_photo_is_not() -> None:
    turned = neutral(1) + [Moment(who=1, yaw=30.0, pitch=5.0)] * 12
    is_turned = np.arange(24) >= 12
    assert flatness(series(turned), is_turned, ~is_turned) > 3 * RULES.flat_residual
    assert flatness(series(flat(turned)), is_turned, ~is_turned) < 0.1 * RULES.flat_residual


def test_samples_part_into_two_people_only_where_there_are_two() -> None:
    random = np.random.default_rng(0)

    def samples(centre: np.ndarray, count: int) -> np.ndarray:
        return (centre + 0.02 * random.normal(size=(count, 128))).astype(np.float32)

    one, two = np.zeros(128), np.full(128, 0.65 / np.sqrt(128))
    apart, _ = part(samples(one, 20))
    assert apart < 0.35
    apart, is_second = part(np.concatenate([samples(one, 9), samples(two, 3)]))
    assert apart > 0.5
    assert is_second.tolist() == [False] * 9 + [True] * 3


def test_runs() -> None:
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.array([False, False])) == []
