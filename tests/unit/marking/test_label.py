"""The visible label: high enough, legible on anything, beside the faces, and nowhere but on its plate."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bianlian.errors import CallerError, ConsentRefused
from bianlian.marking.label import LEGAL_INK_SHARE, Corner, Label, LabelStyle, Language, Plate, plan_label
from bianlian.records.face import Box
from bianlian.records.frame import ColourSpec, Frame, Matrix, Size
from bianlian.records.grant import Grant
from bianlian.records.time import Instant

START = Instant(pts=900, time_base=Fraction(1, 90_000))
SIZES = [(360, 640), (640, 360), (720, 1280), (1280, 720), (1080, 1920), (2160, 3840), (3840, 2160), (512, 512)]


def flat(
    size: Size, level: int = 128, *, shift: tuple[int, int] = (1, 1), depth: int = 8, colour: ColourSpec | None = None
) -> Frame:
    """A grey frame; `level` in units of 8 bits."""
    dtype, scale = (np.uint8, 1) if depth == 8 else (np.uint16, 1 << (depth - 8))
    chroma = tuple(-(-side // 2**step) for side, step in zip(size, shift, strict=True))
    colour = colour or ColourSpec()
    neutral = level if colour.matrix == Matrix.RGB else 128
    planes = (np.full(size, level * scale, dtype), *(np.full(chroma, neutral * scale, dtype) for _ in range(2)))
    return Frame(index=0, instant=START, duration=1, planes=planes, colour=colour, bit_depth=depth)


def planned(size: Size, style: LabelStyle | None = None, boxes: tuple[Box, ...] = ()) -> Label:
    return plan_label(size, boxes, style=style or LabelStyle(), start=START)


def ink(frame: Frame, plate: Plate) -> np.ndarray:
    """Where a plate's pixels are brighter than half-way from its ground to its letters."""
    rows = slice(plate.top, plate.top + plate.keep.shape[0])
    drawn = frame.planes[0][rows, plate.left : plate.left + plate.keep.shape[1]].astype(float)
    return drawn > (np.percentile(drawn, 5) + drawn.max()) / 2


def grant(*, permits_opening_label: bool) -> Grant:
    return Grant(
        donor_id="d", receipt_id="r", receipt_sha256="0" * 64, template_commitment="c", job_id="j",
        source_sha256="1" * 64, person=1, purpose="film", permits_opening_label=permits_opening_label,
        expires=datetime(2030, 1, 1, tzinfo=UTC),
    )  # fmt: skip


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[1]}x{size[0]}")
def test_ink_is_higher_than_the_law_asks(size: Size, language: Language) -> None:
    label = planned(size, LabelStyle(language=language))
    top, left, bottom, right = label.text.capital
    rows = ink(label.apply(flat(size)), label.text)[top - 2 : bottom + 2, left:right].any(axis=1)
    assert rows.sum() / min(size) >= LEGAL_INK_SHARE
    assert label.text.box.right <= size[1]
    assert label.text.box.bottom <= size[0]


def test_every_text_has_an_ai_element_and_a_generation_element() -> None:
    for language in Language:
        for text in language.texts:
            assert "AI" in text
            assert "合成" in text or "generated" in text


@pytest.mark.parametrize("level", [16, 60, 126, 180, 235])
def test_contrast_on_any_background(level: int) -> None:
    size = 360, 640
    label = planned(size)
    frame = label.apply(flat(size, level))
    rows = slice(label.text.top, label.text.top + label.text.keep.shape[0])
    drawn = frame.planes[0][rows, label.text.left : label.text.left + label.text.keep.shape[1]].astype(float)
    signal = np.clip((drawn - 16) / 219, 0, 1)
    light = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    letters, ground = (
        light[label.text.white > 0.95].min(),
        light[10:-10, 10:-10][label.text.white[10:-10, 10:-10] == 0].max(),
    )
    assert (letters + 0.05) / (ground + 0.05) > 10


