"""Frames come out exactly: stamps, planes, upright, the same from any starting point."""

from __future__ import annotations

import io
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from bianlian.errors import UnsupportedMedia
from bianlian.media.decode import frames, sampled
from bianlian.media.probe import describe
from bianlian.records.frame import Frame
from tests.media_factory import VARIABLE_RATE, Recipe, make_clip, moving_square

LOSSLESS = {"qp": "0", "preset": "ultrafast", "bf": "2"}
FULL = Recipe(pixel_format="yuv444p", options=LOSSLESS, size=(48, 64), stamps=(0, 512, 1024))


def same(one: Frame, other: Frame) -> bool:
    return (one.index, one.instant, one.duration) == (other.index, other.instant, other.duration) and all(
        np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True)
    )


@pytest.mark.parametrize(
    ("stamps", "time_base"),
    [
        (VARIABLE_RATE, Fraction(1, 90000)),
        (tuple(range(5005, 5005 + 20 * 1001, 1001)), Fraction(1, 30000)),
        (tuple(range(0, 20 * 1001, 1001)), Fraction(1, 60000)),
        ((3, 4, 5, 900, 901, 5000), Fraction(1, 1000)),
    ],
)
def test_stamps_are_the_containers(tmp_path: Path, stamps: tuple[int, ...], time_base: Fraction) -> None:
    source = describe(make_clip(tmp_path / "a.mp4", Recipe(stamps=stamps, time_base=time_base)))
    found = list(frames(source))
    assert [frame.instant.pts for frame in found] == list(stamps)
    assert {frame.instant.time_base for frame in found} == {time_base}
    assert [frame.index for frame in found] == list(range(len(stamps)))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_frames_are_upright(tmp_path: Path, rotation: int, mirrored: bool) -> None:
    coded = list(frames(describe(make_clip(tmp_path / "a.mp4", FULL))))
    source = describe(make_clip(tmp_path / "b.mp4", replace(FULL, rotation=rotation, mirrored=mirrored)))
    # FFmpeg mirrors after turning; the record says how to turn what was mirrored first.
    assert source.rotation == (-rotation % 360 if mirrored else rotation)
    for plain, turned in zip(coded, frames(source), strict=True):
        for before, after in zip(plain.planes, turned.planes, strict=True):
            upright = np.rot90(before, -rotation // 90)
            assert np.array_equal(after, upright[:, ::-1] if mirrored else upright)
            assert after.flags.c_contiguous


def test_422_on_its_side_becomes_444_with_its_luma_untouched(tmp_path: Path) -> None:
    recipe = replace(FULL, pixel_format="yuv422p")
    plain = next(iter(frames(describe(make_clip(tmp_path / "a.mp4", recipe)))))
    turned = next(iter(frames(describe(make_clip(tmp_path / "b.mp4", replace(recipe, rotation=90))))))
    assert (plain.chroma_shift, turned.chroma_shift) == ((0, 1), (0, 0))
    assert np.array_equal(turned.planes[0], np.rot90(plain.planes[0], -1))


def test_ten_bits_stay_ten_bits(tmp_path: Path) -> None:
    source = describe(
        make_clip(tmp_path / "a.mkv", replace(FULL, codec="ffv1", pixel_format="yuv420p10le", options={}))
    )
    luma = next(iter(frames(source))).planes[0]
    assert luma.dtype == np.uint16
    assert 255 < luma.max() < 1024


def test_rgb_footage_keeps_its_colours(tmp_path: Path) -> None:
    source = describe(make_clip(tmp_path / "a.mkv", replace(FULL, codec="ffv1", pixel_format="bgr0", options={})))
    y, u, v = (plane.astype(float) for plane in next(iter(frames(source))).planes)
    # BT.601, limited range (H.273 table 4, value 6).
    red = 1.164 * (y - 16) + 1.596 * (v - 128)
    green = 1.164 * (y - 16) - 0.392 * (u - 128) - 0.813 * (v - 128)
    blue = 1.164 * (y - 16) + 2.017 * (u - 128)
    assert source.colour.matrix == 6
    assert np.abs(np.dstack((red, green, blue)) - moving_square(0, (48, 64))).mean() < 1.5


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("b-frames.mp4", {}),
        ("variable.mp4", {"stamps": VARIABLE_RATE, "time_base": Fraction(1, 90000)}),
        ("open.mp4", {"options": {"x264-params": "open-gop=1:keyint=6:min-keyint=2:scenecut=0:bframes=3"}}),
        ("open.mkv", {"options": {"x264-params": "open-gop=1:keyint=6:min-keyint=2:scenecut=0:bframes=3"}}),
        ("open-hevc.mp4", {"codec": "libx265", "options": {"x265-params": "open-gop=1:keyint=6:log-level=error"}}),
        ("refresh.mp4", {"options": {"x264-params": "intra-refresh=1:keyint=8:bframes=0"}}),
        ("a.avi", {"codec": "mpeg4", "time_base": Fraction(1, 30), "stamps": tuple(range(30))}),
        ("a.webm", {"codec": "libvpx", "options": {"g": "7", "auto-alt-ref": "1", "lag-in-frames": "10"}}),
        ("a.mpg", {"codec": "mpeg2video", "time_base": Fraction(1, 30), "stamps": tuple(range(30))}),
    ],
)
def test_decoding_from_the_middle_gives_the_same_frames(tmp_path: Path, name: str, changes: dict[str, object]) -> None:
    source = describe(make_clip(tmp_path / name, replace(Recipe(), **changes)))  # type: ignore[arg-type]
    whole = list(frames(source))
    for first in range(0, len(whole), 2):
        part = list(frames(source, start=whole[first].instant, start_index=first))
        assert len(part) == len(whole) - first
        assert all(same(one, other) for one, other in zip(part, whole[first:], strict=True))


