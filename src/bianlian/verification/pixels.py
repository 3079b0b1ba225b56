"""One decoding of a file for all that is read from its pixels: label, watermark, fingerprint, and stills for the page.

Frames pass by one at a time, so memory does not grow with the length of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

import cv2
import numpy as np

from bianlian.errors import MediaError
from bianlian.imaging.colour import rgb_from_frame
from bianlian.marking.fingerprint import Print, print_of
from bianlian.marking.watermark.reader import Locate, WatermarkReader, WatermarkReading
from bianlian.media.decode import sampled
from bianlian.records.arrays import U8, frozen
from bianlian.records.frame import Frame, Size, SourceInfo
from bianlian.verification.label_finder import LabelFinder, Sighting

SAMPLE_EVERY = Fraction(1, 15)
"""Seconds between the frames that are looked at: what the watermark's reader takes."""
_LABEL_EVERY, _LABEL_EVERY_UNSEEN = Fraction(1, 4), Fraction(1)
"""Seconds between looks at the label, once it was seen and before; the first frame is always looked at."""
_STILL_WIDTH = 480
"""Pixels: widest side of the stills for the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatermarkKeys:
    """What only the installation has, and what finds faces: without them the watermark cannot be read."""

    reader: WatermarkReader
    job_ids: tuple[str, ...]
    locate: Locate


@dataclass(frozen=True, slots=True, kw_only=True)
class NoWatermarkKeys:
    """The watermark is not read, and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSeen:
    """The visible label over the whole file."""

    looked: int
    """Frames that were looked at."""
    seen: int
    is_on_first: bool
    missing_from: float
    """Seconds after the first frame when it was first looked for in vain; the file's length when it never was."""
    length: float
    """Seconds from the first frame to the last that was looked at."""
    words: str
    ink_share: float
    """Median height of a capital over the shorter side, as decoded."""
    contrast: float
    """Least contrast of letters and ground, 1..21."""
    alike: float
    """Least correlation with the letters as drawn."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Still:
    """A frame for the page."""

    caption: str
    rgb: U8
    """HxWx3, small."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rgb", frozen(self.rgb, "rgb", (None, None, 3), np.uint8))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PixelReadings:
    """All that was read from the pixels."""

    label: LabelSeen
    watermark: WatermarkReading | NoWatermarkKeys
    prints: tuple[Print, ...]
    stills: tuple[Still, ...]
    damage: str
    """Why the pictures could not be decoded to the end; empty when they could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPixels:
    """The pixels were not read, and why."""

    reason: str
    error: MediaError


Passing = Callable[[Iterator[Frame]], Iterator[Frame]]
"""Sees every frame that is looked at, and hands it on."""


def as_they_come(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Nobody else looks."""
    return frames


def read_pixels(
    source: SourceInfo, keys: WatermarkKeys | NoWatermarkKeys, passing: Passing = as_they_come
) -> PixelReadings | NoPixels:
    """Decode a file once, sampled, and read all that its pixels hold; `passing` looks on."""
    watch = _Watch(source.size)
    with closing(watch.through(passing(sampled(source, SAMPLE_EVERY, threads=2)))) as stream:
        watermark = keys.reader.read(stream, keys.locate, keys.job_ids) if isinstance(keys, WatermarkKeys) else keys
        for _ in stream:  # the reader stops when it is sure; the others want the rest
            pass
    if watch.damage and not watch.prints:
        return NoPixels(reason=str(watch.damage), error=watch.damage)
    return PixelReadings(
        label=watch.label(),
        watermark=watermark,
        prints=tuple(watch.prints),
        stills=watch.stills(),
        damage=str(watch.damage or ""),
    )


class _Watch:
    """Looks at the frames that pass by."""

    def __init__(self, size: Size) -> None:
        self.prints: list[Print] = []
        self.damage: MediaError | None = None
        self._finder = LabelFinder(size)
        self._looks: list[tuple[float, Sighting | None]] = []
        self._stills: list[Still] = []
        self._begin: Fraction | None = None
        self._last: Frame | None = None
        self._next_search = 0.0
        self._was_seen = False

    def through(self, frames: Iterator[Frame]) -> Generator[Frame, None, None]:
        """Hand the frames on; a file that breaks off ends here, with `damage` set."""
        label_due = print_due = Fraction(0)
        try:
            for frame in frames:
                self._begin = frame.instant.exact if self._begin is None else self._begin
                now, self._last = frame.instant.exact - self._begin, frame
                if now >= label_due:
                    every = _LABEL_EVERY if self._look(frame, float(now)) else _LABEL_EVERY_UNSEEN
                    label_due = (now // every + 1) * every
                if now >= print_due:
                    print_due = Fraction(now // 1 + 1)
                    self.prints.append(print_of(frame, second=float(now)))
                yield frame
        except MediaError as error:
            self.damage = error

    def label(self) -> LabelSeen:
        """The label over all frames that passed."""
        seen = [sighting for _, sighting in self._looks if sighting]
        length = self._looks[-1][0]
        return LabelSeen(
            looked=len(self._looks),
            seen=len(seen),
            is_on_first=self._looks[0][1] is not None,
            missing_from=next((second for second, sighting in self._looks if not sighting), length),
            length=length,
            words=seen[0].words if seen else "",
            ink_share=median(one.ink_share for one in seen) if seen else 0.0,
            contrast=min((one.contrast for one in seen), default=1.0),
            alike=min((one.alike for one in seen), default=0.0),
        )

    def stills(self) -> tuple[Still, ...]:
        """The first frame, the first without a label after one with it, and the last."""
        if self._last is not None and self._looks[-1][0] > 0:
            return (*self._stills, _still("the last frame", self._last))
        return tuple(self._stills)

    def _look(self, frame: Frame, now: float) -> bool:
        """Look for the label; whether it was ever seen."""
        # Searching the whole picture takes a while: on the first frame, then ever more rarely while nothing is found.
        everywhere = now >= self._next_search
        sighting = self._finder.look(frame, everywhere=everywhere)
        if everywhere and sighting is None:
            self._next_search = max(1.0, 2 * now)
        if not self._looks:
            self._stills.append(_still("the first frame", frame, sighting))
        elif sighting is None and self._looks[-1][1] is not None and len(self._stills) == 1:
            self._stills.append(_still(f"the label is missing from {now:.2f} s on", frame))
        self._looks.append((now, sighting))
        self._was_seen = self._was_seen or sighting is not None
        return self._was_seen


def _still(caption: str, frame: Frame, sighting: Sighting | None = None) -> Still:
    rgb = rgb_from_frame(frame)
    if sighting is not None:
        corner = sighting.left + sighting.width, sighting.top + sighting.height
        rgb = cv2.rectangle(
            rgb.copy(), (sighting.left, sighting.top), corner, (255, 200, 0), max(2, max(rgb.shape) // 300)
        )
    shrink = min(1.0, _STILL_WIDTH / max(rgb.shape[:2]))
    small = cv2.resize(rgb, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return Still(caption=caption, rgb=np.ascontiguousarray(small, np.uint8))
