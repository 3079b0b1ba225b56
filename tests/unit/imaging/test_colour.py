"""Planes to RGB and back: what is not written keeps its bits, what is written comes back."""

from fractions import Fraction

import av
import numpy as np
import pytest

from bianlian.imaging.colour import PixelBox, planes_with_rgb, rgb_float_from_frame, rgb_from_frame
from bianlian.records.frame import ColourSpec, Frame, Matrix
from bianlian.records.time import Instant


def frame_of(shift=(1, 1), bit_depth=8, matrix=Matrix.BT709, full_range=False, size=(48, 64), seed=3):
    rng = np.random.default_rng(seed)
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    step = 2 ** (bit_depth - 8)
    height, width = size
    chroma = (-(-height >> shift[0]), -(-width >> shift[1]))
    planes = (
        rng.integers(60 * step, 180 * step, size).astype(dtype),
        rng.integers(110 * step, 140 * step, chroma).astype(dtype),
        rng.integers(110 * step, 140 * step, chroma).astype(dtype),
    )
    return Frame(
        index=0,
        instant=Instant(pts=0, time_base=Fraction(1, 25)),
        duration=1,
        planes=planes,
        colour=ColourSpec(matrix=matrix, full_range=full_range),
        bit_depth=bit_depth,
    )


FORMATS = [
    pytest.param(
        {"shift": shift, "bit_depth": depth, "matrix": matrix, "full_range": full}, id=f"{shift}-{depth}-{matrix.name}"
    )
    for shift, depth, matrix, full in [
        ((1, 1), 8, Matrix.BT709, False),
        ((1, 1), 8, Matrix.SMPTE170M, True),
        ((0, 1), 10, Matrix.BT2020_NCL, False),
        ((0, 0), 10, Matrix.BT709, True),
        ((0, 0), 8, Matrix.RGB, True),
    ]
]


@pytest.mark.parametrize("options", FORMATS)
def test_pixels_outside_the_matte_keep_their_bits(options):
    frame = frame_of(**options)
    box = PixelBox(left=9, top=7, right=41, bottom=33).clipped(frame.size)
    matte = np.zeros(box.size, np.uint8)
    matte[8:20, 8:20] = 255
    planes = planes_with_rgb(frame, box, np.zeros((*box.size, 3), np.float32), matte)
    for plane, before in zip(planes, frame.planes, strict=True):
        ratio_y, ratio_x = frame.size[0] // before.shape[0], frame.size[1] // before.shape[1]
        touched = np.zeros(frame.size, bool)
        touched[box.top + 8 : box.top + 20, box.left + 8 : box.left + 20] = True
        touched = touched.reshape(before.shape[0], ratio_y, before.shape[1], ratio_x).any(axis=(1, 3))
        assert np.array_equal(plane[~touched], before[~touched])
        assert (plane[touched] != before[touched]).mean() > 0.9


@pytest.mark.parametrize("options", FORMATS)
def test_writing_back_what_was_read_changes_luma_by_at_most_one_code(options):
    frame = frame_of(**options)
    box = PixelBox(left=0, top=0, right=64, bottom=48)
    planes = planes_with_rgb(frame, box, rgb_float_from_frame(frame, box), np.full(box.size, 255, np.uint8))
    assert np.abs(planes[0].astype(int) - frame.planes[0].astype(int)).max() <= 1


def test_box_equals_the_same_part_of_the_whole_but_for_the_chroma_rim():
    frame = frame_of()
    box = PixelBox(left=10, top=12, right=40, bottom=40)
    part, all_of_it = rgb_from_frame(frame, box), rgb_from_frame(frame)
    assert np.array_equal(part[2:-2, 2:-2], all_of_it[14:38, 12:38])


@pytest.mark.parametrize("odd_size", [(47, 63), (48, 63)])
def test_odd_sizes(odd_size):
    frame = frame_of(size=odd_size)
    assert rgb_from_frame(frame).shape == (*odd_size, 3)
    box = PixelBox(left=30, top=20, right=70, bottom=60).clipped(odd_size)
    planes = planes_with_rgb(frame, box, rgb_float_from_frame(frame, box), np.full(box.size, 255, np.uint8))
    assert [p.shape for p in planes] == [p.shape for p in frame.planes]


def test_agrees_with_ffmpeg_on_flat_colours():
    for rgb in [(200, 30, 40), (20, 180, 60), (128, 128, 128), (250, 240, 230)]:
        picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), rgb, np.uint8), format="rgb24")
        yuv = picture.reformat(format="yuv420p", dst_colorspace="ITU709").to_ndarray()
        frame = Frame(
            index=0,
            instant=Instant(pts=0, time_base=Fraction(1, 25)),
            duration=1,
            planes=(yuv[:32].copy(), yuv[32:40].reshape(16, 16).copy(), yuv[40:48].reshape(16, 16).copy()),
            colour=ColourSpec(matrix=Matrix.BT709),
            bit_depth=8,
        )
        assert np.abs(rgb_from_frame(frame)[16, 16].astype(int) - rgb).max() <= 3
