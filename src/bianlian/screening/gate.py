"""The content gate: footage and result are looked at on sampled frames; sexual content refuses (DESIGN section 2, line 3; R8).

There is no switch. Thresholds and sampling come from the measurement in docs/content-gate.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from bianlian.errors import ContentRefused
from bianlian.imaging.colour import small_rgb_from_frame
from bianlian.records.frame import Frame
from bianlian.screening.detector import COARSE, FINE, ExposureDetector


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
        self._next_look = Fraction(-(10**9))
        self._close_look = 0
        self._hits: list[bool] = []
        self._looks = 0
        self._side = FINE
        self.frames_seen = 0
        self.highest = 0.0
        """Highest score so far, for the job's record."""

    def passing(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The same frames, unless one refuses; the last frame is judged by what there was to see.

        Raises:
            ContentRefused: at the frame that decides.
        """
        last = None
        for frame in frames:
            self.look(frame)
            last = frame
            yield frame
        if last is not None:
            self._conclude(last)

    def look(self, frame: Frame) -> None:
        """Judge one frame if it is due."""
        if self._close_look == 0 and frame.instant.exact < self._next_look:
            return
        if not self._close_look:
            is_fine = self._looks % self._settings.fine_every == 0 and max(frame.size) >= FINE
            self._side = FINE if is_fine else COARSE
            self._looks += 1
        score, label = self._detector.exposure(small_rgb_from_frame(frame, self._side), side=self._side)
        self.frames_seen += 1
        self.highest = max(self.highest, score)
        is_hit = score >= (self._settings.fine_threshold if self._side == FINE else self._settings.threshold)
        if self._close_look:
            self._close_look -= 1
            self._hits.append(is_hit)
        else:
            self._next_look = frame.instant.exact + self._settings.every
            if is_hit:
                self._close_look, self._hits = self._settings.persistence, [True]
        if sum(self._hits) >= self._settings.hits:
            raise self._refusal(frame, label)
        if self._close_look == 0:
            self._hits = []

    def _conclude(self, last: Frame) -> None:
        """The file ended during a close look: refuse unless most of what was seen speaks against it."""
        if self._hits and sum(self._hits) * 2 >= len(self._hits):
            raise self._refusal(last, "exposed parts")

    def _refusal(self, frame: Frame, label: str) -> ContentRefused:
        return ContentRefused(
            f"The {self._what} shows sexual content at {frame.instant.seconds:.1f} s ({label}, score {self.highest:.2f}).",
            code="content-sexual",
            advice="Such material is never swapped. If this is a mistake, cut the passage out and say so to the maintainers.",
        )
