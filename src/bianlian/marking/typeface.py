"""Text of the visible label as coverage masks, drawn with the typeface that the package carries."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bianlian.records.arrays import U8, frozen

FONT_FILE = "BianlianLabel-Bold.otf"
INK = 128
"""Coverage from which a pixel counts as ink."""
LINE_PITCH = 1.22
"""Distance between baselines in em: CJK glyphs of two lines stay a third of an em apart."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lettering:
    """Drawn text, cropped to its lines."""

    coverage: U8
    """HxW, 0 background … 255 ink."""
    capital: tuple[int, int, int, int]
    """(top, left, bottom, right) of the ink of the first capital letter, in pixels of `coverage`; bottom, right exclusive."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "coverage", frozen(self.coverage, "coverage", (None, None), np.uint8))

    @property
    def capital_height(self) -> int:
        """Ink height of a capital letter in pixels: the smallest height that the text is judged by (CJK glyphs are taller)."""
        return self.capital[2] - self.capital[0]


def typeface(size: int) -> ImageFont.FreeTypeFont:
    """The label's typeface at `size` pixels per em."""
    drawn = BytesIO((files("bianlian.marking.fonts") / FONT_FILE).read_bytes())
    return ImageFont.truetype(drawn, size, layout_engine=ImageFont.Layout.BASIC)


def letter(lines: tuple[str, ...], capital_px: int) -> Lettering:
    """Draw `lines` at the smallest size whose capital letters are at least `capital_px` pixels of ink high."""
    size = max(4, int(capital_px / 0.76))
    while _capital_ink(font := typeface(size)) < capital_px:
        size += 1
    pitch, width = round(size * LINE_PITCH), round(max(font.getlength(line) for line in lines)) + size // 4
    page = Image.new("L", (width, pitch * len(lines) + size), 0)
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((0, number * pitch), line, font=font, fill=255)
    drawn = np.asarray(page)
    rows, columns = np.flatnonzero(drawn.max(axis=1)), np.flatnonzero(drawn.max(axis=0))
    top, left = int(rows[0]), int(columns[0])
    capital = _capital_box(lines[0], font)
    return Lettering(
        coverage=np.ascontiguousarray(drawn[top : rows[-1] + 1, left : columns[-1] + 1]),
        capital=(capital[0] - top, capital[1] - left, capital[2] - top, capital[3] - left),
    )


def fitted(text: str, capital_px: int, width: int) -> tuple[str, ...]:
    """One line where `text` is at most `width` pixels wide, else its parts around the dot on lines of their own."""
    font = typeface(int(capital_px / 0.73))
    return (text,) if font.getlength(text) <= width else tuple(text.split(" · "))


def _capital_ink(font: ImageFont.FreeTypeFont) -> int:
    top, _, bottom, _ = _capital_box("A", font)
    return bottom - top


def _capital_box(text: str, font: ImageFont.FreeTypeFont) -> tuple[int, int, int, int]:
    """Where the first letter of `text` has ink when the text is drawn at the origin."""
    page = Image.new("L", (2 * int(font.size) + 2, 2 * int(font.size) + 2), 0)
    ImageDraw.Draw(page).text((0, 0), text[0], font=font, fill=255)
    ink = np.asarray(page) >= INK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
