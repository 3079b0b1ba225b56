"""Chunks, and everything else of the source → one draft, without coding anything again.

The joined file depends on the chunks' bytes alone: a run that was killed and resumed gives the same file.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from bianlian.errors import InternalError, UnsupportedMedia
from bianlian.media.containers import codec_name, main_video, promised_end, reading, time_base_of, translating, writing
from bianlian.media.publish import publishing
from bianlian.media.streams import CarriedStream, add_video, carry, first_packets
from bianlian.records.frame import SourceInfo

_FORMATS = {".mp4": "mp4", ".mov": "mov"}
_REFUSED = {
    ".avi": "FFmpeg drops the AIGC label from AVI files without a word",
    ".mkv": "a signed manifest (C2PA) cannot be put into Matroska files",
    ".webm": "a signed manifest (C2PA) cannot be put into WebM files",
    ".flv": "neither the AIGC label nor a signed manifest (C2PA) has a place in FLV files",
    ".gif": "neither the AIGC label nor a signed manifest (C2PA) has a place in a GIF video",
}
_BRAND_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder"}
"""About the file that was read, not about its content."""
_USUAL_TICKS = 1_000_000
_FINE_TICKS = 90_000
"""Ticks a second; at the lower one a start is at most 11 microseconds off, half a sample of 44.1 kHz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinReport:
    """What `join` made."""

    frame_count: int
    dropped: tuple[str, ...]
    """A sentence for everything that was left out or converted."""


def check_output(path: Path) -> str:
    """FFmpeg's name of the container that the suffix of an output name asks for.

    Raises:
        UnsupportedMedia: a container that cannot carry all marks, with the reason.
    """
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        reason = _REFUSED.get(suffix, f"{suffix or 'a name without suffix'} is not known to carry all marks")
        raise UnsupportedMedia(f"{path.name} cannot be written: {reason}.", advice="Choose .mp4 or .mov.")
    return _FORMATS[suffix]


def join(chunks: Sequence[Path], source: SourceInfo, draft: Path, *, tags: Mapping[str, str]) -> JoinReport:
    """Lay chunks end to end and add the source's other streams, chapters and tags.

    Args:
        chunks: from `write_chunk`, in order of time, all with the same settings.
        source: the footage that they came from.
        draft: the file to write, `.mp4` or `.mov`.
        tags: metadata for `moov.udta.meta` (e.g. `AIGC`); each replaces what the source has under that name.

    Raises:
        UnsupportedMedia: another container.
        UnreadableMedia: the source or a chunk cannot be read any more.
        InternalError: chunks that do not follow each other or were coded differently.
        InstallationError: the disk is full or may not be written.
    """
    kind = check_output(draft)
    replaced = frozenset(key.lower() for key in tags)
    with publishing(draft) as part, ExitStack() as stack:
        original = stack.enter_context(reading(source.path))
        first = stack.enter_context(reading(chunks[0]))
        coded = main_video(first, chunks[0])
        delay = _reorder_delay(chunks)
        options = {
            "movflags": "use_metadata_tags+faststart",
            "video_track_timescale": str(time_base_of(coded).denominator),
            "movie_timescale": str(_movie_timescale(original, time_base_of(coded))),
        }
        output = stack.enter_context(writing(part, kind, options))
        output.metadata.update(_container_tags(original, replaced) | dict(tags))
        output.set_chapters(original.chapters())
        changed = main_video(original, source.path)
        said = add_video(output, coded, changed, replaced=replaced)
        carried, sentences = carry(original, output, changed, samples=first_packets(source.path), replaced=replaced)
        count = _mux(
            output,
            _video_packets(chunks, output.streams.video[0], delay, coded),
            _other_packets(source.path, original, carried),
        )
    return JoinReport(frame_count=count, dropped=(said, *sentences) if said else sentences)


