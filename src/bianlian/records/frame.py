"""A decoded picture in its own planes, and what is known about the file that it came from.

Frames stay in the footage's own planes (Y, U, V at their own depth and chroma size) from decoder to encoder. Only the
box around a face is ever turned into RGB and back, so everything else leaves as it came, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from pathlib import Path

import numpy as np

from bianlian.records.arrays import Plane
from bianlian.records.time import Instant

Size = tuple[int, int]
"""(height, width) in pixels."""


class Matrix(IntEnum):
    """YUV matrix, numbered as in ISO/IEC 23091-2 (H.273)."""

    RGB = 0
    BT709 = 1
    UNSPECIFIED = 2
    BT470BG = 5
    SMPTE170M = 6
    BT2020_NCL = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourSpec:
    """Colour tags as read from the file, in H.273 numbers, kept for writing; 2 is 'unspecified'."""

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    full_range: bool = False

    def matrix_for(self, size: Size) -> Matrix:
        """The matrix to calculate with: untagged files are BT.601 below 720 lines, BT.709 from there (common practice)."""
        if self.matrix != Matrix.UNSPECIFIED:
            return Matrix(self.matrix)
        return Matrix.BT709 if min(size) >= 720 else Matrix.SMPTE170M


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One upright picture.

    `planes` are (Y, U, V), or (R, G, B) when `colour.matrix` is `Matrix.RGB`; uint8 for `bit_depth` 8, else uint16.
    Chroma planes are ceil(size / 2**shift) large. Frames are immutable: stages make new ones.
    """

    index: int
    """0-based decode position in the footage."""
    instant: Instant
    duration: int
    """In ticks of the time base; 0 if the container does not say."""
    planes: tuple[Plane, Plane, Plane]
    colour: ColourSpec
    bit_depth: int

    def __post_init__(self) -> None:
        dtype = np.dtype(np.uint8 if self.bit_depth == 8 else np.uint16)
        for plane in self.planes:
            if plane.ndim != 2 or plane.dtype != dtype:
                raise ValueError(f"plane: {plane.dtype} {plane.shape}, expected HxW {dtype} for {self.bit_depth} bits")
            plane.flags.writeable = False
        if self.planes[1].shape != self.planes[2].shape:
            raise ValueError("chroma planes differ in size")

    @property
    def size(self) -> Size:
        """(height, width) of the luma plane."""
        height, width = self.planes[0].shape
        return height, width

    @property
    def chroma_shift(self) -> tuple[int, int]:
        """(vertical, horizontal) log2 subsampling: (1, 1) is 4:2:0, (0, 1) is 4:2:2, (0, 0) is 4:4:4."""
        (height, width), (chroma_height, chroma_width) = self.planes[0].shape, self.planes[1].shape
        return int(chroma_height < height), int(chroma_width < width)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """One stream of a container that is not the video to change."""

    index: int
    kind: str
    """audio, subtitle, data, attachment or video."""
    codec: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """What is known about a file of footage before its pixels are decoded."""

    path: Path
    sha256: str
    is_image: bool
    container: str
    """FFmpeg's short name: mov, matroska, avi, png, jpeg, webp, …"""
    codec: str
    size: Size
    """Upright (height, width), after rotation."""
    rotation: int
    """Degrees clockwise that the player would turn the coded picture: 0, 90, 180, 270. Already applied to frames."""
    time_base: Fraction
    average_rate: Fraction
    """Frames per second, for display and estimates only."""
    frame_estimate: int
    """Number of frames as the container claims or implies; 0 if unknown. Never used as truth."""
    start_pts: int
    colour: ColourSpec
    bit_depth: int
    chroma_shift: tuple[int, int]
    sample_aspect: Fraction
    streams: tuple[StreamInfo, ...]
    """The other streams, in container order."""
