"""Crops from planes show the same as crops from RGB, wherever they are, however much they shrink."""

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bianlian.records.frame import ColourSpec, Frame, Matrix
from bianlian.tracking.sampling import FrameSampler, RgbSampler, image_from_square
from tests.material import frame_of


def blob(x: float, y: float, size=(300, 400), sigma=12.0):
    rows, columns = np.mgrid[: size[0], : size[1]]
    light = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return np.repeat(np.rint(255 * light).astype(np.uint8)[..., None], 3, axis=2)


@given(
    x=st.floats(120, 280),
    y=st.floats(100, 200),
    square=st.floats(80, 900),
    turn=st.floats(-3, 3),
    planar=st.booleans(),
)
def test_a_point_is_found_where_the_matrix_says(x, y, square, turn, planar):
    picture = blob(x, y)
    sampler = FrameSampler(frame_of(picture)) if planar else RgbSampler(picture)
    matrix = image_from_square(x + 5, y - 7, square, turn, 128)
    crop = sampler.sample(matrix, 128)[..., 1]
    crop = np.maximum(crop - 0.05, 0)
    rows, columns = np.mgrid[:128, :128]
    seen = matrix @ [np.average(columns, weights=crop), np.average(rows, weights=crop), 1]
    assert np.hypot(*(seen - [x, y])) < 0.5


def test_planes_and_rgb_give_the_same_colours():
    rgb = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8), (0, 0), 9)
    matrix = image_from_square(80, 60, 90, 0.3, 64)
    difference = FrameSampler(frame_of(rgb)).sample(matrix, 64) - RgbSampler(rgb).sample(matrix, 64)
    assert np.abs(difference).max() < 0.04


def test_outside_is_black():
    white = np.full((40, 60, 3), 255, np.uint8)
    matrix = image_from_square(0, 0, 400, 0.0, 128)
    for sampler in (RgbSampler(white), FrameSampler(frame_of(white))):
        crop = sampler.sample(matrix, 128)
        assert crop[:60].max() < 0.02
        assert crop[66:74, 66:80].min() > 0.95
    far = image_from_square(5000, 5000, 1000, 0.0, 128)
    assert FrameSampler(frame_of(white)).sample(far, 128).max() < 0.02


@pytest.mark.parametrize(("shift", "depth"), [((0, 0), 8), ((0, 1), 8), ((1, 1), 10)])
def test_any_chroma_size_and_depth(shift, depth):
    dtype, code = (np.uint8, 1) if depth == 8 else (np.uint16, 4)
    shape = (64 >> shift[0], 96 >> shift[1])
    orange = Frame(
        index=0,
        instant=frame_of(np.zeros((2, 2, 3), np.uint8)).instant,
        duration=0,
        planes=(
            np.full((64, 96), 145 * code, dtype),
            np.full(shape, 54 * code, dtype),
            np.full(shape, 184 * code, dtype),
        ),
        colour=ColourSpec(matrix=Matrix.SMPTE170M),
        bit_depth=depth,
    )
    crop = FrameSampler(orange).sample(image_from_square(48, 32, 40, 0.0, 32), 32)
    red, green, blue = crop.mean(axis=(0, 1))
    assert red > green > blue
    assert np.ptp(crop, axis=(0, 1)).max() < 1e-5
    straight = dataclasses.replace(orange, colour=ColourSpec(matrix=Matrix.BT709))
    assert not np.allclose(FrameSampler(straight).sample(image_from_square(48, 32, 40, 0.0, 32), 32), crop)
