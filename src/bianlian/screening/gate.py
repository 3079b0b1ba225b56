"""The content gate: footage and result are looked at on sampled frames; sexual content refuses (DESIGN section 2, line 3; R8).

There is no switch. Thresholds and sampling come from the measurement in docs/content-gate.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

from bianlian.errors import ContentRefused
from bianlian.imaging.colour import small_rgb_from_frame
from bianlian.records.frame import Frame
from bianlian.screening.detector import COARSE, FINE, ExposureDetector

_BEHIND = 1
"""Looks that may wait for another to end; each holds some frames in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """Where the line is. The defaults are the program's; they are parameters for the measurement and its tests only."""

    every: Fraction = Fraction(1, 2)
    """Seconds between looks: a scene shorter than this may be missed, which a second look at the result repeats."""
    fine_every: int = 4
    """Every so many looks a fine one, which sees figures of a third of the frame's height; in frames large enough for it only."""
    threshold: float = 0.5
    """Of a coarse look: harmless footage stayed below 0.31, but for one cartoon frame at 0.67; drawn nude figures reach 0.80."""
    fine_threshold: float = 0.65
    """Of a fine look: harmless footage stayed below 0.54, drawn nude figures of a third of the height reach 0.74."""
    persistence: int = 5
    """After a hit this many following frames are looked at as well …"""
    hits: int = 3
    """… and this many hits among them, the first included, refuse: a single odd frame does not."""


class ContentGate:
    """Looks at frames as they pass by. One gate per reading of one file."""

    def __init__(self, detector: ExposureDetector, settings: GateSettings, *, what: str) -> None:
        """`what` names the material in the refusal: 'footage' or 'result'."""
        self._detector = detector
        self._settings = settings
        self._what = what
        self._windows = 0
        self.frames_seen = 0
        self.highest = 0.0
        """Highest score so far, for the job's record."""

    def passing(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The same frames, unless some refuse; none is the last before all have been judged.

        They are looked at beside what the caller does with them, in a thread of the gate's own, which may fall `_BEHIND`.

        Raises:
            ContentRefused: soon after the frame that decides.
        """
        windows: list[list[Frame]] = []
        verdicts: deque[Future[None]] = deque()
        next_look = Fraction(-(10**9))
        pool = ThreadPoolExecutor(1, thread_name_prefix="gate")
        try:
            for frame in frames:
                if frame.instant.exact >= next_look:
                    next_look = frame.instant.exact + self._settings.every
                    windows.append([])
                for window in windows:
                    window.append(frame)
                if windows and len(windows[0]) > self._settings.persistence:
                    verdicts.append(pool.submit(self._judge, windows.pop(0)))
                _settle(verdicts, _BEHIND)
                yield frame
            verdicts += (pool.submit(self._judge, window) for window in windows)
            _settle(verdicts, 0)
        finally:
            pool.shutdown(cancel_futures=True)

    def _judge(self, window: Sequence[Frame]) -> None:
        """Look at a frame and, where something is to be seen in it, at those after it; fewer than usual are the file's last."""
        is_fine = self._windows % self._settings.fine_every == 0 and max(window[0].size) >= FINE
        self._windows += 1
        side = FINE if is_fine else COARSE
        threshold = self._settings.fine_threshold if is_fine else self._settings.threshold
        hits, label = 0, ""
        for frame in window:
            score, seen = self._detector.exposure(small_rgb_from_frame(frame, side), side=side)
            self.frames_seen += 1
            self.highest = max(self.highest, score)
            if score >= threshold:
                hits, label = hits + 1, seen
            if hits >= self._settings.hits:
                raise self._refusal(frame, label)
            if not hits:
                return
        if len(window) <= self._settings.persistence and hits * 2 >= len(window):
            raise self._refusal(window[-1], label)

    def _refusal(self, frame: Frame, label: str) -> ContentRefused:
        return ContentRefused(
            f"The {self._what} shows sexual content at {frame.instant.seconds:.1f} s ({label}, score {self.highest:.2f}).",
            code="content-sexual",
            advice="Such material is never swapped. If this is a mistake, cut the passage out and say so to the maintainers.",
        )


def _settle(verdicts: deque[Future[None]], most: int) -> None:
    """Take what has been judged, and wait until no more than `most` verdicts are open; raises what they raise."""
    while verdicts and (len(verdicts) > most or verdicts[0].done()):
        verdicts.popleft().result()
