"""The label is found by its letters wherever it went, measured as decoded, and never seen where it is not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from bianlian.marking.label import (
    LEGAL_INK_SHARE,
    Corner,
    LabelStyle,
    Language,
    Plate,
    capital_px,
    draw_plate,
    plan_label,
)
from bianlian.marking.typeface import letter
from bianlian.records.arrays import U8
from bianlian.records.frame import ColourSpec, Frame, Matrix, Size
from bianlian.records.time import Instant
from bianlian.verification.label_finder import LabelFinder, Sighting
from tests.material import frame_of, scene

START = Instant(pts=0, time_base=Fraction(1, 25))
PLACES = [corner for corner in Corner if corner is not Corner.AUTO]


def labelled(size: Size, language: Language = Language.ZH, corner: Corner = Corner.BOTTOM_LEFT) -> Frame:
    style = LabelStyle(language=language, corner=corner)
    return plan_label(size, [], style=style, start=START).apply(frame_of(scene(size)))


def luma_of(frame: Frame) -> U8:
    return np.asarray(frame.planes[0], np.uint8)


def grey(luma: np.ndarray) -> Frame:
    even = luma[: luma.shape[0] // 2 * 2, : luma.shape[1] // 2 * 2]
    return frame_of(np.repeat(np.ascontiguousarray(even, np.uint8)[..., None], 3, axis=2))


def found_in(frame: Frame, *, everywhere: bool = True) -> Sighting:
    seen = LabelFinder(frame.size).look(frame, everywhere=everywhere)
    assert seen is not None
    return seen


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("size", [(360, 640), (720, 406), (480, 480)], ids=["landscape", "portrait", "square"])
def test_every_text_at_every_place_is_found_and_high_enough(size: Size, language: Language) -> None:
    for corner in PLACES:
        seen = found_in(labelled(size, language, corner), everywhere=False)
        assert seen.words == " / ".join(language.texts)
        assert seen.ink_share >= LEGAL_INK_SHARE
        assert seen.contrast > 12


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("share", [0.75, 0.5, 1.6])
def test_scaled_copies(language: Language, share: float) -> None:
    small = cv2.resize(luma_of(labelled((480, 640), language)), None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    seen = found_in(grey(small))
    assert seen.words == " / ".join(language.texts)
    assert seen.ink_share == pytest.approx(0.054, abs=0.006)


@pytest.mark.parametrize("language", Language)
def test_cropped_copies_that_keep_the_label(language: Language) -> None:
    luma = luma_of(labelled((480, 640), language))
    seen = found_in(grey(luma[70:, :600]))
    assert seen.words == " / ".join(language.texts)
    assert abs(seen.left - 8) <= 12
    assert seen.top > 300


def test_heavy_compression() -> None:
    _, jpeg = cv2.imencode(".jpg", luma_of(labelled((360, 480))), (cv2.IMWRITE_JPEG_QUALITY, 12))
    assert found_in(grey(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)))).ink_share >= LEGAL_INK_SHARE


def test_ten_bits_and_rgb() -> None:
    frame = labelled((360, 480))
    deep = replace(frame, planes=tuple(plane.astype(np.uint16) * 4 for plane in frame.planes), bit_depth=10)
    assert found_in(deep).ink_share >= LEGAL_INK_SHARE
    luma = luma_of(frame)
    rgb = replace(frame, planes=(luma, luma.copy(), luma.copy()), colour=ColourSpec(matrix=Matrix.RGB))
    assert found_in(rgb).ink_share >= LEGAL_INK_SHARE


def test_no_label_is_none() -> None:
    size = (360, 480)
    noise = np.random.default_rng(5).integers(0, 255, size, np.uint8)
    for frame in (frame_of(scene(size)), grey(noise), grey(np.full(size, 90, np.uint8))):
        assert LabelFinder(size).look(frame, everywhere=True) is None


@pytest.mark.parametrize(
    "words", ["AI合成", "AI生成", "AI-generated", "AI合成 · 数字人像", "Breaking news from Chengdu"]
)
def test_other_peoples_labels_in_the_same_letters_are_not_ours(words: str) -> None:
    size = (360, 640)
    plate = draw_plate(size, letter((words,), capital_px(size)), Corner.BOTTOM_LEFT)
    assert LabelFinder(size).look(grey(pressed(plate, size)), everywhere=True) is None


def test_a_label_that_was_found_is_followed_and_a_lost_one_is_missed() -> None:
    frame, finder = labelled((360, 480)), LabelFinder((360, 480))
    assert finder.look(frame, everywhere=True)
    assert finder.look(frame, everywhere=False)
    assert finder.look(frame_of(scene((360, 480))), everywhere=False) is None
    assert finder.look(frame, everywhere=False)


def test_pictures_too_small_for_letters_have_none() -> None:
    assert LabelFinder((48, 64)).look(frame_of(scene((48, 64))), everywhere=True) is None


def pressed(plate: Plate, size: Size) -> np.ndarray:
    picture = scene(size)[..., 0].astype(np.float32)
    rows, columns = (
        slice(plate.top, plate.top + plate.keep.shape[0]),
        slice(plate.left, plate.left + plate.keep.shape[1]),
    )
    picture[rows, columns] = picture[rows, columns] * plate.keep + 235 * plate.white
    return picture.round().astype(np.uint8)