@given(
    height=st.integers(60, 200).map(lambda half: 2 * half), width=st.integers(60, 200).map(lambda half: 2 * half),
    shift=st.sampled_from([(1, 1), (0, 1), (0, 0)]), depth=st.sampled_from([8, 10, 12]),
    full_range=st.booleans(), corner=st.sampled_from(Corner), has_eu_mark=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_everything_beside_the_plates_stays_to_the_bit(
    *,
    height: int,
    width: int,
    shift: tuple[int, int],
    depth: int,
    full_range: bool,
    corner: Corner,
    has_eu_mark: bool,
    seed: int,
) -> None:
    random, size = np.random.default_rng(seed), (height, width)
    blank = flat(size, shift=shift, depth=depth, colour=ColourSpec(full_range=full_range))
    noise = tuple(random.integers(0, 1 << depth, plane.shape).astype(plane.dtype) for plane in blank.planes)
    label = planned(size, LabelStyle(corner=corner, has_eu_mark=has_eu_mark))
    before = replace(blank, planes=noise)
    after = label.apply(before)
    for number, (old, new) in enumerate(zip(before.planes, after.planes, strict=True)):
        down, across = (0, 0) if number == 0 else shift
        outside = np.ones(old.shape, bool)
        for plate in (label.text, *label.marks):
            box = plate.box
            outside[
                int(box.top) >> down : int(box.bottom) >> down, int(box.left) >> across : int(box.right) >> across
            ] = False
        assert np.array_equal(old[outside], new[outside])
        assert not np.array_equal(old, new)
        assert new.max() < 1 << depth
    assert (after.instant, after.duration, after.index, after.colour) == (
        before.instant,
        before.duration,
        0,
        before.colour,
    )


def test_odd_sizes_rgb_and_hdr_levels() -> None:
    odd = planned((361, 641)).apply(flat((361, 641)))
    assert odd.planes[0].max() > 200
    rgb = planned((360, 640)).apply(flat((360, 640), shift=(0, 0), colour=ColourSpec(matrix=Matrix.RGB)))
    assert all(plane.max() > 250 for plane in rgb.planes)
    assert np.array_equal(rgb.planes[0], rgb.planes[2])
    pq = planned((360, 640)).apply(flat((360, 640), 64, depth=10, colour=ColourSpec(transfer=16)))
    assert pq.planes[0].max() == pytest.approx(64 + 0.58 * 876, abs=3), (
        "reference white of PQ, not ten thousand candelas"
    )


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 260), st.integers(30, 140)), max_size=6))
@settings(max_examples=60, deadline=None)
def test_the_label_lies_where_it_covers_faces_least(faces: list[tuple[int, int, int]]) -> None:
    boxes = tuple(Box(left=x, top=y, right=x + side, bottom=y + side) for x, y, side in faces)

    def covered(label: Label) -> float:
        return sum(_shared(label.text.box, box) for box in boxes)

    chosen = covered(planned((360, 640), boxes=boxes))
    for corner in Corner:
        if corner is not Corner.AUTO:  # a corner asked for is taken unless another covers less
            assert chosen <= covered(planned((360, 640), LabelStyle(corner=corner))) + 1e-6


def test_the_asked_corner_is_taken_unless_it_covers_a_face() -> None:
    style = LabelStyle(corner=Corner.TOP_LEFT)
    assert planned((360, 640), style).corner is Corner.TOP_LEFT
    face = Box(left=0, top=0, right=150, bottom=150)
    assert planned((360, 640), style, (face,)).corner is Corner.BOTTOM_LEFT


def test_the_eu_mark_stands_at_the_top_right_and_the_text_elsewhere() -> None:
    label = planned((360, 640), LabelStyle(has_eu_mark=True, corner=Corner.TOP_RIGHT))
    (mark,) = label.marks
    assert mark.box.right > 620
    assert mark.top < 20
    assert ink(label.apply(flat((360, 640))), mark).any(axis=1).sum() >= LEGAL_INK_SHARE * 360
    assert _shared(mark.box, label.text.box) == 0


def test_the_opening_profile_needs_the_receipts_permission() -> None:
    style = LabelStyle(opening_seconds=Fraction(5))
    for grants in (
        (),
        (grant(permits_opening_label=False),),
        (grant(permits_opening_label=True), grant(permits_opening_label=False)),
    ):
        with pytest.raises(ConsentRefused) as caught:
            plan_label((360, 640), [], style=style, start=START, grants=grants)
        assert caught.value.code == "opening-label"


def test_the_opening_profile_ends_exactly_and_keeps_the_eu_mark() -> None:
    style = LabelStyle(opening_seconds=Fraction(2), has_eu_mark=True)
    label = plan_label((360, 640), [], style=style, start=START, grants=(grant(permits_opening_label=True),))
    last, after = (
        replace(flat((360, 640)), instant=Instant(pts=900 + ticks, time_base=START.time_base))
        for ticks in (179_999, 180_000)
    )
    assert label.is_shown_at(last.instant)
    assert not label.is_shown_at(after.instant)
    assert ink(label.apply(last), label.text).any()
    drawn = label.apply(after).planes[0]
    box, (mark,) = label.text.box, label.marks
    assert np.ptp(drawn[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]) == 0
    assert ink(label.apply(after), mark).any()


def test_less_than_two_seconds_cannot_be_asked_for() -> None:
    with pytest.raises(CallerError):
        LabelStyle(opening_seconds=Fraction(199, 100))


def test_a_frame_of_another_size_is_refused() -> None:
    with pytest.raises(CallerError):
        planned((360, 640)).apply(flat((640, 360)))


def _shared(one: Box, other: Box) -> float:
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    return max(width, 0) * max(height, 0)