def test_threads_do_not_change_the_result(tmp_path: Path) -> None:
    source = describe(make_clip(tmp_path / "a.mp4"))
    assert all(same(one, other) for one, other in zip(frames(source), frames(source, threads=4), strict=True))


def test_sampling_steps_by_time_and_keeps_true_indices(tmp_path: Path) -> None:
    source = describe(make_clip(tmp_path / "a.mp4", Recipe(stamps=VARIABLE_RATE, time_base=Fraction(1, 90000))))
    found = list(sampled(source, Fraction(1, 4)))
    assert [frame.instant.pts for frame in found] == [7, 40000, 46000, 90007]
    assert [frame.index for frame in found] == [VARIABLE_RATE.index(frame.instant.pts) for frame in found]


def test_frames_are_independent_of_the_decoder_and_read_only(tmp_path: Path) -> None:
    source = describe(make_clip(tmp_path / "a.mp4"))
    stream = frames(source)
    first = next(stream)
    before = first.planes[0].copy()
    list(stream)
    assert np.array_equal(first.planes[0], before)
    with pytest.raises(ValueError, match="read-only"):
        first.planes[0][0, 0] = 1


def test_a_size_change_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.height, stream.width, stream.pix_fmt, stream.time_base = 48, 64, "yuvj420p", Fraction(1, 10)
        for number, size in enumerate([(48, 64)] * 5 + [(64, 64)] * 5):
            jpeg = io.BytesIO()
            Image.fromarray(moving_square(number, size)).save(jpeg, "JPEG")
            packet = av.Packet(jpeg.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 10)
            container.mux(packet)
    with pytest.raises(UnsupportedMedia, match=r"changes its picture size or pixel format at 0:00:00\.500"):
        list(frames(describe(tmp_path / "a.mkv")))


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    recipe = Recipe(size=(240, 320), stamps=tuple(range(0, 240 * 512, 512)), options={"preset": "ultrafast"})
    source = describe(make_clip(tmp_path / "a.mp4", recipe))
    tracemalloc.start()
    stream = frames(source)
    peaks: list[int] = []
    for _ in range(2):
        tracemalloc.reset_peak()
        for frame in islice(stream, 120):
            del frame
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.1 + 50_000
