"""Finds the visible label in decoded pictures by its own letters, and measures it there.

Our label has known words in a known typeface at known places, so it is found by correlation: at its places first, then, where
the picture was scaled or cropped, everywhere by its first word. Height and contrast are measured from what is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, product

import cv2
import numpy as np

from bianlian.marking.label import Corner, Language, draw_plate, lettering_for
from bianlian.marking.typeface import Lettering, letter
from bianlian.marking.watermark.texture import luma_levels
from bianlian.records.arrays import F32
from bianlian.records.frame import Frame, Matrix, Size

ALIKE = 0.75
"""Correlation from which a whole text counts as our label. Measured at 720 px: 0.94 to 0.99 at its place down to CRF 42; pictures
without a label stay below 0.3 there. Half of our text, as in other programs' labels, correlates with 0.7 at most."""
_ALIKE_AGAIN = 0.6
"""The same where the label was found in a frame before."""
_ALIKE_WORD = 0.6
"""Correlation of a first word from which its place is looked at in full; pictures without a label reach 0.48 somewhere."""
_LEAST_SIDE = 128
"""Pixels: capitals would be less than 7 px high."""
_SLACK = 0.012
"""Shares of the shorter side by which a label may lie beside its place: rounding after scaling."""
_SEARCH_SIDE = 300
"""The whole picture is searched at this height of its shorter side: capitals are 16 px there."""
_SEARCH_SHARES = tuple(0.032 * 1.04**step for step in range(26))
"""Heights of capitals over the shorter side that are tried, 3.2 to 8.5 %: whole labels of scaled, cropped and padded copies."""
_FINER = tuple(1 + step / 200 for step in range(-5, 6))
"""Finer sizes for whole texts, where half a per cent moves the last letter by a stroke."""
_SEARCH_TRIES = 4
"""Candidates of the search that are looked at in full."""
_DRAWN_PX = 64
"""Height of the capitals that the sizes for the search are shrunk from."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Letters:
    """Letters to look for."""

    words: str
    ink: F32
    """HxW, 0..1."""
    capital: tuple[int, int, int, int]
    """(top, left, bottom, right) of the first capital within `ink`."""
    place: tuple[int, int]
    """(top, left) where they ought to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The label in one picture."""

    words: str
    top: int
    left: int
    height: int
    width: int
    alike: float
    """Correlation with the letters as drawn, 0..1."""
    ink_share: float
    """Measured height of a capital over the picture's shorter side."""
    contrast: float
    """WCAG contrast of letters and ground, 1..21."""