def _mux(output: OutputContainer, video: Iterator[Packet[Any]], others: Iterator[Packet[Any]]) -> int:
    """Write both in order of decoding time; FFmpeg then holds few packets back. Returns the number of pictures."""
    count = 0
    for packet in heapq.merge(video, others, key=lambda packet: (packet.dts or 0) * packet.time_base):
        count += packet.stream.type == "video"
        output.mux_one(packet)
    return count


def _container_tags(original: InputContainer, replaced: frozenset[str]) -> dict[str, str]:
    return {key: value for key, value in original.metadata.items() if key.lower() not in replaced | _BRAND_TAGS}


def _movie_timescale(original: InputContainer, video: Fraction) -> int:
    """Ticks a second in which edit lists count, and with them the start of each stream: exact for the video, and for
    sound too where a common multiple stays within what players are used to."""
    sound = [stream.rate for stream in original.streams.audio if codec_name(stream) != "unknown" and stream.rate]
    ticks = math.lcm(video.denominator, *sound)
    if ticks <= _USUAL_TICKS:
        return ticks
    return video.denominator * max(1, _FINE_TICKS // video.denominator)


def _other_packets(path: Path, original: InputContainer, carried: Sequence[CarriedStream]) -> Iterator[Packet[Any]]:
    if not carried:
        return
    by_index = {item.source.index: item for item in carried}
    with translating(path):
        for packet in original.demux(*(item.source for item in carried)):
            if packet.dts is None and packet.pts is None:  # PyAV's end marks
                continue
            if packet.dts is None:
                packet.dts = packet.pts
            yield from by_index[packet.stream_index].packets(packet)


def _reorder_delay(chunks: Sequence[Path]) -> int:
    """How many pictures the decoder must hold back: the smallest d with pts[i] >= S[i - d], S being all stamps sorted.

    Chunks are closed and follow each other, so each may be looked at alone.
    """
    delay, end = 0, None
    for chunk in chunks:
        stamps = _stamps(chunk)
        ranks = {pts: rank for rank, pts in enumerate(sorted(stamps))}
        if len(ranks) < len(stamps) or not stamps or (end is not None and min(stamps) <= end):
            raise InternalError(f"chunk {chunk.name} does not follow the one before it in time")
        end = max(stamps)
        delay = max(delay, *(position - ranks[pts] for position, pts in enumerate(stamps)))
    return delay


def _stamps(chunk: Path) -> list[int]:
    """Presentation stamps of a chunk's pictures, in coded order."""
    with reading(chunk) as container:
        packets = container.demux(main_video(container, chunk))
        return [packet.pts for packet in packets if packet.pts is not None]


def _video_packets(
    chunks: Sequence[Path], target: VideoStream, delay: int, coded: VideoStream
) -> Iterator[Packet[Any]]:
    """The chunks' packets with decoding stamps counted anew: dts[i] = S[i - delay], extrapolated before the first.

    This rises strictly and never passes a picture's own stamp, across chunks and at any frame rate.
    """
    extradata, time_base = coded.codec_context.extradata, time_base_of(coded)
    waiting: deque[int] = deque()
    for chunk in chunks:
        stamps = sorted(_stamps(chunk))
        if chunk == chunks[0]:
            step = stamps[1] - stamps[0] if len(stamps) > 1 else 1
            waiting.extend(stamps[0] - step * (delay - i) for i in range(delay))
        waiting.extend(stamps)
        with reading(chunk) as container:
            stream = main_video(container, chunk)
            if stream.codec_context.extradata != extradata or time_base_of(stream) != time_base:
                raise InternalError(f"chunk {chunk.name} was coded with other settings than the first")
            # mp4 readers see only distances between decoding stamps; the last picture's length must be told.
            end = round(promised_end(stream) / time_base)
            lengths = {pts: following - pts for pts, following in pairwise([*stamps, end])}
            for packet in container.demux(stream):
                if packet.pts is None:
                    continue
                packet.dts = waiting.popleft()
                packet.duration = max(1, lengths[packet.pts])
                packet.stream = target
                yield packet
