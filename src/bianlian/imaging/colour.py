"""Between a frame's own planes and RGB, for a box at a time, and between coded and linear light.

Matrices and ranges: ITU-T H.273 (BT.601, BT.709, BT.2020 non-constant luminance). Chroma is read with bilinear
interpolation and written as the mean of the pixels that share it; siting is taken as centred, which is at most a quarter
pixel off for MPEG-2 siting and cancels between reading and writing.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from bianlian.records.arrays import F32, U8, Plane
from bianlian.records.frame import Frame, Matrix, Size

_LUMA_WEIGHTS = {
    Matrix.BT709: (0.2126, 0.0722),
    Matrix.BT470BG: (0.299, 0.114),
    Matrix.SMPTE170M: (0.299, 0.114),
    Matrix.BT2020_NCL: (0.2627, 0.0593),
}
"""(Kr, Kb) per matrix, H.273 table 4."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""The weights of red, green and blue in how bright coded values look (BT.601)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelBox:
    """A box of whole pixels, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """(rows, columns) of a plane at full size."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def clipped(self, size: Size) -> PixelBox:
        """The part inside a picture of `size`, grown outwards to even edges so that chroma samples are whole."""
        height, width = size
        return PixelBox(
            left=max(0, self.left) // 2 * 2,
            top=max(0, self.top) // 2 * 2,
            right=min(width, -(-max(0, self.right) // 2) * 2),
            bottom=min(height, -(-max(0, self.bottom) // 2) * 2),
        )

    def chroma_slices(self, shift: tuple[int, int]) -> tuple[slice, slice]:
        """(rows, columns) of a chroma plane; the box must have even edges or end at the picture's."""
        down, across = shift
        return (
            slice(self.top >> down, -(-self.bottom >> down)),
            slice(self.left >> across, -(-self.right >> across)),
        )


def whole(size: Size) -> PixelBox:
    """The box of a whole picture."""
    return PixelBox(left=0, top=0, right=size[1], bottom=size[0])


def rgb_from_yuv_matrix(matrix: Matrix, *, full_range: bool, bit_depth: int) -> tuple[F32, F32]:
    """3x3 matrix and offset: coded RGB in 0..1 = (yuv - offset) @ matrix.T for integer code values."""
    kr, kb = _LUMA_WEIGHTS[matrix]
    kg = 1 - kr - kb
    step = 2 ** (bit_depth - 8)
    top_code = float(2**bit_depth - 1)
    luma_scale, chroma_scale = (top_code, top_code) if full_range else (219.0 * step, 224.0 * step)
    offset = np.array([0 if full_range else 16 * step, 128 * step, 128 * step], np.float32)
    unscaled = np.array(
        [[1, 0, 2 * (1 - kr)], [1, -2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg], [1, 2 * (1 - kb), 0]]
    )
    return (unscaled / [luma_scale, chroma_scale, chroma_scale]).astype(np.float32), offset


def rgb_float_from_frame(frame: Frame, box: PixelBox | None = None) -> F32:
    """HxWx3 coded (gamma) RGB, about 0..1, of an even-edged box (see `PixelBox.clipped`) or the whole frame."""
    box = box or whole(frame.size)
    if frame.colour.matrix == Matrix.RGB:
        return np.stack([plane[box.slices] for plane in frame.planes], axis=-1).astype(np.float32) / np.float32(
            2**frame.bit_depth - 1
        )
    yuv = _yuv_at_full_size(frame, box)
    matrix, offset = _matrix_of(frame)
    return cv2.transform(yuv, np.hstack([matrix, (-matrix @ offset)[:, None]]))


def rgb_from_frame(frame: Frame, box: PixelBox | None = None) -> U8:
    """HxWx3 uint8 sRGB-coded picture of an even-edged box or the whole frame, for analysis and display."""
    rgb = rgb_float_from_frame(frame, box)
    return cv2.convertScaleAbs(np.maximum(rgb, 0), alpha=255.0)


def small_rgb_from_frame(frame: Frame, longest: int) -> U8:
    """The whole frame as uint8 sRGB with no side above `longest` pixels, for analysis and thumbnails.

    The planes are shrunk by area before they become RGB: a tenth of the work of the other order, and the same picture but for
    rounding.
    """
    height, width = frame.size
    scale = longest / max(height, width)
    if scale >= 1:
        return rgb_from_frame(frame)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.merge([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in frame.planes])
    if frame.colour.matrix == Matrix.RGB:
        return cv2.convertScaleAbs(small, alpha=255 / (2**frame.bit_depth - 1))
    matrix, offset = _matrix_of(frame)
    rgb = cv2.transform(small.astype(np.float32), np.hstack([matrix, (-matrix @ offset)[:, None]]))
    return cv2.convertScaleAbs(np.maximum(rgb, 0, out=rgb), alpha=255.0)


def luma_from_frame(frame: Frame, *, step: int = 1) -> F32:
    """Coded luma, about 0..1, of every `step`-th pixel of every `step`-th row."""
    planes = [plane[::step, ::step].astype(np.float32) for plane in frame.planes]
    if frame.colour.matrix == Matrix.RGB:
        return np.stack(planes, axis=-1) @ LUMA / np.float32(2**frame.bit_depth - 1)
    matrix, offset = _matrix_of(frame)
    return (planes[0] - offset[0]) * matrix[0, 0]


def planes_with_rgb(frame: Frame, box: PixelBox, rgb: F32, matte: U8) -> tuple[Plane, Plane, Plane]:
    """New planes with coded `rgb` (HxWx3, about 0..1, already blended) written where `matte` (HxW) is above zero.

    Luma changes only under the matte, chroma only where a pixel that shares the sample is under it: all else keeps its bits.
    `box` has even edges (`PixelBox.clipped`).
    """
    if frame.colour.matrix == Matrix.RGB:
        codes = rgb * np.float32(2**frame.bit_depth - 1)
        return _written(frame, box, (codes[..., 0], codes[..., 1], codes[..., 2]), (matte, matte))
    matrix, offset = _matrix_of(frame)
    inverse = np.linalg.inv(matrix).astype(np.float32)
    yuv = cv2.transform(rgb, np.hstack([inverse, offset[:, None]]))
    luma, *chroma = cv2.split(yuv)
    chroma_matte = matte
    down, across = frame.chroma_shift
    if down or across:
        chroma = [_shrunk(plane, down, across) for plane in chroma]
        chroma_matte = _shrunk(matte.astype(np.float32), down, across)
    return _written(frame, box, (luma, chroma[0], chroma[1]), (matte, chroma_matte))


def threefold(values: F32) -> F32:
    """HxWx3: `values` (HxW) for each channel. NumPy multiplies by this seven times as fast as by a last axis of 1."""
    return cv2.merge((values, values, values))


def linear_from_srgb(coded: F32) -> F32:
    """IEC 61966-2-1 decoding of values in 0..1 (values outside are clamped)."""
    coded = np.clip(coded, 0, 1)
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4).astype(np.float32)


def srgb_from_linear(linear: F32) -> F32:
    """IEC 61966-2-1 encoding of values in 0..1 (values outside are clamped)."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def _matrix_of(frame: Frame) -> tuple[F32, F32]:
    return rgb_from_yuv_matrix(
        frame.colour.matrix_for(frame.size), full_range=frame.colour.full_range, bit_depth=frame.bit_depth
    )


def _yuv_at_full_size(frame: Frame, box: PixelBox) -> F32:
    height, width = box.size
    luma, *chroma = frame.planes
    parts = [luma[box.slices].astype(np.float32)]
    for plane in chroma:
        part = plane[box.chroma_slices(frame.chroma_shift)].astype(np.float32)
        if part.shape != (height, width):
            down, across = frame.chroma_shift
            part = cv2.resize(part, (part.shape[1] << across, part.shape[0] << down), interpolation=cv2.INTER_LINEAR)
        parts.append(part[:height, :width])
    return cv2.merge(parts)


def _shrunk(values: F32, down: int, across: int) -> F32:
    """Mean over the pixels of each chroma sample; an odd last row or column stands for itself."""
    height, width = values.shape[:2]
    below, beside = height % 2 if down else 0, width % 2 if across else 0
    if below or beside:
        values = cv2.copyMakeBorder(values, 0, below, 0, beside, cv2.BORDER_REPLICATE)
    size = (values.shape[1] >> across, values.shape[0] >> down)
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)


def _written(
    frame: Frame, box: PixelBox, values: tuple[F32, F32, F32], mattes: tuple[Plane | F32, Plane | F32]
) -> tuple[Plane, Plane, Plane]:
    top_code = 2**frame.bit_depth - 1
    shift = frame.chroma_shift
    written: list[Plane] = []
    for number, (plane, value) in enumerate(zip(frame.planes, values, strict=True)):
        where = box.slices if number == 0 or shift == (0, 0) else box.chroma_slices(shift)
        matte = mattes[min(number, 1)]
        copy = plane.copy()
        codes = np.clip(np.rint(value), 0, top_code).astype(plane.dtype)
        np.copyto(copy[where], codes, where=matte > 0)
        written.append(copy)
    return written[0], written[1], written[2]
