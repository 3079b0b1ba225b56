"""From FFmpeg's pixel formats to the engine's three planes, and upright.

Planar YUV of 8, 10 and 12 bits stays as it is, to the bit. The rest (RGB, palette, grey, packed) becomes 4:4:4 YUV,
because a `Frame` has three planes and video codecs code YUV: 4:4:4 keeps every pixel its own colour.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from bianlian.errors import UnsupportedMedia
from bianlian.records.arrays import Plane
from bianlian.records.frame import Matrix, Size

_PLANAR = re.compile(r"yuvj?(420|422|444)p(?:(10|12)le)?$")
_SHIFTS = {"420": (1, 1), "422": (0, 1), "444": (0, 0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """The four linear entries of a display matrix, each -1, 0 or 1: x' = a*x + c*y, y' = b*x + d*y."""

    a: int = 1
    b: int = 0
    c: int = 0
    d: int = 1

    @property
    def swaps_axes(self) -> bool:
        return self.a == 0

    @property
    def degrees_clockwise(self) -> int:
        """The turn, after mirroring left to right where the matrix mirrors."""
        handedness = self.a * self.d - self.b * self.c
        return round(math.degrees(math.atan2(self.b * handedness, self.a * handedness))) % 360

    def apply(self, plane: Plane) -> Plane:
        """Turn and mirror a plane (HxW) as a player would; contiguous."""
        if self == Orientation():
            return plane
        turned: npt.NDArray[Any] = plane.T[:: self.b, :: self.c] if self.swaps_axes else plane[:: self.d, :: self.a]
        return np.ascontiguousarray(turned)


def orientation_of(frame: VideoFrame) -> Orientation:
    """Orientation from the frame's display matrix (3x3, 16.16 fixed point; ISO/IEC 14496-12, 8.3.2).

    Raises:
        ValueError: for a matrix that is not a multiple of 90 degrees.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return Orientation()
    linear = np.frombuffer(data, np.int32)[[0, 1, 3, 4]].astype(float)
    largest = np.abs(linear).max()
    a, b, c, d = (round(value / largest) if largest else 0 for value in linear)
    if abs(a * d - b * c) != 1 or np.abs(linear / largest - (a, b, c, d)).max() > 0.01:
        raise ValueError("the picture is turned by something else than 90, 180 or 270 degrees")
    return Orientation(a=a, b=b, c=c, d=d)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How frames of one coded format become planes."""

    coded_format: str
    target_format: str
    """Planar YUV format that is read out; equal to the coded one (`yuvj` apart) if nothing is converted."""
    coded_size: Size
    orientation: Orientation
    bit_depth: int
    chroma_shift: tuple[int, int]
    """Of the upright planes."""
    full_range: bool
    source_matrix: int
    """Colour matrix, AVColorSpace number; RGB sources are converted with it."""

    @property
    def is_converted(self) -> bool:
        return self.coded_format.replace("yuvj", "yuv") != self.target_format

    @property
    def size(self) -> Size:
        """Upright (height, width)."""
        height, width = self.coded_size
        return (width, height) if self.orientation.swaps_axes else (height, width)

    def planes(self, frame: VideoFrame) -> tuple[Plane, Plane, Plane]:
        """The three planes of a decoded frame, upright; they hold its memory for as long as they live."""
        if self.is_converted:
            frame = self._converted(frame)
        y, u, v = (self.orientation.apply(plane_of(frame, number, self.bit_depth)) for number in range(3))
        return y, u, v

    def _converted(self, frame: VideoFrame) -> VideoFrame:
        if not is_rgb(self.coded_format):
            return frame.reformat(format=self.target_format, interpolation="BICUBIC")
        space = Colorspace.ITU709 if self.source_matrix == Matrix.BT709 else Colorspace.ITU601
        return frame.reformat(
            format=self.target_format,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=space,
        )


def plane_of(frame: VideoFrame, number: int, bit_depth: int) -> Plane:
    """One plane without the padding of FFmpeg's rows, where it lies: it holds the frame, so that nobody uses the memory again.

    Not to be written to, for the decoder still reads frames that others are predicted from.
    """
    plane = frame.planes[number]
    dtype: npt.DTypeLike = np.uint8 if bit_depth == 8 else np.uint16
    rows: npt.NDArray[Any] = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)[:, : plane.width]
    rows.flags.writeable = False
    return rows


def is_rgb(pixel_format: str) -> bool:
    """Whether FFmpeg's pixel format holds RGB, directly or through a palette."""
    return pixel_format == "pal8" or VideoFormat(pixel_format).is_rgb


