"""The visible label: which text, where, how large, and drawing it into a frame's own planes.

GB 45438-2025, 5.4: text with an AI element and a generation element, on the start frame, at an edge or a corner, at least
5 % of the shorter side high, at least 2 s. Regulation (EU) 2024/1689, article 50: an "AI" mark for the whole duration.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from bianlian.errors import CallerError, ConsentRefused
from bianlian.marking.typeface import Lettering, fitted, letter
from bianlian.records.arrays import F32, Plane, frozen
from bianlian.records.face import Box
from bianlian.records.frame import ColourSpec, Frame, Matrix, Size
from bianlian.records.grant import Grant
from bianlian.records.time import Instant

LEGAL_INK_SHARE = 0.05
"""Least text height over the frame's shorter side (GB 45438-2025, 5.2 and 5.4 f)."""
CAPITAL_SHARE = 0.053
"""Height of our capitals over the shorter side; CJK glyphs are then 6.5 % high. Above the limit by what a codec's blur takes."""
LEAST_OPENING_SECONDS = 2
"""GB 45438-2025, 5.4 g."""
PLATE_OPACITY = 0.8
"""White on black at this opacity keeps a contrast above 12:1 on pure white (WCAG asks 4.5)."""
MARGIN_SHARE = 0.02
PADDING_SHARE = 0.016


class Language(Enum):
    """The label's language; every text holds an AI element and a generation element."""

    ZH = "zh"
    EN = "en"
    BOTH = "zh+en"

    @property
    def texts(self) -> tuple[str, ...]:
        chinese, english = "AI合成 · 人脸替换", "AI-generated · face replaced"
        return {Language.ZH: (chinese,), Language.EN: (english,), Language.BOTH: (chinese, english)}[self]


class Corner(Enum):
    """Places at the frame's edge, in the order in which they are tried; `AUTO` begins with the first."""

    AUTO = "auto"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"
    TOP_LEFT = "top-left"
    TOP_RIGHT = "top-right"
    BOTTOM = "bottom"
    TOP = "top"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelStyle:
    """What a user may choose about the label; its absence is not among it."""

    language: Language = Language.ZH
    corner: Corner = Corner.AUTO
    """Preferred place; another is taken where this one would cover a face for longer."""
    has_eu_mark: bool = False
    """An "AI" mark at the top right besides the text, for the whole duration."""
    opening_seconds: Fraction = Fraction(0)
    """0: for the whole duration. Else only for this long, at least 2 s, and only where every receipt permits it."""

    def __post_init__(self) -> None:
        if self.opening_seconds and self.opening_seconds < LEAST_OPENING_SECONDS:
            raise CallerError(
                f"An opening label of {float(self.opening_seconds):g} s is too short.",
                advice=f"The law asks for at least {LEAST_OPENING_SECONDS} s at normal speed; 5 s is the usual choice.",
            )


OPENING = Fraction(5)
"""Usual length of the opening profile in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plate:
    """One drawn plate: a dark ground with white letters on it, at even coordinates."""

    top: int
    left: int
    keep: F32
    """HxW, 0..1: how much of the picture shows through."""
    white: F32
    """HxW, 0..1: how much white letter there is; the rest, 1 - keep - white, is black ground."""
    capital: tuple[int, int, int, int]
    """(top, left, bottom, right) of a capital's ink within the plate, for measuring."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "keep", frozen(self.keep, "keep", (None, None), np.float32))
        object.__setattr__(self, "white", frozen(self.white, "white", (None, None), np.float32))

    @property
    def box(self) -> Box:
        height, width = self.keep.shape
        return Box(left=self.left, top=self.top, right=self.left + width, bottom=self.top + height)


@dataclass(frozen=True, slots=True)
class _Stamp:
    """A plate in the units of one plane: value' = (value * keep + add) >> 8 inside the rectangle."""

    window: tuple[slice, slice]
    keep: npt.NDArray[np.uint32]
    add: npt.NDArray[np.uint32]

    def press(self, plane: Plane) -> None:
        plane[self.window] = ((plane[self.window] * self.keep + self.add) >> 8).astype(plane.dtype)


