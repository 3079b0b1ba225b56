"""Is it one unbroken, unrepeated take of a solid head at its own speed? Each check takes series and refuses with a second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bianlian.donors.rules import CaptureRules
from bianlian.donors.series import Series, runs
from bianlian.errors import ConsentRefused
from bianlian.records.arrays import F32
from bianlian.records.donor import FrameSignal
from bianlian.records.frame import Frame

_TAKE = "Record one take without a break, straight from the camera, and do not edit it."
_STEP_S = 0.05
"""Spacing of the samples that are compared for loops."""
_SPAN_S = 0.13
"""Turns are measured over this time: two frames at 15 a second, eight at 60."""


class SignalMeter:
    """Takes frames in order and says what their luma tells; keeps the last luma only."""

    def __init__(self) -> None:
        self._last: np.ndarray | None = None

    def measure(self, frame: Frame) -> FrameSignal:
        """Signal of the next frame, from every second pixel of every second row."""
        luma = frame.planes[0][::2, ::2].astype(np.float32)
        if frame.bit_depth > 8:
            luma *= 2.0 ** (8 - frame.bit_depth)
        difference = np.inf if self._last is None else float(np.abs(luma - self._last).mean())
        self._last = luma
        height, width = luma.shape
        middle = luma[height // 4 : height - height // 4, width // 4 : width - width // 4]
        return FrameSignal(
            index=frame.index, instant=frame.instant, mean_abs_difference=difference, luma_mean=float(middle.mean())
        )


def check_clock(series: Series, rules: CaptureRules) -> None:
    """Frames at the speed of a camera, without gaps. Refuses with capture-frame-rate or capture-gap."""
    steps = np.diff(series.seconds)
    rate = 1 / float(np.median(steps)) if len(steps) and np.median(steps) > 0 else 0.0
    if not rules.frame_rate[0] <= rate <= rules.frame_rate[1]:
        raise ConsentRefused(
            f"The capture has {rate:.1f} frames a second.",
            code="capture-frame-rate",
            advice="Record with 15 to 60 frames a second.",
        )
    worst = int(steps.argmax())
    if steps[worst] > rules.longest_gap_s or steps.min() <= 0:
        raise ConsentRefused(
            f"The recording pauses at {series.seconds[worst]:.1f} s for {steps[worst]:.1f} s.",
            code="capture-gap",
            advice=_TAKE,
        )


def check_presence(series: Series, rules: CaptureRules) -> None:
    """One face, always there, large enough.

    Refuses with capture-second-face, capture-other-person, capture-face-lost or capture-too-small.
    """
    for first, stop in runs(series.is_present & (series.second_face >= rules.second_face)):
        if _length(series, first, stop) >= rules.second_face_s:
            raise ConsentRefused(
                f"A second face is to be seen at {series.seconds[first]:.1f} s.",
                code="capture-second-face",
                advice="Record alone, before a background without faces.",
            )
    for first, stop in runs(~series.is_present & (series.second_face > 0)):
        if _length(series, first, stop) >= rules.second_face_s:
            raise another_person(float(series.seconds[first]))
    for first, stop in runs(~series.is_present):
        if _length(series, first, stop) > rules.lost_s:
            raise ConsentRefused(
                f"The face is out of sight from {series.seconds[first]:.1f} s.",
                code="capture-face-lost",
                advice="Stay in the picture, and keep hands and hair off the face.",
            )
    size = float(np.nanmedian(series.size_px))
    if size < rules.smallest_px:
        raise ConsentRefused(
            f"The face is only {size:.0f} pixels high; {rules.smallest_px:.0f} are needed.",
            code="capture-too-small",
            advice="Go nearer to the camera, or record at a higher resolution.",
        )


def check_light(signals: Sequence[FrameSignal], rules: CaptureRules) -> None:
    """Neither dark nor glaring. Refuses with capture-light."""
    luma = float(np.median([signal.luma_mean for signal in signals]))
    if not rules.luma[0] <= luma <= rules.luma[1]:
        raise ConsentRefused(
            f"The picture is too {'dark' if luma < rules.luma[0] else 'bright'} (mean luma {luma:.0f} of 255).",
            code="capture-light",
            advice="Sit so that an even light falls on your face from the front.",
        )


def check_unbroken(series: Series, signals: Sequence[FrameSignal], cuts: Sequence[int], rules: CaptureRules) -> None:
    """No cut, no repeated frames, no jump. Refuses with capture-cut, capture-frozen or capture-jump."""
    difference = np.array([signal.mean_abs_difference for signal in signals])
    difference[0] = difference[1] if len(difference) > 1 else np.inf
    if cuts:
        raise _broken("cut", "There is a cut", series.seconds[cuts[0]])
    around = _around(difference)
    sudden = (difference > rules.cut_difference) & (difference > rules.cut_ratio * around)
    if sudden.any():
        raise _broken("cut", "There is a cut", series.seconds[int(sudden.argmax())])
    for first, stop in runs(difference < rules.frozen_difference):
        if _length(series, first, stop) >= rules.frozen_s:
            raise _broken("frozen", "The picture stands still", series.seconds[first])
    moved = np.linalg.norm(np.diff(series.points_image, axis=0), axis=2)
    steps = np.concatenate(([0.0], np.nan_to_num(np.median(moved, axis=1) / series.size_px[1:])))
    jumped = (steps > rules.jump) & (steps > rules.jump_ratio * _around(steps))
    if jumped.any():
        raise _broken("jump", "The face jumps", series.seconds[int(jumped.argmax())])


def check_speed(series: Series, rules: CaptureRules) -> None:
    """No faster than a calm head. Refuses with capture-sped-up."""
    span = max(1, round(_SPAN_S / float(np.median(np.diff(series.seconds)))))
    lapse = series.seconds[span:] - series.seconds[:-span]
    turned = np.hypot(series.yaw[span:] - series.yaw[:-span], series.pitch[span:] - series.pitch[:-span]) / lapse
    fast = np.nan_to_num(turned) > rules.head_speed
    if fast.any():
        at = int(fast.argmax())
        raise ConsentRefused(
            f"The head turns at {np.degrees(turned[at]):.0f} degrees a second at {series.seconds[at]:.1f} s: "
            "too fast for a calm person, or the recording was sped up.",
            code="capture-sped-up",
            advice=f"Turn slowly. {_TAKE}",
        )


def check_solid(series: Series, turned: np.ndarray, neutral: np.ndarray, rules: CaptureRules) -> None:
    """A head that turns is not a flat picture that turns. Refuses with capture-flat.

    Args:
        turned: N bool, frames in which an act turns the head.
        neutral: N bool, frames of the calm start.
    """
    if turned.any() and neutral.any() and (residual := flatness(series, turned, neutral)) < rules.flat_residual:
        raise ConsentRefused(
            f"The face turns like a flat picture (depth {residual:.3f} of its height).",
            code="capture-flat",
            advice="A photo or a screen cannot give consent. Record yourself.",
        )


def flatness(series: Series, turned: np.ndarray, neutral: np.ndarray) -> float:
    """How far turned landmarks are from any view of a plane: RMS of the best homography, over the face's height; median."""
    flat = series.points_image[neutral].mean(axis=0)
    found = [_homography_residual(flat, series.points_image[i]) / series.size_px[i] for i in np.flatnonzero(turned)]
    return float(np.median(found))


