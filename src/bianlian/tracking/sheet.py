"""The numbered contact sheet of `people`: one tile a person, from the frame where the face is seen best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from bianlian.records.arrays import U8
from bianlian.records.face import Face
from bianlian.records.track import Person

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
    side = max(box.width, box.height) * _ROOM
    scale = TILE / side
    centre_x, centre_y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    tile_from_image = np.array(
        [[scale, 0, TILE / 2 - scale * centre_x], [0, scale, TILE / 2 - scale * centre_y]], np.float32
    )
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    tile = cv2.warpAffine(
        entry.rgb, tile_from_image, (TILE, TILE), flags=how, borderMode=cv2.BORDER_CONSTANT, borderValue=_PAPER
    )
    return tile.astype(np.uint8)


def _write(
    sheet: U8, text: str, where: tuple[int, int], *, size: float, colour: tuple[int, int, int], weight: int = 1
) -> None:
    cv2.putText(sheet, text, where, cv2.FONT_HERSHEY_SIMPLEX, size, colour, weight, cv2.LINE_AA)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"