class Label:
    """A planned label, drawn once and pressed into every frame."""

    def __init__(
        self, *, size: Size, text: Plate, corner: Corner, marks: tuple[Plate, ...], start: Instant, seconds: Fraction
    ) -> None:
        self.size = size
        self.text = text
        self.corner = corner
        self.marks = marks
        self._start = start.exact
        self._seconds = seconds
        self._stamps: dict[tuple[bool, int, tuple[int, int], ColourSpec], tuple[tuple[_Stamp, ...], ...]] = {}

    def is_shown_at(self, instant: Instant) -> bool:
        """Whether the text is to be seen at `instant` of the stream."""
        return not self._seconds or instant.exact - self._start < self._seconds

    def apply(self, frame: Frame) -> Frame:
        """Return the frame with the label pressed into its planes; pixels outside the plates stay bit-identical.

        Raises:
            CallerError: the frame has another size than the label was planned for.
        """
        if frame.size != self.size:
            raise CallerError(f"The label was planned for {self.size[::-1]}, the frame is {frame.size[::-1]}.")
        shows_text = self.is_shown_at(frame.instant)
        if not shows_text and not self.marks:
            return frame
        key = (shows_text, frame.bit_depth, frame.chroma_shift, frame.colour)
        if key not in self._stamps:
            plates = (self.text, *self.marks) if shows_text else self.marks
            self._stamps[key] = _stamps(plates, frame)
        planes = tuple(plane.copy() for plane in frame.planes)
        for plane, stamps in zip(planes, self._stamps[key], strict=True):
            for stamp in stamps:
                stamp.press(plane)
        return replace(frame, planes=planes)


def plan_label(
    size: Size, face_boxes: Iterable[Box], *, style: LabelStyle, start: Instant, grants: Sequence[Grant] = ()
) -> Label:
    """Draw the label for frames of `size` and find the place where it covers faces least.

    Args:
        size: (height, width) of the frames.
        face_boxes: boxes of all faces of all frames of the clip, in any order.
        style: the user's choice.
        start: stamp of the clip's first frame; the opening profile counts from it.
        grants: the job's grants, asked whether they permit the opening profile.

    Raises:
        ConsentRefused: the opening profile without grants that all permit it (code `opening-label`).
    """
    if style.opening_seconds and not (grants and all(grant.permits_opening_label for grant in grants)):
        raise ConsentRefused(
            "The label may leave after the opening only where the receipts name an artistic work.",
            code="opening-label",
            advice="Keep the label for the whole duration, or ask the donor for a receipt that names the work.",
        )
    lettering = lettering_for(size, style.language)
    eu_marks = (draw_plate(size, letter(("AI",), capital_px(size)), Corner.TOP_RIGHT),) if style.has_eu_mark else ()
    taken = [mark.box for mark in eu_marks]
    order = [style.corner, *Corner] if style.corner is not Corner.AUTO else list(Corner)
    places = {corner: draw_plate(size, lettering, corner) for corner in order if corner is not Corner.AUTO}
    places = {corner: plate for corner, plate in places.items() if not any(_shared(plate.box, box) for box in taken)}
    covered = dict.fromkeys(places, 0.0)
    for box in face_boxes:
        for corner, plate in places.items():
            covered[corner] += _shared(plate.box, box)
    corner = min(places, key=covered.__getitem__)
    return Label(
        size=size, text=places[corner], corner=corner, marks=eu_marks, start=start, seconds=style.opening_seconds
    )


def capital_px(size: Size) -> int:
    """Least ink height of a capital letter in pixels for frames of `size`."""
    return int(np.ceil(CAPITAL_SHARE * min(size)))


def lettering_for(size: Size, language: Language) -> Lettering:
    """The label's text as it is drawn into frames of `size`; long lines are broken to fit the width."""
    room = int(size[1] - 2 * (MARGIN_SHARE + 2 * PADDING_SHARE) * min(size))
    lines = tuple(line for text in language.texts for line in fitted(text, capital_px(size), room))
    return letter(lines, capital_px(size))


