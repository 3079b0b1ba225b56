"""SourceInfo → frames: exact stamps, the footage's own planes, upright, one at a time."""

from __future__ import annotations

from collections.abc import Container, Generator, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from itertools import chain, islice

import av.error
from av.codec.context import ThreadType
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from bianlian.errors import UnreadableMedia, UnsupportedMedia
from bianlian.media.containers import clock, main_video, promised_end, reading, time_base_of
from bianlian.media.images import read_image
from bianlian.media.layout import Layout, layout_of
from bianlian.media.probe import interlaced
from bianlian.records.frame import Frame, SourceInfo
from bianlian.records.time import Instant

_SEEKABLE = ("mov", "matroska", "avi")
"""Containers with an index of true random access points. The others are decoded from the beginning."""

_ONE_PICTURE_A_PACKET = {"h264", "hevc"}
"""Codecs where a packet that gives no picture means a lost picture; VP8 has hidden ones, MPEG-4 in AVI packs two."""
_SLIP = Fraction(1, 10)
"""Seconds by which stamps may fail to rise; more than a tick or two of rounding is a broken file."""

_SHORTFALL = Fraction(1, 2)
"""Seconds, or 2 % of the length, by which the pictures may end before the time that the container promises."""


def frames(
    source: SourceInfo, *, start: Instant | None = None, start_index: int = 0, threads: int = 1
) -> Generator[Frame, None, None]:
    """Decode a clip, or an image as a clip of one frame.

    Args:
        source: from `probe.describe`.
        start: stamp of the first frame to yield, as decoding yielded it before; None for the beginning. What follows is
            the same, to the bit, as when decoding from the beginning.
        start_index: the index of the first frame that is yielded.
        threads: decoder threads; the result does not depend on it.

    Raises:
        UnreadableMedia: damaged or cut off: never a shorter clip without a word. Frames before the damage are yielded.
        UnsupportedMedia: the picture changes its size or format, or turns out to be interlaced.
    """
    return _read(source, start, threads, first_index=start_index)


def sampled(source: SourceInfo, every_seconds: Fraction, *, threads: int = 1) -> Generator[Frame, None, None]:
    """The first frame, then the first at or after each further `every_seconds`; indices are true decode positions.

    All frames are decoded, which is what makes the indices true; only the sampled ones are copied out.

    Raises:
        UnreadableMedia, UnsupportedMedia: as `frames`.
    """
    return _read(source, None, threads, every=every_seconds / source.time_base)


def chosen(source: SourceInfo, indices: Sequence[int], *, threads: int = 1) -> Generator[Frame, None, None]:
    """The frames of some positions, which rise; decoded from the beginning, and no further than to the last of them.

    Raises:
        UnreadableMedia, UnsupportedMedia: as `frames`.
    """
    wanted = frozenset(indices)
    with closing(_read(source, None, threads, only=wanted)) as found:
        yield from islice(found, len(wanted))


def _read(
    source: SourceInfo,
    start: Instant | None,
    threads: int,
    *,
    first_index: int = 0,
    every: Fraction = Fraction(0),
    only: Container[int] | None = None,
) -> Generator[Frame, None, None]:
    if source.is_image:
        yield read_image(source)
        return
    with closing(_decoded(source, start, threads)) as decoded:
        yield from _framed(source, decoded, first_index, every=every, only=only)