def check_moving(series: Series, signals: Sequence[FrameSignal], first: int, rules: CaptureRules) -> None:
    """Who talks moves in every frame: a frozen stretch stands out however it was encoded. Refuses with capture-frozen.

    Args:
        first: frame at which the talk begins.
    """
    difference = np.array([signal.mean_abs_difference for signal in signals[first:]])
    for start, stop in runs(difference < rules.still_share * float(np.median(difference))):
        if _length(series, first + start, first + stop) >= rules.still_s:
            raise _broken("frozen", "The picture stands still", series.seconds[first + start])


def check_unrepeated(series: Series, first: int, rules: CaptureRules) -> None:
    """Nobody moves twice in the same way, forwards or backwards. Refuses with capture-looped.

    Args:
        first: frame from which on to look; the acts before may resemble one another.
    """
    pair = find_loop(series, first, rules)
    if pair is not None:
        raise ConsentRefused(
            f"What is seen at {pair[0]:.1f} s comes again at {pair[1]:.1f} s.", code="capture-looped", advice=_TAKE
        )


def find_loop(series: Series, first: int, rules: CaptureRules) -> tuple[float, float] | None:
    """(second, second) of movement that repeats itself; None when nothing does."""
    times = np.arange(series.seconds[first], series.seconds[-1], _STEP_S)
    columns = np.column_stack((series.yaw * 2, series.pitch * 2, series.expression))[first:]
    seen = ~np.isnan(columns).any(axis=1)
    window = round(rules.loop_s / _STEP_S)
    if seen.sum() < 2 or len(times) < 2 * window:
        return None
    stamps = series.seconds[first:][seen]
    features = np.column_stack([np.interp(times, stamps, column) for column in columns[seen].T])
    lengths = (features**2).sum(axis=1)
    distance = lengths[:, None] + lengths[None] - 2 * features @ features.T
    kernel = np.lib.stride_tricks.sliding_window_view(features, window, axis=0)
    energy = kernel.var(axis=2).sum(axis=1)  # how much happens in the window that begins here
    limit = rules.loop_distance**2
    for compared, backwards in ((distance, False), (distance[:, ::-1], True)):
        diagonal = np.zeros((len(times) - window + 1,) * 2)
        for offset in range(window):
            diagonal += compared[offset : offset + len(diagonal), offset : offset + len(diagonal)]
        rows, columns_at = np.nonzero(diagonal / window < limit * 2 * energy[:, None])
        others = len(times) - window - columns_at if backwards else columns_at
        apart = (others - rows >= window) & (energy[rows] > _calm(energy))
        if apart.any():
            at = int(apart.argmax())
            return float(times[rows[at]]), float(times[others[at]])
    return None