def draw_plate(size: Size, lettering: Lettering, corner: Corner) -> Plate:
    """Put lettering on a rounded plate at a place at the frame's edge."""
    height, width = size
    margin, padding = _even(MARGIN_SHARE * min(size)), _even(PADDING_SHARE * min(size))
    rows, columns = lettering.coverage.shape
    side = 2 * padding
    tall, wide = _even(rows + 2 * padding + 1), _even(columns + 2 * side + 1)
    at_bottom, place = "bottom" in corner.value, corner.value
    top = _even(height - margin - tall) if at_bottom else margin
    left = (
        margin
        if place.endswith("left")
        else _even(width - margin - wide)
        if place.endswith("right")
        else _even((width - wide) / 2)
    )
    white = np.zeros((tall, wide), np.float32)
    white[padding : padding + rows, side : side + columns] = lettering.coverage / np.float32(255)
    ground = PLATE_OPACITY * _rounded((tall, wide), 1.5 * padding)
    first, start, last, stop = lettering.capital
    return Plate(
        top=top, left=left, keep=((1 - ground) * (1 - white)).astype(np.float32), white=white,
        capital=(first + padding, start + side, last + padding, stop + side),
    )  # fmt: skip


def _stamps(plates: tuple[Plate, ...], frame: Frame) -> tuple[tuple[_Stamp, ...], ...]:
    """Stamps of each of the three planes."""
    depth_scale = 1 << (frame.bit_depth - 8)
    is_rgb = frame.colour.matrix == Matrix.RGB
    top_code = (1 << frame.bit_depth) - 1
    full = is_rgb or frame.colour.full_range
    black, white = (0, top_code) if full else (16 * depth_scale, 235 * depth_scale)
    # HDR reference white, ITU-R BT.2408: 58 % of a PQ signal, 75 % of an HLG signal.
    white = black + (white - black) * {16: 0.58, 18: 0.75}.get(frame.colour.transfer, 1.0)
    luma = tuple(_stamp(plate, black, white, (0, 0)) for plate in plates)
    if is_rgb:
        return luma, luma, luma
    neutral = 128 * depth_scale
    chroma = tuple(_stamp(plate, neutral, neutral, frame.chroma_shift) for plate in plates)
    return luma, chroma, chroma


def _stamp(plate: Plate, black: float, white: float, shift: tuple[int, int]) -> _Stamp:
    down, across = 1 << shift[0], 1 << shift[1]
    keep, ink = _binned(plate.keep, down, across), _binned(plate.white, down, across)
    whole = np.rint(keep * 256)
    add = np.rint(ink * white * 256 + (256 - whole - ink * 256).clip(0) * black) + 128 * (whole < 256)
    top, left = plate.top // down, plate.left // across
    window = (slice(top, top + keep.shape[0]), slice(left, left + keep.shape[1]))
    return _Stamp(window, whole.astype(np.uint32), add.astype(np.uint32))


def _binned(mask: F32, down: int, across: int) -> F32:
    height, width = mask.shape
    return mask.reshape(height // down, down, width // across, across).mean(axis=(1, 3), dtype=np.float32)


def _rounded(size: Size, radius: float) -> F32:
    """Coverage of a rectangle with rounded corners, 0..1, with a soft edge of one pixel."""
    height, width = size
    y = np.maximum(np.abs(np.arange(height) + 0.5 - height / 2) - (height / 2 - radius), 0)
    x = np.maximum(np.abs(np.arange(width) + 0.5 - width / 2) - (width / 2 - radius), 0)
    return (radius + 0.5 - np.hypot(y[:, None], x[None, :])).clip(0, 1).astype(np.float32)


def _shared(one: Box, other: Box) -> float:
    """Shared area in square pixels."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    return max(width, 0.0) * max(height, 0.0)


def _even(value: float) -> int:
    """The even number at or below `value`, so that plates begin and end on whole chroma samples."""
    return int(value) // 2 * 2
