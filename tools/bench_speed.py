"""How fast a swap is, against a plain decode and encode of the same file with the same codec settings in the same run.

    python tools/bench_speed.py [--seconds 10] [--home HOME] [--clip 720p --clip 1080p --clip two-faces]

Every run is a process of its own, so start-up counts. Footage is made from the demo clips (30 frames/s, a little grain, sound).
Without --home a donor is enrolled and learnt first, in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path

import av
import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from bianlian.media.encode import EncodeSettings
from bianlian.workflows.stopwatch import COLUMNS, Speed, StageTime

REPOSITORY = Path(__file__).resolve().parents[1]
DEMO = REPOSITORY / "demo"
DONOR = "demo-donor"
FPS = 30
GRAIN = 2.0
"""Standard deviation of the noise that is added to the rendered clips, levels of 255: a camera has more."""
CLIPS = {"720p": ((720, 1280), 1), "1080p": ((1080, 1920), 1), "two-faces": ((720, 1280), 2)}


@dataclass(frozen=True)
class Run:
    """One process."""

    wall_s: float
    core_s: float
    peak_mib: float
    """Of its largest process; forks share most of theirs with it (tools/soak.py measures them together)."""


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="bench-speed-") as scratch:
        folder = Path(scratch)
        home, performer = folder / "home", folder / "performer.toml"
        if arguments.home:  # a copy, and without its tracks: the first swap makes its own
            shutil.copytree(arguments.home, home, ignore=shutil.ignore_patterns("tracks"))
        performer.write_text(_printed(home, "donor", "performer-example"), encoding="utf-8")
        if not arguments.home:
            _apart(_enrol, home, folder)
        console = Console(width=120)
        for option in ("--version", "--help"):
            console.print(f"bianlian {option}: {_timed(_bianlian(home, option)).wall_s:.2f} s")
        table = Table("clip", "run", "seconds", "frames/s", "times plain", "core ms a frame", "times plain", "peak MiB")
        for name in arguments.clip or CLIPS:
            speed = _compare(table, name, arguments.seconds, home, performer, folder)
            stages = Table(*COLUMNS, title=f"{name}: the first swap")
            for row in speed.rows():
                stages.add_row(*row)
            console.print(stages)
        console.print(table)


def _compare(table: Table, name: str, seconds: float, home: Path, performer: Path, folder: Path) -> Speed:
    """Plain, swap, swap again with the track that is there, plain; returns the first swap's stages."""
    size, faces = CLIPS[name]
    clip, count = folder / f"{name}.mp4", round(seconds * FPS)
    _apart(_make, clip, size, count, faces)
    casts = [part for person in range(1, faces + 1) for part in ("--cast", f"{person}={DONOR}")]

    def swap(output: str) -> Run:
        return _timed(_bianlian(home, "swap", clip, "-o", folder / output, *casts, "--performer", performer))

    plain = [sys.executable, __file__, "--plain", str(clip)]
    before = _timed(plain)
    runs = {"swap": swap(f"{name}-1"), "again, tracked": swap(f"{name}-2")}
    after = _timed(plain)
    least = Run((before.wall_s + after.wall_s) / 2, (before.core_s + after.core_s) / 2, before.peak_mib)
    for what, run in {"plain": least, **runs}.items():
        table.add_row(
            name, what, f"{run.wall_s:.2f}", f"{count / run.wall_s:.1f}", f"{run.wall_s / least.wall_s:.2f}",
            f"{1000 * run.core_s / count:.1f}", f"{run.core_s / least.core_s:.2f}", f"{run.peak_mib:.0f}",
        )  # fmt: skip
    report = json.loads((folder / f"{name}-1" / f"{name}.bianlian.mp4.report.json").read_text())["speed"]
    return Speed(frames=report["frames"], stages=tuple(StageTime(**one) for one in report["stages"]))