def _calm(energy: np.ndarray) -> float:
    """Below this a window holds too little movement to be compared."""
    return 0.25 * float(np.median(energy))


def _homography_residual(flat: F32, seen: F32) -> float:
    import cv2  # noqa: PLC0415  (slow to import)

    matrix, _ = cv2.findHomography(flat, seen, 0)
    if matrix is None:
        return 0.0
    mapped = cv2.perspectiveTransform(flat[:, None], matrix)[:, 0]
    return float(np.sqrt(((mapped - seen) ** 2).sum(axis=1).mean()))


def _around(values: np.ndarray) -> np.ndarray:
    """Mean of the two frames before and the two after, the frame itself left out."""
    padded = np.pad(values, 2, mode="reflect") if len(values) > 2 else np.pad(values, 2, mode="edge")
    return (padded[:-4] + padded[1:-3] + padded[3:-1] + padded[4:]) / 4


def _length(series: Series, first: int, stop: int) -> float:
    """Seconds from frame `first` until frame `stop` begins."""
    return float(series.seconds[min(stop, len(series.seconds) - 1)] - series.seconds[first])


def another_person(second: float) -> ConsentRefused:
    """The refusal of a capture in which somebody else takes the donor's place."""
    return ConsentRefused(
        f"At {second:.1f} s the face is another person's than in the rest of the capture.",
        code="capture-other-person",
        advice="Only the donor may be seen, from the first frame to the last.",
    )


def _broken(code: str, sentence: str, second: float) -> ConsentRefused:
    return ConsentRefused(f"{sentence} at {second:.1f} s.", code=f"capture-{code}", advice=_TAKE)
