"""The black level: what haze adds to a picture is told, taken off and put back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bianlian.imaging.black import black_level, darkest, raised, sunk
from bianlian.records.arrays import U8
from tests.material import frame_of, pictures

FOOTAGE = "demo/demo_footage.mp4"


def hazy(picture: U8, haze: float) -> U8:
    return np.rint(255 * haze + (1 - haze) * picture).astype(np.uint8)


@given(black=st.floats(0, 0.5), values=st.lists(st.floats(-0.125, 1.125), min_size=3, max_size=3))
def test_sinking_and_raising_undo_each_other(black: float, values: list[float]) -> None:
    rgb = np.array([[values]], np.float32)
    assert np.allclose(raised(sunk(rgb, black), black), rgb, atol=1e-5)


def test_clear_footage_has_no_black_level() -> None:
    assert black_level(darkest(frame_of(picture)) for picture in pictures(FOOTAGE, 8, 0, 15)) == 0


@pytest.mark.parametrize("haze", [0.1, 0.2, 0.3])
def test_the_haze_is_told(haze: float) -> None:
    levels = [darkest(frame_of(hazy(picture, haze))) for picture in pictures(FOOTAGE, 8, 0, 15)]
    assert haze - 0.03 < black_level(levels) < haze + 0.02


def test_black_bars_are_no_part_of_the_picture() -> None:
    barred = [
        cv2.copyMakeBorder(hazy(picture, 0.2), 80, 80, 40, 40, cv2.BORDER_CONSTANT)
        for picture in pictures(FOOTAGE, 8, 0, 15)
    ]
    assert black_level(darkest(frame_of(picture)) for picture in barred) > 0.15


def test_one_dark_frame_clears_a_clip() -> None:
    assert black_level([0.2, 0.2, 0.03]) == 0
    assert black_level([]) == 0
