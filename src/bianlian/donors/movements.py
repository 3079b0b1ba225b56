"""Acts found in a performance, and the comparison with what was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bianlian.donors.acts import ENGLISH, FACE_ACTS, MIRRORED
from bianlian.donors.rules import CaptureRules
from bianlian.donors.series import Series, runs
from bianlian.errors import ConsentRefused
from bianlian.records.donor import ActSeen
from bianlian.records.face import EXPRESSION_NAMES

_SHAPES = {
    "open-mouth": ("jawOpen",),
    "close-eyes": ("eyeBlinkLeft", "eyeBlinkRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "raise-brows": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
}
"""Blendshapes whose mean tells an act of the face."""
_BROWS = 30.0
"""The brow coefficients alone stay below 0.1 for some faces (b3), so the height of the brows is added: a rise by 0.02 of the
distance of the eyes counts as much as a coefficient of 0.6 (measured: raised brows 0.021 to 0.038, other acts of the face up to
0.018)."""
_AGAIN = "Record a new take for a new challenge."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Neutral:
    """A person's own calm face."""

    yaw: float
    pitch: float
    face: Mapping[str, float]
    """How each act of the face measures at rest."""


def find_neutral(series: Series, rules: CaptureRules) -> Neutral:
    """The calm face at the start.

    Raises:
        ConsentRefused: code capture-no-neutral.
    """
    start = (series.seconds <= rules.neutral_s) & series.is_present
    if start.sum() < 3:
        raise _no_neutral("No face is to be seen at the start.")
    yaw, pitch = float(np.median(series.yaw[start])), float(np.median(series.pitch[start]))
    face = {act: float(np.median(_shape(series, act)[start])) for act in _SHAPES}
    moved = max(float(np.ptp(np.percentile(angle[start], (10, 90)))) for angle in (series.yaw, series.pitch))
    if max(abs(yaw), abs(pitch)) > rules.neutral_turn or moved > rules.reach["look-up"]:
        raise _no_neutral("The head is turned or moving at the start.")
    if face["open-mouth"] > rules.reach["open-mouth"]:
        raise _no_neutral("The mouth is open at the start.")
    return Neutral(yaw=yaw, pitch=pitch, face=face)


def find_movements(series: Series, neutral: Neutral, rules: CaptureRules) -> tuple[ActSeen, ...]:
    """Every movement away from neutral that is long and far enough to be an act, in order of time.

    A movement of the head counts as such whatever the face does meanwhile: eyes close and brows rise by themselves when the
    head goes down or up.
    """
    channels = measure(series, neutral, rules)
    strongest = np.max(np.stack(list(channels.values())), axis=0)
    found: list[ActSeen] = []
    for first, stop in runs(strongest >= rules.release):
        peaks = {act: float(channel[first:stop].max()) for act, channel in channels.items()}
        head = {act: peak for act, peak in peaks.items() if act not in FACE_ACTS and peak >= 1}
        candidates = head or {act: peak for act, peak in peaks.items() if peak >= 1}
        if not candidates:
            continue
        act = max(candidates, key=lambda name: candidates[name])
        longest = max(runs(_within(channels[act] >= rules.release, first, stop)), key=lambda run: run[1] - run[0])
        start, end = (float(series.seconds[min(frame, len(series.seconds) - 1)]) for frame in longest)
        if end - start >= rules.shortest_s:
            found.append(ActSeen(act=act, start=start, end=end, peak=peaks[act]))
    return tuple(found)


def measure(series: Series, neutral: Neutral, rules: CaptureRules) -> dict[str, np.ndarray]:
    """How far each act goes in each frame, 1.0 = its reach; zero where the face is not seen.

    Blinks, syllables and landmarks that slip are taken out by a median and an opening over time. Between acts the neutral
    follows the person slowly, for nobody comes back to quite the same pose.
    """
    step = float(np.median(np.diff(series.seconds)))
    raw = {"turn-left": series.yaw - neutral.yaw, "look-up": series.pitch - neutral.pitch}
    raw |= {act: _shape(series, act) - neutral.face[act] for act in _SHAPES}
    steady = np.stack([
        _steadied(np.nan_to_num(channel / rules.reach[act]), step, act in FACE_ACTS, rules) for act, channel in raw.items()
    ])  # fmt: skip
    measured = dict(zip(raw, steady - _followed(steady, step, rules), strict=True))
    return measured | {"turn-right": -measured["turn-left"], "look-down": -measured["look-up"]}


