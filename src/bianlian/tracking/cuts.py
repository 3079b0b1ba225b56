"""Hard cuts: where one shot ends and another begins.

A cut is a change that stands alone: much larger than the changes of the three frames before and after it. Fast movement
changes its neighbours as well, and a flash changes the picture twice, so neither counts. Chosen on the clips named in
docs/tracking.md: largest ratio inside a shot 1.5, smallest at 1,500 random joins 3.8.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from bianlian.records.arrays import F32
from bianlian.records.frame import Frame

LOOK_AHEAD = 3
"""Frames that must be seen after a frame before it can be called the first of a shot."""
_LEAST = 0.03
_RATIO = 2.5
_CALM = 0.01
"""Added to the neighbours' change, so that still pictures do not make a cut of every twitch."""
_SMALL = (64, 36)


def shots(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Each frame, and whether it is the first of a new shot; never so for the very first. Runs `LOOK_AHEAD` frames ahead."""
    waiting: deque[tuple[Frame, float]] = deque()
    behind: deque[float] = deque(maxlen=LOOK_AHEAD)
    previous: F32 | None = None
    for frame in frames:
        thumb = thumbnail(frame)
        waiting.append((frame, 0.0 if previous is None else change(previous, thumb)))
        previous = thumb
        if len(waiting) > LOOK_AHEAD:
            yield _judged(waiting, behind)
    while waiting:
        yield _judged(waiting, behind)


def _judged(waiting: deque[tuple[Frame, float]], behind: deque[float]) -> tuple[Frame, bool]:
    frame, this = waiting.popleft()
    around = max((*behind, *(later for _, later in waiting)), default=0.0)
    behind.append(this)
    return frame, this > _LEAST and this > _RATIO * (around + _CALM)


def thumbnail(frame: Frame) -> F32:
    """36x64 luma, 0..255."""
    luma = np.ascontiguousarray(frame.planes[0][::2, ::2])
    small = cv2.resize(luma, _SMALL, interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / np.float32(2 ** (frame.bit_depth - 8))


def change(before: F32, after: F32) -> float:
    """0 the same … 2 the negative: one minus the correlation, which a change of light alone leaves at 0."""
    before, after = before - before.mean(), after - after.mean()
    contrast = np.sqrt([np.mean(before**2), np.mean(after**2)])
    if contrast.min() < 3:  # an even picture, black or white, has no pattern to compare
        return float(contrast.max() >= 6)
    return float(1 - np.mean(before * after) / contrast.prod())
