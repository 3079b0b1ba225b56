"""The other streams: sound, subtitles, data. Copied packet by packet; what cannot come along is said."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from bianlian.media.containers import codec_name, reading, time_base_of

_TEXT_SUBTITLES = {"subrip", "srt", "ass", "ssa", "webvtt", "text"}
_LAYOUTS = {"1 channels": "mono", "2 channels": "stereo"}
_OWN_TAGS = {"duration", "encoder", "rotate", "bps", "number_of_frames", "number_of_bytes"}
"""Written by muxers about the file that they made; wrong in another file. In lower case."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CarriedStream:
    """A stream of the source and its place in the output."""

    source: Stream
    target: Stream
    is_converted: bool
    """Text subtitles, decoded and coded again as mov_text."""

    def packets(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """What one packet of the source becomes in the output."""
        if self.is_converted:
            yield from self._converted(packet)
            return
        packet.stream = self.target
        yield packet

    def _converted(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        if not isinstance(self.source, SubtitleStream) or not isinstance(self.target, SubtitleStream):
            return
        text = self.source.codec_context.decode2(packet)
        if text is None or not len(text):
            return
        coded = self.target.codec_context.encode_subtitle(text)
        coded.stream, coded.time_base = self.target, packet.time_base
        coded.pts = coded.dts = packet.pts
        coded.duration = packet.duration
        yield coded


def first_packets(path: Path) -> dict[int, Packet[Any]]:
    """The first packet of every sound stream, by stream index."""
    with reading(path) as container:
        found: dict[int, Packet[Any]] = {}
        for packet in container.demux(*container.streams.audio) if container.streams.audio else ():
            if packet.dts is not None:
                found.setdefault(packet.stream_index, packet)
            if len(found) == len(container.streams.audio):
                break
        return found


def carry(
    source: InputContainer,
    output: OutputContainer,
    video: Stream,
    *,
    samples: Mapping[int, Packet[Any]],
    replaced: frozenset[str],
) -> tuple[tuple[CarriedStream, ...], tuple[str, ...]]:
    """Add to `output` every stream of `source` but `video` that it can hold.

    Args:
        source: the footage, opened.
        output: the draft, before its header.
        video: the stream of `source` that was changed.
        samples: from `first_packets`; FFmpeg refuses some sound only when it sees it.
        replaced: metadata keys, in lower case, that are not copied.

    Returns:
        The streams in the source's order, and a sentence for each that was left out or converted.
    """
    kind = output.format.name
    has_chapters = bool(source.chapters())
    carried: list[CarriedStream] = []
    sentences: list[str] = []
    for stream in source.streams:
        if stream.index == video.index or _is_made_anew(stream, has_chapters):
            continue
        what = _describe(stream)
        if stream.type == "video":
            # Another angle, a preview or cover art would show the performer's own face beside the changed one.
            sentences.append(f"{what} was left out, because it may show the face that was replaced.")
        elif _holds(stream, kind, samples.get(stream.index)):
            target = _added(output, stream)
            carried.append(CarriedStream(source=stream, target=target, is_converted=False))
        elif isinstance(stream, SubtitleStream) and codec_name(stream) in _TEXT_SUBTITLES:
            target = output.add_stream("mov_text")
            stream.codec_context.open(strict=False)  # the header comes into being with the decoder
            target.codec_context.subtitle_header = stream.codec_context.subtitle_header
            carried.append(CarriedStream(source=stream, target=target, is_converted=True))
            sentences.append(f"{what} was converted to mov_text, the text subtitles of {kind}.")
        else:
            sentences.append(f"{what} was left out, because {kind} cannot carry it.")
    for item in carried:
        copy_tags(item.source, item.target, replaced=replaced)
    return tuple(carried), tuple(sentences)


def copy_tags(source: Stream, target: Stream, *, replaced: frozenset[str]) -> None:
    """Copy language, title and role of a stream."""
    tags = {key: value for key, value in source.metadata.items() if key.lower() not in replaced | _OWN_TAGS}
    # FFmpeg reads a track's name in mp4 as `name`, and writes it from `title`.
    if "name" in tags:
        tags.setdefault("title", tags.pop("name"))
    target.metadata.update(tags)
    target.disposition = source.disposition
    if source.time_base is not None:
        target.time_base = source.time_base


def add_video(output: OutputContainer, coded: VideoStream, original: VideoStream, *, replaced: frozenset[str]) -> str:
    """Add the coded video to `output`, as the first stream, under the original's language, title, role and time code.

    Returns:
        A sentence if the time code cannot be kept, else nothing. Time code tracks count whole pictures a second, and
        drop-frame codes exist for 29.97 and its multiples only; FFmpeg leaves others out without a word.
    """
    rate = original.average_rate or Fraction(25)
    target = output.add_stream_from_template(coded)
    target.codec_context.framerate = rate
    if codec_name(coded) == "hevc":
        target.codec_context.codec_tag = "hvc1"  # the tag that Apple's players take
    copy_tags(original, target, replaced=replaced | {"timecode"})
    target.time_base = time_base_of(coded)
    of_container = output.metadata.pop("timecode", "")
    timecode = original.metadata.get("timecode", of_container)
    if not timecode:
        return ""
    if _fits_rate(timecode, rate):
        target.metadata["timecode"] = timecode
        return ""
    return f"The time code {timecode} was left out, because it does not go with {float(rate):.2f} pictures a second."


def _fits_rate(timecode: str, rate: Fraction) -> bool:
    """Whether FFmpeg will write it (libavutil/timecode.c, libavformat/movenc.c): hours:minutes:seconds:pictures, with a
    semicolon or point before the pictures for drop-frame codes."""
    match = re.fullmatch(r"\d+:\d\d:\d\d([:;.])\d+", timecode)
    whole = round(rate)
    return match is not None and 0 < whole <= 255 and (match[1] == ":" or whole % 30 == 0)


def _is_made_anew(stream: Stream, has_chapters: bool) -> bool:
    """Chapter and time code tracks of mp4 and mov: FFmpeg writes them itself, from what it read out of them."""
    if stream.type != "data":
        return False
    return "timecode" in stream.metadata or (has_chapters and stream.name == "bin_data")


def _holds(stream: Stream, kind: str, sample: Packet[Any] | None) -> bool:
    """Whether a container of this kind takes the stream: tried in memory, with a packet of it if there is one."""
    if codec_name(stream) == "unknown":
        return False
    try:
        with av.open(io.BytesIO(), "w", format=kind) as trial:
            target = _added(trial, stream)
            trial.start_encoding()
            if sample is not None:
                sample.stream = target
                trial.mux_one(sample)
    except (av.error.FFmpegError, ValueError, TypeError, NotImplementedError):
        return False
    return True


def _added(output: OutputContainer, stream: Stream) -> Stream:
    target = output.add_stream_from_template(stream)
    if isinstance(stream, AudioStream) and isinstance(target, AudioStream):
        # AVI and Matroska count the channels of raw sound without naming them, and mp4 wants the names.
        layout = stream.codec_context.layout.name
        if layout in _LAYOUTS:
            target.codec_context.layout = _LAYOUTS[layout]
    return target


def _describe(stream: Stream) -> str:
    language = f", {stream.language}" if stream.language else ""
    return f"Stream {stream.index} ({stream.type}, {codec_name(stream)}{language})"
