"""Marked frames → chunks: closed pieces of coded video that `join` lays end to end without coding them again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from bianlian.errors import CallerError, InternalError, UnsupportedMedia
from bianlian.media.containers import writing
from bianlian.media.publish import publishing
from bianlian.records.composite import MarkedFrame
from bianlian.records.frame import Frame, SourceInfo

_ENCODERS = {"h264": "libx264", "hevc": "libx265"}
_MAX_TICKS = 2**31 - 1
"""Ticks a second that mp4 and x264 can count (32 bits, signed in FFmpeg)."""
_AVX512 = 13
"""OpenCV's number of the instruction set (CPU_AVX_512F)."""
_WITHOUT_AVX512 = "asm=MMX2,SSE2Fast,SSSE3,SSE4.2,AVX,LZCNT,BMI1,FMA3,BMI2,AVX2"
"""With AVX-512, x264 (core 165) reads memory that it never wrote: of 36 codings of 24 frames of 288x288, six gave other bytes,
without it none did. It is no slower, and the bytes are those of machines that have no AVX-512."""
_CHROMA = {(1, 1): "420", (0, 1): "422", (0, 0): "444"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeSettings:
    """How pictures are coded. The same settings and frames give the same bytes, whatever machine has how many cores."""

    codec: str = "h264"
    """h264 or hevc. Footage of 12 bits is coded as HEVC in any case: H.264 encoders end at 10."""
    crf: float = 18.0
    """Constant rate factor, 0 (best) to 51. With `veryfast`, 18 gave 46.1 to 48.3 dB in luma and more in
    chroma on five clips (one synthetic, four real; first 20 frames): above the 45 dB that untouched pixels must keep."""
    preset: str = "veryfast"
    """x264's and x265's speed names."""
    threads: int = 2
    """Encoder threads: fixed, because cutting pictures into slices or lanes changes the bytes."""
    keyframe_seconds: float = 2.0
    """Longest distance between random access points inside a chunk."""

    def __post_init__(self) -> None:
        if self.codec not in _ENCODERS:
            raise CallerError(f"Video is coded as {' or '.join(_ENCODERS)}, not {self.codec}.")
        if not 0 <= self.crf <= 51:
            raise CallerError(f"The rate factor lies between 0 and 51, not at {self.crf}.")

    def encoder_for(self, source: SourceInfo) -> str:
        """FFmpeg's name of the encoder that keeps the source's bit depth."""
        return "libx265" if source.bit_depth > 10 else _ENCODERS[self.codec]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkFile:
    """A finished chunk."""

    path: Path
    frame_count: int
    first_pts: int
    last_pts: int
    """In ticks of the source's time base."""


def write_chunk(frames: Iterable[MarkedFrame], source: SourceInfo, settings: EncodeSettings, path: Path) -> ChunkFile:
    """Code frames as one chunk with its own first key frame and no reference beyond its end.

    Depth, chroma size, colour tags, sample aspect, stamps and time base are the source's. The file appears under its
    name only when it is whole and on the disk.

    Args:
        frames: at least one, in order of time.
        path: name of the chunk, ending in `.mp4`.

    Raises:
        InternalError: a frame that is not a `MarkedFrame`, or that does not fit the source.
        UnsupportedMedia: a time base that mp4 cannot count in.
        InstallationError: the disk is full or may not be written.
    """
    ticks = source.time_base.denominator
    if ticks > _MAX_TICKS:
        raise UnsupportedMedia(f"{source.path.name} counts {ticks} ticks a second, more than mp4 can.")
    stamps: list[int] = []
    with publishing(path) as draft:
        # Both time scales as in the source, else stamps and the offset of the first frame are rounded.
        options = {"video_track_timescale": str(ticks), "movie_timescale": str(ticks)}
        with writing(draft, "mp4", options) as container:
            stream = _stream(container, source, settings)
            for marked in frames:
                frame = _frame_of(marked, source, stamps)
                stamps.append(frame.instant.pts)
                container.mux(stream.encode(_picture(frame, source)))
            if not stamps:
                raise InternalError("a chunk needs at least one frame")
            container.mux(stream.encode(None))
    return ChunkFile(path=path, frame_count=len(stamps), first_pts=stamps[0], last_pts=stamps[-1])


def pixel_format(source: SourceInfo) -> str:
    """FFmpeg's name of the planes that are coded."""
    depth = "" if source.bit_depth == 8 else f"{source.bit_depth}le"
    return f"yuv{_CHROMA[source.chroma_shift]}p{depth}"


def _stream(container: OutputContainer, source: SourceInfo, settings: EncodeSettings) -> VideoStream:
    encoder = settings.encoder_for(source)
    rate = source.average_rate or Fraction(25)
    options = {"preset": settings.preset, "crf": f"{settings.crf:g}"}
    if encoder == "libx264" and cv2.checkHardwareSupport(_AVX512):
        options["x264-params"] = _WITHOUT_AVX512
    if encoder == "libx265":
        options["x265-params"] = f"open-gop=0:frame-threads=1:pools={settings.threads}:log-level=error"
    stream = container.add_stream(encoder, rate=_reduced(rate), options=options)
    if not isinstance(stream, VideoStream):
        raise InternalError(f"{encoder} is no video encoder")
    context = stream.codec_context
    context.height, context.width = source.size
    context.pix_fmt = pixel_format(source)
    context.time_base = stream.time_base = source.time_base
    context.gop_size = max(1, round(rate * Fraction(settings.keyframe_seconds)))
    context.thread_count = settings.threads
    context.flags |= Flags.frame_duration  # else the last picture gets a mean length
    context.sample_aspect_ratio = source.sample_aspect
    context.color_range = 2 if source.colour.full_range else 1
    context.colorspace = int(source.colour.matrix)
    context.color_primaries = source.colour.primaries
    context.color_trc = source.colour.transfer
    return stream


def _reduced(rate: Fraction) -> Fraction:
    """A rate that fits FFmpeg's 32-bit rationals; it is for display and rate control, not for time."""
    return rate if rate.numerator < _MAX_TICKS and rate.denominator < _MAX_TICKS else rate.limit_denominator(100_000)


def _frame_of(marked: MarkedFrame, source: SourceInfo, stamps: list[int]) -> Frame:
    if not isinstance(marked, MarkedFrame):
        raise InternalError(f"only marked frames are encoded, got {type(marked).__name__}")
    frame = marked.frame
    expected = (source.size, source.bit_depth, source.time_base)
    if (frame.size, frame.bit_depth, frame.instant.time_base) != expected:
        raise InternalError(f"frame {frame.index} does not fit its source: {frame.size}, {frame.bit_depth} bits")
    if stamps and frame.instant.pts <= stamps[-1]:
        raise InternalError(f"frame {frame.index} does not follow the frame before it in time")
    return frame


def _picture(frame: Frame, source: SourceInfo) -> VideoFrame:
    """Copy the planes into an FFmpeg picture, whose rows are padded."""
    height, width = frame.size
    picture = VideoFrame(width, height, pixel_format(source))
    for number, plane in enumerate(frame.planes):
        target = picture.planes[number]
        rows = np.frombuffer(memoryview(target), plane.dtype).reshape(target.height, -1)
        rows[:, : target.width] = plane
    if frame.duration:
        picture.duration = frame.duration
    picture.pts, picture.time_base = frame.instant.pts, frame.instant.time_base
    return picture
