"""The album: which frames it keeps, and that a kept face is the footage's own, to the bit."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bianlian.imaging.colour import PixelBox, rgb_float_from_frame
from bianlian.records.face import Box, Quality
from bianlian.records.frame import ColourSpec, Frame
from bianlian.records.time import Instant
from bianlian.tracking.album import PLACES, Album, places_of
from bianlian.tracking.observation import FrameObservation, ObservedFace, box_of

SIZE = (270, 360)


@given(st.integers(1, 10**7))
def test_places_are_dozens_and_those_of_a_longer_clip_are_among_them(count: int) -> None:
    places = places_of(count)
    assert min(count, PLACES // 2) <= len(places) <= PLACES
    assert set(range(0, count, places_of(2 * count).step)) <= set(places)


def test_a_kept_face_is_the_footages_own_and_the_rest_is_empty() -> None:
    album = Album()
    footage = [_frame(index) for index in range(200)]
    for frame in footage:
        album.see(frame, _observed(frame.index))
    for index in places_of(len(footage)):
        box = box_of(_points(index))
        kept = album.picture(index, box)
        assert kept is not None
        assert kept.instant == footage[index].instant
        part = PixelBox(
            left=int(box.left) - 4, top=int(box.top) - 4, right=int(box.right) + 5, bottom=int(box.bottom) + 5
        ).clipped(SIZE)
        assert np.array_equal(rgb_float_from_frame(kept, part), rgb_float_from_frame(footage[index], part))
        assert not kept.planes[0][:, -20:].any()


def test_what_was_not_kept_is_not_made_up() -> None:
    album = Album()
    for index in range(200):
        album.see(_frame(index), _observed(index))
    assert album.picture(1, box_of(_points(1))) is None, "not a place"
    assert album.picture(0, Box(left=200, top=20, right=300, bottom=140)) is None, "another face"


def _frame(index: int) -> Frame:
    random = np.random.default_rng(index)
    planes = [random.integers(1, 255, size, np.uint8) for size in (SIZE, (135, 180), (135, 180))]
    return Frame(
        index=index, instant=Instant(pts=index, time_base=Fraction(1, 30)), duration=1,
        planes=(planes[0], planes[1], planes[2]), colour=ColourSpec(), bit_depth=8,
    )  # fmt: skip


def _points(index: int) -> np.ndarray:
    points = np.random.default_rng(5).random((478, 3)).astype(np.float32)
    return points * np.array([90, 120, 1], np.float32) + np.array([10 + index / 5, 60, 0], np.float32)


def _observed(index: int) -> FrameObservation:
    face = ObservedFace(
        tracklet=1, points_image=_points(index), expression=np.zeros(52, np.float32),
        quality=Quality(size_px=120, sharpness=1, presence=1, covered=0),
    )  # fmt: skip
    return FrameObservation(
        index=index,
        instant=Instant(pts=index, time_base=Fraction(1, 30)),
        is_cut=False,
        faces=(face,),
        identities=(),
    )
