"""Faults in the midst of a swap: each ends in words, with nothing under the final name, and the next run makes the result."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import av
import pytest

from bianlian.records.progress import Silent
from bianlian.workflows import job, render
from bianlian.workflows.swap import FileOutcome, Status, swap
from tests.workflows.conftest import DONOR, Stage
from tests.workflows.footage import performer_clip

FRAMES, CHUNK = 24, 8


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    monkeypatch.setattr(job, "CHUNK_FRAMES", CHUNK)


def run(stage: Stage, source: Path, **options) -> FileOutcome:
    (outcome,) = swap(stage.house, stage.request(source, **options), Silent()).outcomes
    return outcome


def packets(path: Path) -> list[tuple[int, int | None, bytes]]:
    with av.open(path) as container:
        return [(packet.stream_index, packet.pts, bytes(packet)) for packet in container.demux() if packet.size]


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(".bianlian/*") if path.is_dir())


def when_chunk(monkeypatch, number: int, act) -> None:
    """Do something just before a chunk is written."""
    write = render.write_chunk

    def acting(marked, source, settings, path):
        if path.name == f"chunk-{number:05d}.mp4":
            act()
        return write(marked, source, settings, path)

    monkeypatch.setattr(render, "write_chunk", acting)


@pytest.mark.parametrize("how", ["changed", "removed"])
def test_footage_that_changes_meanwhile_is_noticed(stage, monkeypatch, how):
    source = performer_clip(stage.folder / "scene.mp4", count=FRAMES)
    kept = source.read_bytes()
    with monkeypatch.context() as patch:
        change = source.unlink if how == "removed" else lambda: source.write_bytes(kept + b"\0\0\0\x08free")
        when_chunk(patch, 1, lambda: source.exists() and change())
        outcome = run(stage, source)
    assert (outcome.status, outcome.exit_code) == (Status.FAILED, 3)
    assert "changed" in outcome.sentence or "scene.mp4" in outcome.sentence
    assert not outcome.output.exists()
    assert left_in(stage.folder / "out") == []  # nothing that was drawn from other footage is ever used
    source.write_bytes(kept)
    assert run(stage, source, resume=True).status is Status.DONE


def test_a_full_disk_is_said_and_what_is_done_is_kept(stage, monkeypatch):
    source = performer_clip(stage.folder / "scene.mp4", count=FRAMES)

    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        when_chunk(patch, 1, full)  # whoever draws it has drawn the one before
        outcome = run(stage, source)
    assert (outcome.status, outcome.exit_code) == (Status.FAILED, 3)
    assert "the disk is full" in outcome.sentence
    assert not outcome.output.exists()
    assert left_in(stage.folder / "out")
    assert run(stage, source, resume=True).status is Status.DONE
    assert stage.house.donors.ledger.check()


def test_an_altered_chunk_is_drawn_again(stage, monkeypatch):
    source = performer_clip(stage.folder / "scene.mp4", count=FRAMES)
    whole = run(stage, source, output=stage.folder / "whole")

    def stop() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        when_chunk(patch, 2, stop)
        with pytest.raises(KeyboardInterrupt):
            run(stage.with_one_worker(), source)
    first = next((stage.folder / "out").glob(".bianlian/*/chunk-00000.mp4"))
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    outcome = run(stage, source, resume=True)
    assert outcome.status is Status.DONE, outcome.sentence
    assert packets(outcome.output) == packets(whole.output)


def test_a_damaged_track_is_made_again(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=FRAMES)
    first = run(stage, source, output=stage.folder / "first")
    chunk = next(stage.house.tracks.glob("*.track/chunk-00000.npz"))
    chunk.write_bytes(chunk.read_bytes()[:-100])
    outcome = run(stage, source)
    assert outcome.status is Status.DONE, outcome.sentence
    assert packets(outcome.output) == packets(first.output)


def test_what_got_the_name_meanwhile_is_not_overwritten(stage, monkeypatch):
    source = performer_clip(stage.folder / "scene.mp4", count=CHUNK)
    theirs = stage.folder / "out" / "scene.bianlian.mp4"
    when_chunk(monkeypatch, 0, lambda: theirs.write_bytes(b"mine"))
    outcome = run(stage, source)
    assert (outcome.status, outcome.exit_code) == (Status.FAILED, 2)
    assert theirs.read_bytes() == b"mine"


def test_a_clock_that_was_set_back_is_refused(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=CHUNK)
    past = stage.house.clock() - timedelta(days=2)
    outcome = run(replace(stage, house=replace(stage.house, clock=lambda: past)), source)
    assert (outcome.status, outcome.code) == (Status.REFUSED, "clock-set-back")
    assert stage.house.donors.ledger.check()


@pytest.mark.parametrize(("days", "code"), [(-2, "clock-set-back"), (3 * 366, "scope-expired")])
def test_a_clock_that_jumps_during_the_run_stops_the_release(stage, monkeypatch, days, code):
    stage = stage.with_one_worker()
    source = performer_clip(stage.folder / "scene.mp4", count=FRAMES)
    shift, right = [timedelta()], stage.house.clock
    house = replace(stage.house, clock=lambda: right() + shift[0])
    when_chunk(monkeypatch, 1, lambda: shift.__setitem__(0, timedelta(days=days)))
    outcome = run(replace(stage, house=house), source)
    assert (outcome.status, outcome.code) == (Status.REFUSED, code)
    assert not outcome.output.exists()
    assert left_in(stage.folder / "out") == []
    assert house.donors.ledger.check()


def test_a_killed_program_goes_on_to_the_same_file(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=FRAMES)
    whole = run(stage, source, output=stage.folder / "whole")
    program = (
        f"import bianlian.workflows.job as job; job.CHUNK_FRAMES = {CHUNK}; import bianlian.cli.main as m; m.main()"
    )
    command = [
        sys.executable,
        "-c",
        program,
        "--home",
        stage.house.settings.home,
        "swap",
        source,
        "-o",
        stage.folder / "out",
    ]
    command += ["--cast", f"1={DONOR}", "--performer", stage.performer, "--level", "draft", "--resume"]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        while running.poll() is None and not any((stage.folder / "out").glob(".bianlian/*/chunk-*.sha256")):
            pass
        running.kill()
    kept = {path.name: path.stat().st_ino for path in (stage.folder / "out").glob(".bianlian/*/chunk-*.sha256")}
    assert kept
    drawn = []
    with pytest.MonkeyPatch.context() as patch:
        for number in range(FRAMES // CHUNK):
            when_chunk(patch, number, lambda number=number: drawn.append(f"chunk-{number:05d}.sha256"))
        outcome = run(stage, source, resume=True)
    assert outcome.status is Status.DONE, outcome.sentence
    assert not set(kept) & set(drawn)
    assert packets(outcome.output) == packets(whole.output)
    assert stage.house.donors.ledger.check()