def has_alpha(pixel_format: str) -> bool:
    """Whether FFmpeg's pixel format holds transparency. A palette may, but only GIF uses it."""
    return any(component.is_alpha for component in VideoFormat(pixel_format).components)


def planar_target(pixel_format: str, coded_size: Size, *, swaps_axes: bool) -> tuple[str, int, tuple[int, int]]:
    """The planar format that frames of `pixel_format` are read out in: (format, bit depth, chroma shift when upright).

    Chroma becomes 4:4:4 where its own size cannot be kept: 4:2:2 turned on its side would be 4:4:0, and H.264 and HEVC
    have no odd sizes for subsampled chroma. Depths other than 8, 10 and 12 go to the next larger of these, at most 12.
    """
    match = _PLANAR.match(pixel_format)
    if match:
        chroma, bit_depth = match[1], int(match[2] or 8)
    elif pixel_format in {"nv12", "nv21", "nv16", "p010le", "p012le", "uyvy422", "yuyv422"}:
        chroma = "422" if "16" in pixel_format or "422" in pixel_format else "420"
        bit_depth = {"p010le": 10, "p012le": 12}.get(pixel_format, 8)
    else:
        bits = (
            8 if pixel_format == "pal8" else max(component.bits for component in VideoFormat(pixel_format).components)
        )
        chroma, bit_depth = "444", 8 if bits <= 8 else 10 if bits <= 10 else 12
    height, width = coded_size
    vertical, horizontal = _SHIFTS[chroma]
    if (vertical and height % 2) or (horizontal and width % 2) or (chroma == "422" and swaps_axes):
        chroma = "444"
    return f"yuv{chroma}p" + ("" if bit_depth == 8 else f"{bit_depth}le"), bit_depth, _SHIFTS[chroma]


def layout_of(frame: VideoFrame, name: str) -> Layout:
    """The layout of a decoded frame and those that follow it; `name` is the file's, for the refusals.

    Raises:
        UnsupportedMedia: transparency, mosaic (raw sensor) data, or a slanted display matrix.
    """
    pixel_format, coded_size = frame.format.name, (frame.height, frame.width)
    # GIF's one-bit transparency is already flattened on white by the decoder, whose format has alpha all the same.
    if has_alpha(pixel_format) and pixel_format != "bgra":
        raise UnsupportedMedia(
            f"{name} has transparency, which mp4 and mov with H.264 or HEVC cannot carry.",
            advice="Flatten it over its background first.",
        )
    if frame.format.is_bayer:
        raise UnsupportedMedia(f"{name} holds raw sensor data.", advice="Develop it to an ordinary video first.")
    try:
        orientation = orientation_of(frame)
    except ValueError as error:
        raise UnsupportedMedia(f"{name}: {error}.", advice="Turn it upright in an editor first.") from error
    target, bit_depth, shift = planar_target(pixel_format, coded_size, swaps_axes=orientation.swaps_axes)
    rgb = is_rgb(pixel_format)
    return Layout(
        coded_format=pixel_format,
        target_format=target,
        coded_size=coded_size,
        orientation=orientation,
        bit_depth=bit_depth,
        chroma_shift=shift,
        full_range=not rgb and (pixel_format.startswith("yuvj") or frame.color_range == ColorRange.JPEG),
        source_matrix=_rgb_matrix(coded_size) if rgb else frame.colorspace,
    )


def _rgb_matrix(size: Size) -> Matrix:
    """RGB footage is coded as players take untagged footage of its size."""
    return Matrix.BT709 if min(size) >= 720 else Matrix.SMPTE170M