def _steadied(channel: np.ndarray, step: float, is_of_face: bool, rules: CaptureRules) -> np.ndarray:
    calm = _filtered(channel, rules.slip_s, step, np.median)
    if not is_of_face:
        return calm
    return _filtered(_filtered(calm, rules.blink_s, step, np.min), rules.blink_s, step, np.max)


def _filtered(channel: np.ndarray, length_s: float, step: float, take: Callable[..., np.ndarray]) -> np.ndarray:
    half = round(length_s / step) // 2
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(channel, half, mode="edge"), 2 * half + 1)
    return take(windows, axis=1)


def _followed(steady: np.ndarray, step: float, rules: CaptureRules) -> np.ndarray:
    """The drifting neutral of each channel: follows while nothing is done, never by more than half a reach."""
    neutral, followed = np.zeros(len(steady)), np.empty_like(steady)
    for index, now in enumerate(steady.T):
        away = now - neutral
        if np.abs(away).max() < rules.release:
            neutral = np.clip(neutral + away * min(1.0, step / rules.drift_s), -0.5, 0.5)
        followed[:, index] = neutral
    return followed


def check_acts(asked: Sequence[str], seen: Sequence[ActSeen], rules: CaptureRules) -> tuple[ActSeen, ...]:
    """Compare the first movements with the acts that were asked for, in order and in time.

    Raises:
        ConsentRefused: capture-mirrored, capture-wrong-act, capture-missing-act, capture-act-fast, -act-slow or -act-late;
            the sentence names the act and its second.
    """
    done = list(seen[: len(asked)])
    names = [movement.act for movement in done]
    if names != list(asked) and names == [MIRRORED.get(act, act) for act in asked]:
        raise ConsentRefused(
            "Left and right are exchanged: the capture is mirrored.",
            code="capture-mirrored",
            advice='Switch "mirror front camera" off, turn to your own left and right, and record again.',
        )
    for number, (act, movement) in enumerate(zip(asked, done, strict=False), 1):
        if movement.act != act:
            raise ConsentRefused(
                f'Act {number} should be "{ENGLISH[act]}"; seen at {movement.start:.1f} s was "{ENGLISH[movement.act]}".',
                code="capture-wrong-act",
                advice=f"Do the acts in the order of the challenge, each clearly and for about a second. {_AGAIN}",
            )
    if len(done) < len(asked):
        missing = asked[len(done)]
        after = f" after {done[-1].end:.1f} s" if done else ""
        raise ConsentRefused(
            f'Act {len(done) + 1}, "{ENGLISH[missing]}", was not seen{after}.',
            code="capture-missing-act",
            advice=f"Do it further and hold it for about a second. {_AGAIN}",
        )
    _check_times(done, rules)
    return tuple(done)


def _check_times(done: Sequence[ActSeen], rules: CaptureRules) -> None:
    before = 0.0
    for number, movement in enumerate(done, 1):
        label, length = (
            f'Act {number}, "{ENGLISH[movement.act]}" at {movement.start:.1f} s,',
            movement.end - movement.start,
        )
        if length < rules.hold_s:
            raise ConsentRefused(
                f"{label} took only {length:.2f} s: too fast for a calm person, or the recording was sped up.",
                code="capture-act-fast",
                advice=f"Hold each act for about a second. {_AGAIN}",
            )
        if length > rules.step_s:
            raise ConsentRefused(
                f"{label} took {length:.1f} s; at most {rules.step_s:.0f} are given.",
                code="capture-act-slow",
                advice=f"Return to a calm face after each act. {_AGAIN}",
            )
        if movement.start - before > rules.step_s:
            raise ConsentRefused(
                f"{label} began {movement.start - before:.1f} s after the one before; at most {rules.step_s:.0f} are given.",
                code="capture-act-late",
                advice=f"Learn the order first, then record without long pauses. {_AGAIN}",
            )
        before = movement.end


def _within(mask: np.ndarray, first: int, stop: int) -> np.ndarray:
    inside = np.zeros_like(mask)
    inside[first:stop] = mask[first:stop]
    return inside


def _shape(series: Series, act: str) -> np.ndarray:
    shape = series.expression[:, [EXPRESSION_NAMES.index(name) for name in _SHAPES[act]]].mean(axis=1)
    return shape + _BROWS * series.brows if act == "raise-brows" else shape


def _no_neutral(sentence: str) -> ConsentRefused:
    return ConsentRefused(
        sentence,
        code="capture-no-neutral",
        advice="Begin with a calm face towards the camera, mouth closed, for a second. " + _AGAIN,
    )
