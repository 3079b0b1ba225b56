"""The numbered contact sheet of `people`: one tile a person, from the frame where the face is seen best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from bianlian.records.arrays import U8
from bianlian.records.face import Face
from bianlian.records.track import Person
from bianlian.tracking.sampling import RgbSampler, image_from_square

TILE = 240
_CAPTION = 46
_GAP = 12
_PAPER, _INK, _PALE = (250, 250, 250), (20, 20, 20), (120, 120, 120)
_ROOM = 1.7
"""Side of the tile's picture over the size of the face."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SheetEntry:
    """A person and the picture to show."""

    person: Person
    rgb: U8
    """HxWx3, the whole frame `person.best_frame`."""
    face: Face
    """The person's face in that frame."""


def contact_sheet(entries: Sequence[SheetEntry], *, columns: int = 4) -> U8:
    """HxWx3 RGB sheet, tiles in the order given, at most `columns` in a row."""
    columns = max(1, min(columns, len(entries)))
    rows = max(1, -(-len(entries) // columns))
    pitch_x, pitch_y = TILE + _GAP, TILE + _CAPTION + _GAP
    sheet = np.full((rows * pitch_y + _GAP, columns * pitch_x + _GAP, 3), _PAPER, np.uint8)
    for number, entry in enumerate(entries):
        row, column = divmod(number, columns)
        _draw(sheet, entry, _GAP + column * pitch_x, _GAP + row * pitch_y)
    return sheet


def _draw(sheet: U8, entry: SheetEntry, left: int, top: int) -> None:
    person = entry.person
    sheet[top : top + TILE, left : left + TILE] = _portrait(entry)
    baseline = top + TILE + 30
    _write(sheet, str(person.number), (left + 2, baseline + 4), size=1.1, colour=_INK, weight=2)
    seen = f"{_clock(person.first.seconds)} - {_clock(person.last.seconds)}"
    across = left + 14 + 24 * len(str(person.number))
    _write(sheet, seen, (across, baseline - 10), size=0.45, colour=_INK)
    _write(sheet, f"{person.frame_count} frames", (across, baseline + 8), size=0.4, colour=_PALE)


def _portrait(entry: SheetEntry) -> U8:
    box = entry.face.box
    centre_x, centre_y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    image_from_tile = image_from_square(centre_x, centre_y, max(box.width, box.height) * _ROOM, 0.0, TILE)
    return cv2.convertScaleAbs(RgbSampler(entry.rgb).sample(image_from_tile, TILE), alpha=255)


def _write(
    sheet: U8, text: str, where: tuple[int, int], *, size: float, colour: tuple[int, int, int], weight: int = 1
) -> None:
    cv2.putText(sheet, text, where, cv2.FONT_HERSHEY_SIMPLEX, size, colour, weight, cv2.LINE_AA)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"
