"""Opening files with FFmpeg under limits, and saying in words what it could not do.

A container may name other files (playlists, concat scripts); such formats are not on the list, and only the `file`
protocol is, so a hostile file cannot make this machine read anything else.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.container import InputContainer, OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from bianlian.errors import InternalError, NothingToSwap, UnreadableMedia, UnsupportedMedia
from bianlian.media.publish import cannot_write
from bianlian.records.time import Instant

READABLE_FORMATS = "mov,matroska,webm,avi,mpeg,mpegts,gif,flv,ogg,asf,mp3,wav,flac,aac,nut"
"""FFmpeg's names of what may be opened. The sound-only ones are here so that the refusal can say 'sound only'."""

_ATTACHED_PICTURE = 0x0400
"""AV_DISPOSITION_ATTACHED_PIC: cover art, not video."""


def url_of(path: Path) -> str:
    """The path as FFmpeg must be given it: a file called `concat:a|b` is a file, not a protocol."""
    return f"file:{path.absolute()}"


@contextmanager
def reading(path: Path) -> Generator[InputContainer, None, None]:
    """Open a container for reading; whatever FFmpeg raises inside becomes an error with a sentence.

    Raises:
        UnreadableMedia: not media, damaged, or gone.
        UnsupportedMedia: no decoder in this build.
    """
    with (
        translating(path),
        av.open(
            url_of(path),
            "r",
            metadata_errors="replace",
            container_options={"format_whitelist": READABLE_FORMATS, "protocol_whitelist": "file"},
        ) as container,
    ):
        yield container


@contextmanager
def translating(path: Path) -> Generator[None, None, None]:
    """Turn what FFmpeg raises while reading `path` into an error with a sentence."""
    try:
        yield
    except (av.error.DecoderNotFoundError, av.error.PatchWelcomeError) as error:
        raise UnsupportedMedia(
            f"{path.name}: this build of FFmpeg has no decoder for it ({error.strerror}).",
            advice="Convert the file to H.264 in mp4 and try again.",
        ) from error
    except (av.error.FFmpegError, UnicodeError) as error:
        raise UnreadableMedia(
            f"{path.name} cannot be read as video: {getattr(error, 'strerror', None) or error}.",
            advice="The file is damaged, cut off, or not a video. Get it again from where it came from.",
        ) from error


@contextmanager
def writing(path: Path, kind: str, options: dict[str, str]) -> Generator[OutputContainer, None, None]:
    """Open a container for writing. Errors of reading must be translated before they pass through here.

    Raises:
        InstallationError: the system refused to write, with the reason.
        InternalError: FFmpeg refused what it was given.
    """
    try:
        with av.open(url_of(path), "w", format=kind, options=options) as container:
            yield container
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise InternalError(f"FFmpeg refused to write {path.name}: {error}.") from error


def main_video(container: InputContainer, path: Path) -> VideoStream:
    """The video stream to change: the first that is not cover art.

    Raises:
        NothingToSwap: there is none.
    """
    for stream in container.streams.video:
        if not int(stream.disposition) & _ATTACHED_PICTURE:
            return stream
    what = "sound only" if container.streams.audio else "no pictures"
    raise NothingToSwap(f"{path.name} holds {what}: there is no video in it.", advice="Give a file with video in it.")


def codec_name(stream: Stream) -> str:
    """FFmpeg's name of a stream's codec; `unknown` where this build has no decoder (PyAV then gives no context)."""
    context = getattr(stream, "codec_context", None)
    return context.codec.canonical_name if context else (getattr(stream, "name", None) or "unknown")


def time_base_of(stream: VideoStream) -> Fraction:
    """The stream's time base; FFmpeg always sets one for an opened file."""
    return stream.time_base or Fraction(1, 90_000)


def promised_end(stream: VideoStream) -> Fraction:
    """Seconds at which the container says that the stream ends; 0 where it does not say, or FFmpeg only guesses."""
    kind = stream.container.format.name.split(",")[0]
    if kind in {"mov", "avi"} and stream.duration:
        return ((stream.start_time or 0) + stream.duration) * time_base_of(stream)
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if kind == "matroska" and match:
        return (int(match[1]) * 60 + int(match[2])) * 60 + Fraction(match[3])
    return Fraction(0)


def clock(instant: Instant) -> str:
    """An instant as people read it, e.g. `0:01:02.345`."""
    minutes, seconds = divmod(instant.seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{seconds:06.3f}"