def _timed(command: Sequence[str]) -> Run:
    """Run a process to its end; ends this program if it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(command)} failed:\n{said.decode(errors='replace')}")
    return Run(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _apart(work: Callable[..., None], *arguments: object) -> None:
    """Do some work in a process of its own: Linux counts the memory of who starts a process into that process's peak."""
    process = get_context("spawn").Process(target=work, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(process.exitcode)


def plain(clip: Path) -> None:
    """What any tool must do at least: decode, encode with the settings of `swap`, copy the sound; FFmpeg's own threads."""
    settings = EncodeSettings()
    with av.open(clip) as source, av.open(clip.with_suffix(".plain.mp4"), "w") as target:
        pictures, sound = source.streams.video[0], source.streams.audio[0]
        pictures.thread_type = "AUTO"
        options = {"preset": settings.preset, "crf": f"{settings.crf:g}"}
        coded = target.add_stream("libx264", rate=pictures.average_rate, options=options)
        coded.width, coded.height, coded.pix_fmt = pictures.width, pictures.height, "yuv420p"
        copied = target.add_stream_from_template(sound)
        for packet in source.demux(pictures, sound):
            if packet.stream is sound and packet.dts is not None:
                packet.stream = copied
                target.mux(packet)
                continue
            for picture in packet.decode() if packet.stream is pictures else ():
                picture.pict_type = av.video.frame.PictureType.NONE
                target.mux(coded.encode(picture))
        target.mux(coded.encode(None))


def _make(path: Path, size: tuple[int, int], count: int, faces: int) -> None:
    """A clip of `count` frames: the demo's performer, and beside it the donor where two faces are asked for."""
    options = {"preset": "veryfast", "crf": "20"}
    with av.open(path, "w") as container:
        stream, sound = (
            container.add_stream("libx264", rate=FPS, options=options),
            container.add_stream("aac", rate=48000),
        )
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        noise = np.random.default_rng(3)
        for picture in islice(_pictures(size, faces), count):
            grain = noise.normal(0, GRAIN, (*size, 1))
            rgb = np.clip(picture + grain, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))
        for first in range(0, count * 48000 // FPS, 1024):
            tone = np.sin(np.arange(first, first + 1024) * (2 * np.pi * 440 / 48000)).astype(np.float32)
            block = av.AudioFrame.from_ndarray(np.stack([tone, tone]) / 8, format="fltp", layout="stereo")
            block.sample_rate, block.pts, block.time_base = 48000, first, Fraction(1, 48000)
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))


def _pictures(size: tuple[int, int], faces: int) -> Iterator[np.ndarray]:
    height, width = size
    scenes = [_forth_and_back(DEMO / "clips" / f"demo_{name}.mp4") for name in ("footage", "donor_talk")[:faces]]
    for pictures in zip(*scenes, strict=False):
        wide = [_widened(picture, height, width // faces) for picture in pictures]
        yield np.concatenate(wide, axis=1)


def _widened(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """The square picture at this height, cut or mirrored outwards to this width."""
    square = cv2.resize(picture, (height, height), interpolation=cv2.INTER_AREA)
    beside = (width - height) // 2
    if beside <= 0:
        return square[:, -beside : width - beside]
    return cv2.copyMakeBorder(square, 0, 0, beside, width - height - beside, cv2.BORDER_REFLECT)


def _forth_and_back(path: Path) -> Iterator[np.ndarray]:
    with av.open(path) as container:
        pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
    return cycle([*pictures, *pictures[-2:0:-1]])


def _enrol(home: Path, folder: Path) -> None:
    """The demo's donor, as `make demo` enrols it."""
    sys.path.insert(0, str(DEMO))
    from answer_challenge import answer  # noqa: PLC0415

    challenge, capture, scope = folder / "challenge.json", folder / "capture.mp4", folder / "scope.toml"
    _timed(_bianlian(home, "challenge", "new", "-o", challenge))
    answer(challenge, DEMO / "clips" / "demo_donor_acts.mp4", DEMO / "clips" / "demo_donor_talk.mp4", capture)
    scope.write_text(_printed(home, "donor", "scope-example"), encoding="utf-8")
    _timed(_bianlian(home, "donor", "enrol", DONOR, "--capture", capture, "--challenge", challenge, "--scope", scope))
    _timed(_bianlian(home, "learn", DONOR, "--level", "standard"))


def _bianlian(home: Path, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "bianlian", "--home", str(home), *map(str, arguments)]


def _printed(home: Path, *arguments: str) -> str:
    return subprocess.run(_bianlian(home, *arguments), capture_output=True, text=True, check=True).stdout


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="Length of each clip.")
    parser.add_argument("--home", type=Path, help=f"An installation with the donor {DONOR}.")
    parser.add_argument("--clip", action="append", choices=CLIPS)
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    if "--plain" in sys.argv:
        plain(_arguments().plain)
    else:
        main()
