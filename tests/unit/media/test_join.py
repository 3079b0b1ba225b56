"""Frames → chunks → one file: same moments, same streams, nothing lost without a word, nothing half-written."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.stream
import numpy as np
import pytest

from bianlian.errors import CallerError, InstallationError, InternalError, UnsupportedMedia
from bianlian.media.decode import frames
from bianlian.media.encode import EncodeSettings, write_chunk
from bianlian.media.join import JoinReport, check_output, join
from bianlian.media.probe import describe
from bianlian.records.frame import ColourSpec, SourceInfo
from tests.media_factory import RICH, VARIABLE_RATE, Recipe, make_clip, marked, moving_square

FAST = EncodeSettings(preset="ultrafast")
SMOOTH = EncodeSettings(preset="veryfast", threads=1)
"""With B-frames, so that coded order differs from display order."""


def chunks_of(source: SourceInfo, folder: Path, length: int, settings: EncodeSettings = SMOOTH) -> list[Path]:
    folder.mkdir(exist_ok=True)
    all_frames = [marked(frame) for frame in frames(source)]
    pieces = [all_frames[first : first + length] for first in range(0, len(all_frames), length)]
    return [write_chunk(piece, source, settings, folder / f"{n:04}.mp4").path for n, piece in enumerate(pieces)]


def rebuilt(source: SourceInfo, tmp_path: Path, *, length: int = 7, name: str = "out.mp4") -> tuple[Path, JoinReport]:
    draft = tmp_path / name
    report = join(chunks_of(source, tmp_path / "chunks", length), source, draft, tags={"AIGC": '{"Label":"1"}'})
    return draft, report


def moments(source: SourceInfo) -> list[Fraction]:
    return [frame.instant.exact for frame in frames(source)]


def packets(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every packet that is not video, by stream: (stamp in seconds, bytes)."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.pts is not None and packet.stream.type not in {"video", "data"}:
                key = f"{packet.stream.type} {packet.stream.language}"
                found.setdefault(key, []).append((packet.pts * packet.time_base, bytes(packet)))
    return found


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(stamps=VARIABLE_RATE, time_base=Fraction(1, 90000)),
        Recipe(stamps=tuple(range(5005, 5005 + 25 * 1001, 1001)), time_base=Fraction(1, 30000)),
        Recipe(stamps=tuple(range(0, 25 * 1001, 1001)), time_base=Fraction(1, 60000)),
        Recipe(stamps=(0,)),
        Recipe(stamps=(10**9, 10**9 + 1, 10**9 + 4000), time_base=Fraction(1, 90000)),
    ],
)
@pytest.mark.parametrize("name", ["out.mp4", "out.mov"])
def test_stamps_are_identical(tmp_path: Path, recipe: Recipe, name: str) -> None:
    source = describe(make_clip(tmp_path / "a.mp4", recipe))
    draft, report = rebuilt(source, tmp_path, name=name)
    result = describe(draft)
    assert report.frame_count == len(recipe.stamps)
    assert result.time_base == source.time_base
    assert [frame.instant.pts for frame in frames(result)] == list(recipe.stamps)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("a.avi", {"codec": "mpeg4", "time_base": Fraction(1001, 30000), "stamps": tuple(range(20))}),
        ("a.mkv", {}),
        ("a.webm", {"codec": "libvpx", "options": {}}),
        ("a.mpg", {"codec": "mpeg2video", "time_base": Fraction(1, 30), "stamps": tuple(range(20))}),
    ],
)
def test_moments_are_identical_from_other_containers(tmp_path: Path, name: str, changes: dict[str, Any]) -> None:
    source = describe(make_clip(tmp_path / name, replace(Recipe(), **changes)))
    draft, _ = rebuilt(source, tmp_path)
    assert moments(describe(draft)) == moments(source)


@pytest.mark.parametrize("name", ["out.mp4", "out.mov"])
def test_the_rich_clip_keeps_everything(tmp_path: Path, name: str) -> None:
    source = describe(make_clip(tmp_path / f"rich{Path(name).suffix}", RICH))
    draft, report = rebuilt(source, tmp_path, name=name)
    result = describe(draft)
    assert report.dropped == ()
    assert (result.size, result.rotation) == (source.size, 0)
    assert packets(draft) == packets(source.path)
    with av.open(str(source.path)) as before, av.open(str(draft)) as after:
        assert (
            titles(after)
            == titles(before)
            == [(0, Fraction(3, 10), "Begin"), (Fraction(3, 10), Fraction(9, 10), "End")]
        )
        assert {key: after.metadata[key] for key in ("title", "comment", "AIGC")} == {
            "title": "A title", "comment": "A remark", "AIGC": '{"Label":"1"}',
        }  # fmt: skip
        assert [s.metadata.get("name") for s in after.streams.audio] == ["Sound 0", "Sound 1"]
        assert [s.disposition for s in after.streams] == [s.disposition for s in before.streams]


def titles(container: Any) -> list[tuple[Fraction, Fraction, str]]:
    return [
        (c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]["title"]) for c in container.chapters()
    ]


def test_there_is_exactly_one_label_in_the_file(tmp_path: Path) -> None:
    recipe = replace(RICH, tags={"AIGC": "an older label", "aigc": "another"})
    draft, _ = rebuilt(describe(make_clip(tmp_path / "a.mp4", recipe)), tmp_path)
    data = draft.read_bytes()
    assert data.count(b"AIGC") == 1
    assert b"older label" not in data
    assert data.lower().count(b"aigc") == 1


def test_text_subtitles_of_matroska_are_converted_and_that_is_said(tmp_path: Path) -> None:
    source = describe(make_clip(tmp_path / "a.mkv", replace(RICH, rotation=0)))
    draft, report = rebuilt(source, tmp_path)
    assert len(report.dropped) == 1
    assert "converted to mov_text" in report.dropped[0]
    with av.open(str(draft)) as container:
        texts = [bytes(packet) for packet in container.demux(container.streams.subtitles[0])]
    # A sample is a length in two bytes, the text, then perhaps style boxes (3GPP TS 26.245, 5.17).
    lines = [text[2 : 2 + int.from_bytes(text[:2])] for text in texts]
    assert [line for line in lines if line] == [b"Line 0", b"Line 1"]


def with_sound(path: Path, video: str, sound: str) -> Path:
    """A clip with one mono track in another codec than AAC."""
    with av.open(str(path), "w") as container:
        picture = container.add_stream(video, rate=25)
        picture.height, picture.width, picture.pix_fmt = 48, 64, "yuv420p"
        track = container.add_stream(sound, rate=48000)
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(moving_square(number, (48, 64)), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(picture.encode(frame))
            tone = np.sin(np.arange(1920 * number, 1920 * number + 1920) / 20).astype(np.float32)[None] / 3
            samples = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
            samples.sample_rate, samples.pts, samples.time_base = 48000, 1920 * number, Fraction(1, 48000)
            container.mux(track.encode(samples))
        container.mux(picture.encode(None))
        container.mux(track.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "video", "sound", "out"),
    [
        ("a.avi", "mpeg4", "libmp3lame", "out.mp4"),
        ("a.avi", "mpeg4", "pcm_s16le", "out.mp4"),
        ("a.mkv", "libx264", "pcm_s16le", "out.mov"),
        ("a.mkv", "libx264", "flac", "out.mp4"),
        ("a.webm", "libvpx", "libopus", "out.mp4"),
        ("a.mpg", "mpeg2video", "mp2", "out.mp4"),
        ("a.ts", "libx264", "aac", "out.mov"),
    ],
)
def test_sound_is_copied_without_coding_it_again(tmp_path: Path, name: str, video: str, sound: str, out: str) -> None:
    source = describe(with_sound(tmp_path / name, video, sound))
    draft, report = rebuilt(source, tmp_path, length=20, name=out)
    assert report.dropped == ()
    (before,), (after,) = (list(found.values()) for found in (packets(source.path), packets(draft)))
    # Within a tick of a 1/1000 container. Raw sound has no packets of its own, so only its beginning can be compared.
    moments = list(zip(before, after, strict="pcm" not in sound))
    assert all(abs(one[0] - other[0]) <= Fraction(1, 1000) for one, other in moments[: 1 if "pcm" in sound else None])
    # MPEG streams wrap AAC in headers (ADTS) that mp4 has no room for.
    assert name == "a.ts" or b"".join(one[1] for one in before) == b"".join(other[1] for other in after)


def test_sound_that_the_container_cannot_carry_is_said(tmp_path: Path) -> None:
    source = describe(with_sound(tmp_path / "a.webm", "libvpx", "libopus"))
    draft, report = rebuilt(source, tmp_path, name="out.mov")
    assert report.dropped == ("Stream 1 (audio, opus) was left out, because mov cannot carry it.",)
    assert describe(draft).streams == ()


def test_sound_of_an_unknown_kind_is_said(tmp_path: Path) -> None:
    """As phones record beside AAC for spatial sound."""
    path = make_clip(tmp_path / "a.mp4", Recipe(sound=(48000,)))
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"apxx").replace(b"esds", b"apxd"))
    source = describe(path)
    assert [(stream.kind, stream.codec) for stream in source.streams] == [("audio", "unknown")]
    _, report = rebuilt(source, tmp_path)
    assert report.dropped == ("Stream 1 (audio, unknown, eng) was left out, because mp4 cannot carry it.",)


def test_data_that_the_container_cannot_carry_is_said(tmp_path: Path) -> None:
    with av.open(str(make_clip(tmp_path / "plain.ts"))) as film, av.open(str(tmp_path / "a.ts"), "w") as out:
        target = out.add_stream_from_template(film.streams.video[0])
        data = out.add_data_stream("klv")
        out.start_encoding()
        for packet in film.demux(video=0):
            if packet.dts is not None:
                packet.stream = target
                out.mux(packet)
        note = av.Packet(b"position 1 2 3")
        note.stream, note.pts, note.dts, note.time_base = data, 200_000, 200_000, Fraction(1, 90_000)
        out.mux(note)
    source = describe(tmp_path / "a.ts")
    assert [stream.kind for stream in source.streams] == ["data"]
    _, report = rebuilt(source, tmp_path)
    assert len(report.dropped) == 1
    assert "cannot carry it" in report.dropped[0]


def with_time_code(folder: Path, recipe: Recipe, timecode: str) -> Path:
    with av.open(str(make_clip(folder / "plain.mp4", recipe))) as film, av.open(str(folder / "a.mov"), "w") as out:
        target = out.add_stream_from_template(film.streams.video[0])
        target.codec_context.framerate = Fraction(30000, 1001)
        target.metadata["timecode"] = timecode
        for packet in film.demux(video=0):
            if packet.dts is not None:
                packet.stream = target
                out.mux(packet)
    return folder / "a.mov"


@pytest.mark.parametrize("name", ["out.mp4", "out.mov"])
@pytest.mark.parametrize("timecode", ["10:11:12:13", "10:11:12;13"])
def test_time_code_comes_along(tmp_path: Path, name: str, timecode: str) -> None:
    recipe = Recipe(stamps=tuple(range(0, 20 * 1001, 1001)), time_base=Fraction(1, 30000), rate=Fraction(30000, 1001))
    source = describe(with_time_code(tmp_path, recipe, timecode))
    draft, report = rebuilt(source, tmp_path, name=name)
    assert report.dropped == ()
    with av.open(str(draft)) as container:
        assert container.streams.video[0].metadata["timecode"] == timecode


def test_a_time_code_that_does_not_fit_is_said(tmp_path: Path) -> None:
    recipe = Recipe(stamps=VARIABLE_RATE, time_base=Fraction(1, 90000))
    _, report = rebuilt(describe(with_time_code(tmp_path, recipe, "10:11:12;13")), tmp_path)
    assert len(report.dropped) == 1
    assert "time code 10:11:12;13 was left out" in report.dropped[0]


def test_cover_art_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "a.mp4")
    picture = make_clip(tmp_path / "cover.mkv", Recipe(codec="mjpeg", pixel_format="yuvj420p", stamps=(0,), options={}))
    with av.open(str(plain)) as film, av.open(str(picture)) as cover, av.open(str(tmp_path / "b.mp4"), "w") as out:
        targets = [out.add_stream_from_template(container.streams.video[0]) for container in (film, cover)]
        targets[1].disposition = av.stream.Disposition.attached_pic
        for container, target in zip((cover, film), reversed(targets), strict=True):
            for packet in container.demux(video=0):
                if packet.dts is not None:
                    packet.stream = target
                    out.mux(packet)
    source = describe(tmp_path / "b.mp4")
    assert source.codec == "h264"
    draft, report = rebuilt(source, tmp_path)
    assert ["may show the face" in sentence for sentence in report.dropped] == [True]
    assert describe(draft).streams == ()


@pytest.mark.parametrize(
    ("changes", "codec", "quality"),
    [
        ({"pixel_format": "yuv420p10le"}, "h264", 40.0),
        ({"pixel_format": "yuv422p10le", "codec": "ffv1", "options": {}}, "h264", 40.0),
        ({"pixel_format": "yuv444p", "size": (49, 65), "codec": "ffv1", "options": {}}, "h264", 40.0),
        ({"pixel_format": "yuv420p12le", "codec": "ffv1", "options": {}}, "hevc", 38.0),
        ({"colour": ColourSpec(matrix=9, primaries=9, transfer=14, full_range=True)}, "h264", 40.0),
        ({"colour": ColourSpec(matrix=1, primaries=1, transfer=1)}, "h264", 40.0),
        ({"sample_aspect": Fraction(4, 3)}, "h264", 40.0),
    ],
)
def test_depth_chroma_colour_and_aspect_are_kept(
    tmp_path: Path, changes: dict[str, Any], codec: str, quality: float
) -> None:
    source = describe(make_clip(tmp_path / "a.mkv", replace(Recipe(stamps=tuple(range(0, 6144, 512))), **changes)))
    draft, _ = rebuilt(source, tmp_path)
    result = describe(draft)
    for name in ("size", "bit_depth", "chroma_shift", "colour", "sample_aspect"):
        assert getattr(result, name) == getattr(source, name)
    assert result.codec == codec
    peak = (1 << source.bit_depth) - 1
    for before, after in zip(frames(source), frames(result), strict=True):
        for one, other in zip(before.planes, after.planes, strict=True):
            error = np.mean((one.astype(float) - other) ** 2)
            assert error == 0 or 10 * np.log10(peak**2 / error) > quality


def test_hevc_on_request(tmp_path: Path) -> None:
    source = describe(make_clip(tmp_path / "a.mp4"))
    settings = EncodeSettings(codec="hevc", preset="ultrafast")
    draft = tmp_path / "out.mov"
    join(chunks_of(source, tmp_path / "chunks", 11, settings), source, draft, tags={})
    assert describe(draft).codec == "hevc"
    with av.open(str(draft)) as container:
        assert container.streams.video[0].codec_tag == "hvc1"
    assert moments(describe(draft)) == moments(source)


def test_joined_chunks_show_what_the_chunks_show(tmp_path: Path) -> None:
    source = describe(make_clip(tmp_path / "a.mp4"))
    chunks = chunks_of(source, tmp_path / "chunks", 7)
    join(chunks, source, tmp_path / "out.mp4", tags={})
    apart = [frame for chunk in chunks for frame in frames(describe(chunk))]
    for one, other in zip(apart, frames(describe(tmp_path / "out.mp4")), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True))


def test_chunks_and_the_joined_file_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    source = describe(make_clip(tmp_path / "rich.mp4", RICH))
    once = chunks_of(source, tmp_path / "once", 4)
    again = chunks_of(source, tmp_path / "again", 4)
    assert [chunk.read_bytes() for chunk in once] == [chunk.read_bytes() for chunk in again]
    mixed = [*once[:2], *again[2:]]
    for name, chunks in (("one.mp4", once), ("two.mp4", mixed)):
        join(chunks, source, tmp_path / name, tags={"AIGC": "{}"})
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


@pytest.mark.parametrize("name", ["a.avi", "a.mkv", "a.webm", "a.flv", "a.gif", "a.xyz", "a"])
def test_containers_that_cannot_carry_the_marks_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedMedia, match="cannot be written") as caught:
        check_output(Path(name))
    assert "mp4 or .mov" in caught.value.advice


def test_only_marked_frames_are_encoded(tmp_path: Path) -> None:
    source = describe(make_clip(tmp_path / "a.mp4"))
    unmarked: Sequence[Any] = list(frames(source))
    with pytest.raises(InternalError, match="only marked frames"):
        write_chunk(unmarked, source, FAST, tmp_path / "c.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_frames_must_follow_each_other_and_fit(tmp_path: Path) -> None:
    source = describe(make_clip(tmp_path / "a.mp4"))
    first, second, *_ = (marked(frame) for frame in frames(source))
    with pytest.raises(InternalError, match="does not follow"):
        write_chunk([second, first], source, FAST, tmp_path / "c.mp4")
    with pytest.raises(InternalError, match="does not fit"):
        write_chunk([first], replace(source, size=(2, 2)), FAST, tmp_path / "c.mp4")
    with pytest.raises(InternalError, match="at least one"):
        write_chunk([], source, FAST, tmp_path / "c.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_chunks_in_the_wrong_order_or_of_other_settings_are_not_joined(tmp_path: Path) -> None:
    source = describe(make_clip(tmp_path / "a.mp4"))
    chunks = chunks_of(source, tmp_path / "chunks", 10)
    others = chunks_of(source, tmp_path / "others", 10, EncodeSettings(preset="ultrafast", codec="hevc"))
    with pytest.raises(InternalError, match="does not follow"):
        join(chunks[::-1], source, tmp_path / "out.mp4", tags={})
    with pytest.raises(InternalError, match="other settings"):
        join([chunks[0], *others[1:]], source, tmp_path / "out.mp4", tags={})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "chunks", "others"]


def test_settings_are_checked() -> None:
    with pytest.raises(CallerError, match="h264 or hevc"):
        EncodeSettings(codec="vp9")
    with pytest.raises(CallerError, match="rate factor"):
        EncodeSettings(crf=99)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    source = describe(make_clip(tmp_path / "a.mp4"))
    with pytest.raises(InstallationError, match="folder does not exist"):
        write_chunk((marked(frame) for frame in frames(source)), source, FAST, tmp_path / "absent" / "c.mp4")
    (tmp_path / "file").touch()
    with pytest.raises(InstallationError, match="is a file, not a folder"):
        write_chunk((marked(frame) for frame in frames(source)), source, FAST, tmp_path / "file" / "c.mp4")


FULL_DISK = """
import resource, sys
from pathlib import Path
from bianlian.errors import InstallationError
from bianlian.media.probe import describe
from bianlian.media.join import join
source, folder = describe(Path(sys.argv[1])), Path(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), -1))
try:
    join(sorted(folder.glob("*.mp4")), source, folder.parent / "out.mp4", tags={})
except InstallationError as error:
    print(error, error.advice)
"""


@pytest.mark.parametrize("limit", [10, 3000, 9000])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    """A limit on file size stands for the full disk: both make `write` fail in the middle."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    source = describe(make_clip(tmp_path / "a.mp4", replace(RICH, size=(96, 128))))
    chunks_of(source, tmp_path / "chunks", 5)
    command = [sys.executable, "-c", FULL_DISK, str(source.path), str(tmp_path / "chunks"), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "could not be written: the file would be larger" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "chunks"]