def _framed(
    source: SourceInfo,
    decoded: Iterator[VideoFrame],
    first_index: int,
    *,
    every: Fraction = Fraction(0),
    only: Container[int] | None = None,
) -> Iterator[Frame]:
    """Turn decoded pictures into frames; `every` is in ticks, 0 for each; `only` holds the positions that are wanted."""
    layout: Layout | None = None
    origin = 0
    due = Fraction(0)
    for position, picture in enumerate(decoded, first_index):
        pts = picture.pts or 0
        if layout is None:
            layout, origin = layout_of(picture, source.path.name), pts
        _check_same(picture, layout, source)
        if only is not None and position not in only:
            continue
        if every:
            if pts - origin < due:
                continue
            due = ((pts - origin) // every + 1) * every
        yield Frame(
            index=position,
            instant=Instant(pts=pts, time_base=source.time_base),
            duration=picture.duration or 0,
            planes=layout.planes(picture),
            colour=source.colour,
            bit_depth=layout.bit_depth,
        )


def _check_same(picture: VideoFrame, layout: Layout, source: SourceInfo) -> None:
    if (picture.height, picture.width) != layout.coded_size or picture.format.name != layout.coded_format:
        raise UnsupportedMedia(
            f"{source.path.name} changes its picture size or pixel format at {_when(source, picture.pts)}.",
            advice="Cut it there, or convert it to one size and format first.",
        )
    if picture.interlaced_frame:
        raise interlaced(source.path)


def _decoded(source: SourceInfo, start: Instant | None, threads: int) -> Generator[VideoFrame, None, None]:
    """Pictures from `start` on, with strictly rising stamps."""
    if start is not None and source.container in _SEEKABLE:
        with reading(source.path) as container:
            stream = _prepared(container, source, threads)
            arrived = _arrive(container, stream, start.pts)
            if arrived is not None:
                yield from arrived
                return
    with reading(source.path) as container:
        stream = _prepared(container, source, threads)
        for picture in _pictures(container, stream):
            if start is None or (picture.pts or 0) >= start.pts:
                yield picture


def _prepared(container: InputContainer, source: SourceInfo, threads: int) -> VideoStream:
    stream = main_video(container, source.path)
    stream.codec_context.thread_count = threads
    stream.codec_context.thread_type = ThreadType.AUTO if threads > 1 else ThreadType.NONE
    if time_base_of(stream) != source.time_base:
        raise UnreadableMedia(
            f"{source.path.name} has changed since it was described.", advice="Run the command again."
        )
    return stream


def _arrive(container: InputContainer, stream: VideoStream, start: int) -> Iterator[VideoFrame] | None:
    """Pictures from the one stamped `start` on, or None if seeking does not lead there exactly.

    The index may not know every random access point, leading pictures of an open GOP cannot be decoded after a seek, and
    gradual refresh recovers late. In all these cases the picture stamped `start` does not come out, and the caller
    decodes from the beginning instead.
    """
    try:
        container.seek(start, stream=stream, backward=True)
    except av.error.FFmpegError:
        return None
    pictures = _pictures(container, stream)
    try:
        for picture in pictures:
            if picture.pts == start:
                return chain([picture], pictures)
            if picture.pts is None or picture.pts > start:
                break
    except UnreadableMedia:
        return None
    return None


def _pictures(container: InputContainer, stream: VideoStream) -> Generator[VideoFrame, None, None]:
    """Decode on from where the container stands, with rising stamps and true lengths, to the end that it promises.

    Containers store distances between decoding stamps, so with B-frames FFmpeg reports one picture's length as
    another's; here each lasts until the next, and the last until the promised end.
    """
    name, time_base = container.name.rpartition("/")[2], time_base_of(stream)
    held: VideoFrame | None = None
    for picture in _stamped(container, stream, name):
        if held is not None:
            held.duration = (picture.pts or 0) - (held.pts or 0)
            yield held
        held = picture
    if held is None:
        raise _damaged(name, None, time_base)
    pts, promised = held.pts or 0, promised_end(stream)
    end = (pts + held.duration) * time_base
    if promised - end > max(_SHORTFALL, end / 50):
        raise _damaged(name, pts, time_base)
    held.duration = round(promised / time_base) - pts if promised > pts * time_base else held.duration
    yield held


def _stamped(container: InputContainer, stream: VideoStream, name: str) -> Generator[VideoFrame, None, None]:
    """Decode pictures whole, and see to it that their stamps rise.

    A picture without a stamp (raw streams, some AVI) follows its predecessor by the mean frame time: the container says
    no more. Two pictures for one moment (coarse time bases, careless recorders) come one tick apart.
    """
    time_base = time_base_of(stream)
    step = max(1, round(1 / (time_base * stream.average_rate))) if stream.average_rate else 1
    keeps_count = stream.codec_context.codec.canonical_name in _ONE_PICTURE_A_PACKET
    expected: set[int] = set()
    last: int | None = None
    try:
        for packet in container.demux(stream):
            if keeps_count and packet.pts is not None and not packet.is_discard:
                expected.add(packet.pts)
            for picture in packet.decode():
                pts = picture.pts
                lost = any(last is not None and pts is not None and last < stamp < pts for stamp in expected)
                if packet.is_corrupt or picture.is_corrupt or lost:
                    raise _damaged(name, last, time_base)
                if pts is None:
                    pts = 0 if last is None else last + step
                elif last is not None and pts <= last:
                    if (last - pts) * time_base > _SLIP:
                        raise _damaged(name, last, time_base)
                    pts = last + 1
                expected = {stamp for stamp in expected if stamp > pts}
                picture.pts, last = pts, pts
                picture.duration = picture.duration or step
                yield picture
    except av.error.FFmpegError as error:
        raise _damaged(name, last, time_base) from error


def _damaged(name: str, last: int | None, time_base: Fraction) -> UnreadableMedia:
    where = "at its beginning" if last is None else f"after {clock(Instant(pts=last, time_base=time_base))}"
    return UnreadableMedia(
        f"{name} is damaged {where}: its pictures cannot be decoded whole.",
        advice="Get the file again; a repaired or re-encoded copy will do as well.",
    )


def _when(source: SourceInfo, pts: int | None) -> str:
    return clock(Instant(pts=pts or 0, time_base=source.time_base))
