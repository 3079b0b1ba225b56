"""Test clips made by code: every oddity of real footage that the program must get right, with no real face in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.subtitles.subtitle import SubtitleSet

from bianlian.records.composite import Composite, MarkedFrame
from bianlian.records.frame import ColourSpec, Frame

Picture = Callable[[int, tuple[int, int]], npt.NDArray[np.uint8]]
"""(frame number, (height, width)) → HxWx3 RGB."""

VARIABLE_RATE = (7, 3010, 6013, 12000, 15003, 40000, 43003, 46000, 49001, 60000, 60001, 63000, 90007, 90100, 95000)
"""Stamps at 1/90000 with an odd start: bursts, gaps and a picture of a single tick."""
_ASS_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name\nStyle: Default\n\n"
    b"[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a test clip is like. The defaults are plain: one second at 30 frames a second, H.264 with B-frames."""

    stamps: tuple[int, ...] = tuple(range(0, 30 * 512, 512))
    time_base: Fraction = Fraction(1, 15360)
    rate: Fraction = Fraction(30)
    size: tuple[int, int] = (48, 64)
    """Coded (height, width)."""
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=lambda: {"bf": "2", "g": "8", "preset": "veryfast"})
    rotation: int = 0
    """Degrees clockwise that a player turns the coded picture."""
    mirrored: bool = False
    colour: ColourSpec = field(default_factory=ColourSpec)
    sample_aspect: Fraction = Fraction(1)
    sound: tuple[int, ...] = ()
    """Sample rate of each sound track, in Hz."""
    subtitles: bool = False
    chapters: bool = False
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


RICH = Recipe(
    stamps=VARIABLE_RATE, time_base=Fraction(1, 90000), rotation=90, sound=(48000, 44100), subtitles=True, chapters=True,
    tags={"title": "A title", "comment": "A remark"},
)  # fmt: skip
"""Variable rate, phone rotation, two sound tracks, subtitles, chapters, tags: what the main job is shown by."""


def moving_square(number: int, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """A colour ramp with a bright square that moves, so that no two pictures are alike and 'up' can be told."""
    height, width = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(20, 120, width, dtype=np.uint8)[None, :]
    picture[..., 1] = np.linspace(10, 200, height, dtype=np.uint8)[:, None]
    picture[..., 2] = (number * 9) % 200
    side = max(4, min(size) // 6)
    left, top = number * 3 % (width - side), number % (height - side)
    picture[top : top + side, left : left + side] = 235
    return picture


def make_clip(path: Path, recipe: Recipe = Recipe(), picture: Picture = moving_square) -> Path:
    """Write a clip; the suffix of `path` chooses the container."""
    ticks = str(recipe.time_base.denominator)
    options = {"video_track_timescale": ticks, "movie_timescale": ticks, "movflags": "use_metadata_tags"}
    exact = path.suffix in {".mp4", ".mov"}
    with av.open(str(path), "w", options=options if exact else {}) as container:
        video = _video(container, recipe)
        tracks = [container.add_stream("aac" if exact else "libmp3lame", rate=rate) for rate in recipe.sound]
        for number, track in enumerate(tracks):
            track.metadata.update({"language": ("eng", "deu", "fra")[number % 3], "title": f"Sound {number}"})
        subtitles = container.add_stream("mov_text" if exact else "srt") if recipe.subtitles else None
        if subtitles is not None:
            subtitles.metadata["language"] = "zho"
            subtitles.codec_context.subtitle_header = _ASS_HEADER
        if recipe.chapters:
            container.set_chapters([_chapter(1, 0, 300, "Begin"), _chapter(2, 300, 900, "End")])
        container.metadata.update(recipe.tags)
        container.start_encoding()
        if subtitles is not None:
            for number in range(2):
                _write_subtitle(container, subtitles, number)
        for number, pts in enumerate(recipe.stamps):
            frame = av.VideoFrame.from_ndarray(picture(number, recipe.size), "rgb24")
            frame = frame.reformat(format=recipe.pixel_format)
            frame.pts, frame.time_base = pts, recipe.time_base
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for track, rate in zip(tracks, recipe.sound, strict=True):
            _write_sound(container, track, rate)
    return path


def make_sound(path: Path) -> Path:
    """A file with sound only."""
    with av.open(str(path), "w") as container:
        track = container.add_stream("aac", rate=48000)
        _write_sound(container, track, 48000)
    return path


def cut_off(source: Path, path: Path, share: float) -> Path:
    """The first part of a file, as a broken download leaves it."""
    data = source.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def scribbled(source: Path, path: Path, *, at: float, count: int = 400, seed: int = 1) -> Path:
    """A copy with `count` bytes overwritten from the share `at` of its length on."""
    data = bytearray(source.read_bytes())
    start = int(len(data) * at)
    data[start : start + count] = np.random.default_rng(seed).bytes(len(data[start : start + count]))
    path.write_bytes(bytes(data))
    return path


def marked(frame: Frame) -> MarkedFrame:
    """A frame as the marking stage would hand it on; for tests of what comes after it."""
    return MarkedFrame(composite=Composite(frame=frame, faces=()), label_is_visible=True)


def _video(container: Any, recipe: Recipe) -> Any:
    video = container.add_stream(recipe.codec, rate=recipe.rate, options=dict(recipe.options))
    video.height, video.width = recipe.size
    video.pix_fmt = recipe.pixel_format
    video.codec_context.time_base = video.time_base = recipe.time_base
    video.codec_context.sample_aspect_ratio = recipe.sample_aspect
    colour = recipe.colour
    video.codec_context.color_range = 2 if colour.full_range else 1
    video.codec_context.colorspace = int(colour.matrix)
    video.codec_context.color_primaries = colour.primaries
    video.codec_context.color_trc = colour.transfer
    if recipe.rotation or recipe.mirrored:
        video.set_display_rotation(-recipe.rotation, hflip=recipe.mirrored)
    return video


def _chapter(number: int, start: int, end: int, title: str) -> dict[str, Any]:
    return {"id": number, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}


def _write_subtitle(container: Any, stream: Any, number: int) -> None:
    text = f"{number},0,Default,,0,0,0,,Line {number}".encode()
    packet = stream.codec_context.encode_subtitle(SubtitleSet.create(text, 0, 400, pts=number * 500_000))
    packet.stream, packet.time_base = stream, Fraction(1, 1000)
    packet.pts = packet.dts = number * 500
    packet.duration = 400
    container.mux(packet)


def _write_sound(container: Any, track: Any, rate: int) -> None:
    size = track.codec_context.frame_size or 1024
    for start in range(0, rate, size):
        tone = np.sin(np.arange(start, start + size) * (440 * 2 * np.pi / rate)).astype(np.float32)[None] * 0.3
        frame = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        container.mux(track.encode(frame))
    container.mux(track.encode(None))
