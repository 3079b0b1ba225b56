"""Smoothing takes tremble away, delays nothing, and leaves blinks and speech as large as they were."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bianlian.tracking.smooth import LOOK_AHEAD, smoothed_expression, smoothed_points
from tests.unit.tracking.observations import moving, neutral

TREMBLE = 0.2
"""Pixels on a face of 200: 1 per mille of its height, what the network shows (docs/tracking.md)."""


def rms(difference: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(difference[..., :2]))))


def opening(points: np.ndarray, upper: int, lower: int) -> np.ndarray:
    return np.linalg.norm(points[:, upper, :2] - points[:, lower, :2], axis=1)


def test_a_still_face_comes_to_rest():
    still = np.repeat(neutral()[None], 200, axis=0)
    trembling = (still + np.random.default_rng(1).normal(0, TREMBLE, still.shape)).astype(np.float32)
    assert rms(smoothed_points(trembling) - still) < 0.5 * rms(trembling - still)


def test_a_moving_face_is_nearer_to_the_truth():
    truth = moving(240)
    trembling = moving(240, tremble=TREMBLE)
    assert rms(smoothed_points(trembling) - truth) < 0.7 * rms(trembling - truth)


def test_without_tremble_hardly_anything_changes():
    truth = moving(240)
    assert rms(smoothed_points(truth) - truth) < 0.0005 * 200


@pytest.mark.parametrize(("upper", "lower"), [(159, 145), (386, 374), (13, 14)])
def test_blinks_and_speech_keep_their_size(upper, lower):
    truth, smooth = (
        opening(moving(240), upper, lower),
        opening(smoothed_points(moving(240, tremble=TREMBLE)), upper, lower),
    )
    assert np.ptp(smooth[20:-20]) > 0.95 * np.ptp(truth[20:-20])


def test_nothing_is_delayed():
    trembling = moving(150, tremble=TREMBLE)
    backwards = smoothed_points(trembling[::-1].copy())[::-1]
    assert np.abs(backwards - smoothed_points(trembling)).max() < 0.02


@settings(max_examples=20, deadline=None)
@given(
    x=st.floats(-500, 500),
    y=st.floats(-500, 500),
    scale=st.floats(0.3, 3),
    turn=st.floats(-3, 3),
    seed=st.integers(0, 99),
)
def test_moving_scaling_or_turning_the_picture_changes_nothing(x, y, scale, turn, seed):
    points = moving(60, tremble=TREMBLE, seed=seed)
    rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])

    def moved(these: np.ndarray) -> np.ndarray:
        return np.concatenate([these[..., :2] @ rotation.T + [x, y], these[..., 2:] * scale], axis=2).astype(np.float32)

    # The height of the face in the picture, the unit of the tremble's bounds, changes with the turn a little.
    assert rms(smoothed_points(moved(points)) - moved(smoothed_points(points))) < 0.06 * scale


def test_what_lies_beyond_the_look_ahead_has_no_say():
    points = moving(200)
    other = points.copy()
    other[150:] += 30 * np.sin(np.arange(50) / 3)[:, None, None].astype(np.float32)
    near = smoothed_points(points)[: 150 - LOOK_AHEAD]
    assert np.abs(smoothed_points(other)[: 150 - LOOK_AHEAD] - near).max() < 0.2


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 5])
def test_short_runs_come_out_whole(frames):
    assert smoothed_points(moving(frames)).shape == (frames, 478, 3)
    assert smoothed_expression(np.full((frames, 52), 0.3, np.float32)).shape == (frames, 52)


def test_expression_stays_in_range_and_keeps_a_blink():
    blink = np.zeros((60, 52), np.float32)
    blink[28:33, 9] = [0.3, 0.8, 1.0, 0.8, 0.3]
    trembling = np.clip(blink + np.random.default_rng(0).normal(0, 0.01, blink.shape), 0, 1).astype(np.float32)
    smooth = smoothed_expression(trembling)
    assert smooth.min() >= 0
    assert smooth.max() <= 1
    assert smooth[30, 9] > 0.93
    assert np.abs(smooth[:, 20]).std() < np.abs(trembling[:, 20]).std()
