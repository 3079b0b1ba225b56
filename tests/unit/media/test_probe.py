"""What is in a file, and every refusal in words."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest

from bianlian.errors import MediaError, NothingToSwap, UnreadableMedia, UnsupportedMedia
from bianlian.media.decode import frames
from bianlian.media.probe import describe, sha256_of
from bianlian.records.frame import ColourSpec
from tests.media_factory import RICH, Recipe, cut_off, make_clip, make_sound, scribbled

PLAIN = Recipe()
NO_OPTIONS: dict[str, str] = {}
TENTHS = tuple(range(0, 100, 10))


def test_a_rich_clip_is_described(tmp_path: Path) -> None:
    source = describe(make_clip(tmp_path / "rich.mp4", RICH))
    assert (source.container, source.codec, source.size, source.rotation) == ("mov", "h264", (64, 48), 90)
    assert (source.time_base, source.start_pts, source.frame_estimate) == (Fraction(1, 90000), 7, 15)
    assert [(stream.kind, stream.language) for stream in source.streams][:3] == [
        ("audio", "eng"),
        ("audio", "deu"),
        ("subtitle", "zho"),
    ]
    assert source.sha256 == sha256(source.path.read_bytes()).hexdigest() == sha256_of(source.path)


@pytest.mark.parametrize(
    ("name", "changes", "container", "codec"),
    [
        ("a.mov", {}, "mov", "h264"),
        ("a.mkv", {}, "matroska", "h264"),
        ("a.webm", {"codec": "libvpx", "options": NO_OPTIONS}, "matroska", "vp8"),
        ("a.avi", {"codec": "mpeg4", "time_base": Fraction(1, 30), "stamps": tuple(range(9))}, "avi", "mpeg4"),
        (
            "a.mpg",
            {"codec": "mpeg2video", "time_base": Fraction(1, 30), "stamps": tuple(range(9))},
            "mpeg",
            "mpeg2video",
        ),
        (
            "a.gif",
            {
                "codec": "gif",
                "pixel_format": "rgb8",
                "time_base": Fraction(1, 100),
                "stamps": TENTHS,
                "options": NO_OPTIONS,
            },
            "gif",
            "gif",
        ),
    ],
)
def test_containers(tmp_path: Path, name: str, changes: dict[str, object], container: str, codec: str) -> None:
    recipe = replace(PLAIN, **changes)  # type: ignore[arg-type]
    source = describe(make_clip(tmp_path / name, recipe))
    assert (source.container, source.codec) == (container, codec)
    assert sum(1 for _ in frames(source)) == len(recipe.stamps)


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4").rename(tmp_path / "a.png")
    source = describe(path)
    assert source.container == "mov"
    assert not source.is_image


@pytest.mark.parametrize(
    ("pixel_format", "codec", "depth", "shift"),
    [
        ("yuv420p10le", "libx264", 10, (1, 1)),
        ("yuv420p12le", "libx265", 12, (1, 1)),
        ("yuv422p10le", "prores_ks", 10, (0, 1)),
        ("yuv444p", "libx264", 8, (0, 0)),
        ("gray", "ffv1", 8, (0, 0)),
        ("bgr0", "ffv1", 8, (0, 0)),
        ("yuv411p", "ffv1", 8, (0, 0)),
        ("gbrp10le", "ffv1", 10, (0, 0)),
    ],
)
def test_depth_and_chroma(tmp_path: Path, pixel_format: str, codec: str, depth: int, shift: tuple[int, int]) -> None:
    options = {"x265-params": "log-level=error"} if codec == "libx265" else NO_OPTIONS
    source = describe(
        make_clip(tmp_path / "a.mkv", replace(PLAIN, pixel_format=pixel_format, codec=codec, options=options))
    )
    assert (source.bit_depth, source.chroma_shift) == (depth, shift)
    frame = next(iter(frames(source)))
    assert (frame.bit_depth, frame.chroma_shift, frame.size) == (depth, shift, source.size)


def test_odd_sizes_become_444_because_subsampled_video_has_none(tmp_path: Path) -> None:
    source = describe(make_clip(tmp_path / "a.mkv", replace(PLAIN, size=(49, 65), codec="ffv1", options=NO_OPTIONS)))
    assert (source.size, source.chroma_shift) == ((49, 65), (0, 0))


def test_colour_tags_and_aspect(tmp_path: Path) -> None:
    colour = ColourSpec(matrix=9, primaries=9, transfer=14, full_range=True)
    recipe = replace(PLAIN, colour=colour, sample_aspect=Fraction(4, 3), rotation=90)
    source = describe(make_clip(tmp_path / "a.mp4", recipe))
    assert source.colour == colour
    assert source.sample_aspect == Fraction(3, 4)


def refused(path: Path, kind: type[MediaError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        describe(path)
    assert caught.value.advice


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour": ColourSpec(matrix=9, primaries=9, transfer=16), "pixel_format": "yuv420p10le"}, "PQ"),
        ({"colour": ColourSpec(matrix=9, primaries=9, transfer=18), "pixel_format": "yuv420p10le"}, "HLG"),
        ({"colour": ColourSpec(matrix=8)}, "matrix number 8"),
        ({"options": {"x264-params": "tff=1"}}, "interlaced"),
        ({"codec": "prores_ks", "pixel_format": "yuv422p10le", "options": {"flags": "+ildct"}}, "interlaced"),
        (
            {"codec": "prores_ks", "pixel_format": "yuva444p10le", "options": {"profile": "4444", "alpha_bits": "16"}},
            "transparency",
        ),
        ({"size": (8, 8)}, "only 8x8"),
        (
            {"size": (32, 16640), "codec": "mjpeg", "pixel_format": "yuvj420p", "options": {}, "stamps": (0,)},
            "16640x32",
        ),
    ],
)
def test_refused_in_words(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    recipe = replace(PLAIN, **changes)  # type: ignore[arg-type]
    refused(make_clip(tmp_path / "a.mov", recipe), UnsupportedMedia, words)


def test_files_that_are_no_footage(tmp_path: Path) -> None:
    refused(tmp_path / "absent.mp4", UnreadableMedia, "does not exist")
    refused(tmp_path, UnreadableMedia, "is a folder")
    (tmp_path / "empty.mp4").touch()
    refused(tmp_path / "empty.mp4", UnreadableMedia, "zero bytes")
    (tmp_path / "notes.mp4").write_text("These are my notes. " * 100)
    refused(tmp_path / "notes.mp4", UnreadableMedia, "cannot be read as video")
    refused(make_sound(tmp_path / "song.m4a"), NothingToSwap, "sound only")
    os.mkfifo(tmp_path / "pipe.mp4")
    refused(tmp_path / "pipe.mp4", UnreadableMedia, "not an ordinary file")


def test_a_playlist_cannot_name_other_files(tmp_path: Path) -> None:
    make_clip(tmp_path / "secret.mp4")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile secret.mp4\n")
    refused(tmp_path / "list.mp4", UnreadableMedia, "cannot be read as video")
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n")
    refused(tmp_path / "list.m3u8", UnreadableMedia, "cannot be read as video")


def test_a_protocol_in_the_name_is_only_a_name(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4").rename(tmp_path / "concat:a|b.mp4")
    assert describe(path).codec == "h264"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4")
    path.chmod(0)
    refused(path, UnreadableMedia, "may not be read")


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.avi", "a.gif"])
@pytest.mark.parametrize("share", [0.1, 0.6, 0.97])
def test_a_file_that_was_cut_off(tmp_path: Path, name: str, share: float) -> None:
    recipes = {
        "a.avi": replace(PLAIN, codec="mpeg4", time_base=Fraction(1, 30), stamps=tuple(range(30))),
        "a.gif": replace(
            PLAIN, codec="gif", pixel_format="rgb8", time_base=Fraction(1, 100), stamps=TENTHS, options=NO_OPTIONS
        ),
    }
    whole = make_clip(tmp_path / name, recipes.get(name, PLAIN))
    refused(cut_off(whole, tmp_path / f"cut{whole.suffix}", share), UnreadableMedia, "cut off or damaged: .* missing")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_damaged_file_never_gives_fewer_pictures_without_a_word(tmp_path: Path, name: str) -> None:
    whole = make_clip(tmp_path / name, replace(PLAIN, size=(96, 128)))
    count = sum(1 for _ in frames(describe(whole)))
    outcomes = {"whole": 0, "refused": 0}
    for seed in range(12):
        damaged = scribbled(
            whole, tmp_path / f"damaged{seed}{whole.suffix}", at=0.06 + 0.075 * seed, count=60, seed=seed
        )
        try:
            assert sum(1 for _ in frames(describe(damaged))) == count
            outcomes["whole"] += 1
        except MediaError:
            outcomes["refused"] += 1
    assert outcomes["refused"] >= 8