class LabelFinder:
    """Looks for the label through the pictures of one file; a label that was found is looked for there first."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._known: _Letters | None = None

    def look(self, frame: Frame, *, everywhere: bool) -> Sighting | None:
        """The label in a picture, or None.

        Args:
            frame: of the size that was given.
            everywhere: search the whole picture when the usual places are empty; about a second.
        """
        if min(self._size) < _LEAST_SIDE:
            return None
        ways: tuple[tuple[float, Callable[[], Iterable[_Letters]]], ...] = (
            (_ALIKE_AGAIN, lambda: (self._known,) if self._known else ()),
            (ALIKE, lambda: _planned(self._size)),
            (ALIKE, lambda: _search(frame) if everywhere else ()),
        )
        for least, way in ways:
            seen = [found for letters in way() if (found := _at_place(frame, letters)) and found[0].alike >= least]
            if seen:
                # A text of two lines holds the text of one: the longest that fits is the one that was drawn.
                sighting, self._known = max(seen, key=lambda one: (len(one[0].words), one[0].alike))
                return sighting
        return None


def _planned(size: Size) -> Iterator[_Letters]:
    """Every text at every place."""
    for language in Language:
        lettering = lettering_for(size, language)
        for corner in Corner:
            if corner is not Corner.AUTO:
                plate = draw_plate(size, lettering, corner)
                yield _Letters(
                    words=" / ".join(language.texts),
                    ink=plate.white,
                    capital=plate.capital,
                    place=(plate.top, plate.left),
                )


def _search(frame: Frame) -> Iterator[_Letters]:
    """The whole texts, at the likeliest places and sizes of their first words in the whole picture."""
    shrink = min(1.0, _SEARCH_SIDE / min(frame.size))
    picture = cv2.resize(_luma(frame, *_whole(frame.size)), None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    found: list[tuple[float, _Letters, float]] = []
    for word in dict.fromkeys(language.texts[0].split(" ")[0] for language in Language):
        drawn = letter((word,), _DRAWN_PX)
        for share in _SEARCH_SHARES:
            capital_px = share * min(frame.size)
            small = _shrunk(word, drawn, capital_px * shrink)
            if all(one < whole for one, whole in zip(small.ink.shape, picture.shape, strict=True)):
                alike, (top, left) = _best(picture, small.ink)
                place = top / shrink + small.capital[0] / shrink, left / shrink + small.capital[1] / shrink
                found.append((alike, replace(small, place=(round(place[0]), round(place[1]))), capital_px))
    found.sort(key=lambda one: -one[0])
    for alike, word, capital_px in found[:_SEARCH_TRIES]:
        if alike >= _ALIKE_WORD:
            yield from _texts_from(word, capital_px)


def _texts_from(word: _Letters, capital_px: float) -> Iterator[_Letters]:
    """Our texts that begin with a word, about as large, with their first capital at its place."""
    for language in Language:
        if not language.texts[0].startswith(word.words):
            continue
        whole_or_broken = (((text,), tuple(text.split(" · "))) for text in language.texts)
        for way in product(*whole_or_broken):
            drawn = letter(tuple(chain.from_iterable(way)), _DRAWN_PX)
            for finer in _FINER:
                text = _shrunk(" / ".join(language.texts), drawn, capital_px * finer)
                yield replace(text, place=(word.place[0] - text.capital[0], word.place[1] - text.capital[1]))


def _shrunk(words: str, drawn: Lettering, capital_px: float) -> _Letters:
    """Lettering shrunk to a height, with some ground around: that tells letters from a texture."""
    scale = capital_px / drawn.capital_height
    pad = drawn.capital_height // 5
    ink = np.pad(drawn.coverage / np.float32(255), pad).astype(np.float32)
    small = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top, left, bottom, right = (round((part + pad) * scale) for part in drawn.capital)
    return _Letters(words=words, ink=small, capital=(top, left, bottom, right), place=(0, 0))


def _at_place(frame: Frame, letters: _Letters) -> tuple[Sighting, _Letters] | None:
    """The letters near their place, measured, and where they really are."""
    height, width = frame.size
    tall, wide = letters.ink.shape
    slack = max(3, round(_SLACK * min(frame.size)))
    top, left = max(0, letters.place[0] - slack), max(0, letters.place[1] - slack)
    window = _luma(frame, slice(top, min(height, letters.place[0] + tall + slack)),
                   slice(left, min(width, letters.place[1] + wide + slack)))  # fmt: skip
    if window.shape[0] < tall or window.shape[1] < wide:
        return None
    alike, (down, across) = _best(window, letters.ink)
    if alike < _ALIKE_AGAIN:
        return None
    patch = window[down : down + tall, across : across + wide]
    white, ground = np.median(patch[letters.ink > 0.9]), np.median(patch[letters.ink < 0.05])
    seen = Sighting(
        words=letters.words, top=top + down, left=left + across, height=tall, width=wide, alike=alike,
        ink_share=_ink_height(patch, letters.capital, float(white + ground) / 2) / min(frame.size),
        contrast=_contrast(frame, float(white), float(ground)),
    )  # fmt: skip
    there = _Letters(words=letters.words, ink=letters.ink, capital=letters.capital, place=(top + down, left + across))
    return seen, there


def _best(picture: F32, ink: F32) -> tuple[float, tuple[int, int]]:
    """Highest correlation and its (top, left)."""
    scores = cv2.matchTemplate(picture, ink, cv2.TM_CCOEFF_NORMED)
    scores[~np.isfinite(scores)] = -1  # a flat picture has no correlation
    _, best, _, (left, top) = cv2.minMaxLoc(scores)
    return float(best), (top, left)


def _ink_height(patch: F32, capital: tuple[int, int, int, int], middle: float) -> int:
    """Rows of the first capital that are brighter than `middle` somewhere: its ink as decoded, in pixels."""
    top, left, bottom, right = capital
    first = max(0, top - 3)
    rows = patch[first : bottom + 3, left:right].max(axis=1) > middle
    return int(np.count_nonzero(rows))


def _contrast(frame: Frame, white: float, ground: float) -> float:
    is_full = frame.colour.full_range or frame.colour.matrix == Matrix.RGB
    low, span = (0, 255) if is_full else (16, 219)
    levels = np.clip((np.array([white, ground]) - low) / span, 0, 1)
    light = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return float((light.max() + 0.05) / (light.min() + 0.05)) if white > ground else 1.0


def _whole(size: Size) -> tuple[slice, slice]:
    return slice(0, size[0]), slice(0, size[1])


def _luma(frame: Frame, rows: slice, columns: slice) -> F32:
    """Luma of a part of the picture in 8-bit levels."""
    planes = frame.planes if frame.colour.matrix == Matrix.RGB else frame.planes[:1]
    return luma_levels([plane[rows, columns] for plane in planes], frame.bit_depth)
