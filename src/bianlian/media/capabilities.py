"""What the FFmpeg inside PyAV can do on this machine."""

from __future__ import annotations

import av
from av.codec.codec import codecs_available

NEEDED = ("libx264", "libx265", "h264", "hevc", "aac")
"""Encoders of results, decoders of most footage."""


def ffmpeg_version() -> str:
    """Version of the FFmpeg that PyAV brought."""
    return str(av.ffmpeg_version_info)


def missing_codecs() -> tuple[str, ...]:
    """Names of the needed codecs that this FFmpeg lacks."""
    return tuple(name for name in NEEDED if name not in codecs_available)
