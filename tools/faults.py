#!/usr/bin/env python3
"""The fault campaign: kill, fill, forbid, change and corrupt while a swap runs, and see how each run ends.

    faults.py --home HOME --donor NAME --performer performer.toml CLIP [--kills 50] [--only WORD] [--seed 0]

HOME holds an enrolled and learnt donor; it is copied, never changed. CLIP shows one person for a second or two. Every fault
must end with a sentence and the right exit code, with nothing under the final name and the ledger whole, and the same command
with --resume must then give the packets of an uninterrupted run. Needs Linux and root (tmpfs, and another user, who must be able
to read the models in BIANLIAN_WEIGHTS). Exit 1: one did not.
"""

import argparse
import contextlib
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av

from bianlian.config import settings_from

CHUNK_FRAMES = 8
"""Shorter than the program's own, so that a clip of a second or two has several."""
PROGRAM = (
    f"import bianlian.workflows.job as job; job.CHUNK_FRAMES = {CHUNK_FRAMES}; import bianlian.cli.main as m; m.main()"
)
CHECK_LEDGER = Path(__file__).with_name("check_ledger.py")
NOBODY = 65534
LONGEST_S = 300


Packets = list[tuple[int, int | None, int | None, bytes]]
"""Of a file: stream, presentation and decoding stamp, bytes."""


@dataclass(frozen=True)
class End:
    """How a run ended."""

    code: int
    said: str

    @property
    def sentence(self) -> str:
        """The last thing that it said, in one line."""
        told = [
            line
            for line in self.said.splitlines()
            if ": failed: " in line or ": refused: " in line or "bianlian:" in line
        ]
        return (told or self.said.strip().splitlines() or ["nothing"])[-1].strip()


@dataclass
class Room:
    """A copy of the installation, footage, and a folder for results."""

    folder: Path
    clip: Path
    donor: str
    environment: dict[str, str] = field(
        default_factory=lambda: {
            "BIANLIAN_WEIGHTS": str(settings_from(os.environ).weights),
            **os.environ,
        }  # some faults move HOME
    )
    prefix: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def result(self) -> Path:
        return self.out / f"{self.clip.stem}.bianlian.mp4"

    @property
    def report(self) -> Path:
        return self.result.with_name(f"{self.result.name}.report.json")

    def start(self, *options: str) -> subprocess.Popen[str]:
        arguments = ["--home", self.home, "swap", self.clip, "-o", self.out, "--cast", f"1={self.donor}"]
        arguments += ["--performer", self.folder / "performer.toml", *options]
        command = [*self.prefix, sys.executable, "-c", PROGRAM, *map(str, arguments)]
        log = (self.folder / "said.txt").open("w")
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True, env=self.environment)

    def finish(self, running: subprocess.Popen[str]) -> End:
        code = running.wait(LONGEST_S)
        return End(code=code, said=(self.folder / "said.txt").read_text(errors="replace"))

    def run(self, *options: str) -> End:
        return self.finish(self.start(*options))

    def chunks(self) -> dict[str, tuple[int, int]]:
        """Finished chunks: name → inode and time of writing."""
        found: dict[str, tuple[int, int]] = {}
        for path in self.out.glob(".bianlian/*/chunk-*.mp4"):
            with contextlib.suppress(FileNotFoundError):
                found[path.name] = (path.stat().st_ino, path.stat().st_mtime_ns)
        return found

    def ledger_fault(self) -> str:
        done = subprocess.run(
            [sys.executable, CHECK_LEDGER, self.home / "ledger.sqlite"], capture_output=True, text=True, check=False
        )
        return "" if done.returncode == 0 else done.stderr.strip()


@dataclass(frozen=True)
class Campaign:
    """What all rooms are made of."""

    home: Path
    performer: Path
    clip: Path
    donor: str

    @contextlib.contextmanager
    def room(self, *, tracked: bool = True) -> Iterator[Room]:
        with tempfile.TemporaryDirectory(prefix="faults-") as name:
            folder = Path(name)
            folder.chmod(0o755)
            shutil.copytree(self.home, folder / "home")
            if not tracked:
                shutil.rmtree(folder / "home" / "tracks", ignore_errors=True)
            shutil.copy(self.performer, folder / "performer.toml")
            clip = Path(shutil.copy(self.clip, folder / self.clip.name))
            yield Room(folder=folder, clip=clip, donor=self.donor)


def packets_of(path: Path) -> Packets:
    """Every packet of a file. The manifest lies outside of them: it names the time of signing."""
    with av.open(path) as container:
        return [(p.stream_index, p.pts, p.dts, bytes(p)) for p in container.demux() if p.size]


# Where a run is, told by what lies on the disk

STAGES: dict[str, Callable[[Room], bool]] = {
    "track": lambda room: any(room.home.glob("tracks/.*.part")),
    "compose": lambda room: bool(room.chunks()),
    "join": lambda room: any(room.out.glob(".bianlian/*/*draft.mp4*")),
    "check": lambda room: any(room.out.glob(".bianlian/*/sealed.mp4")),
}


def wait_for(stage: str, room: Room, running: subprocess.Popen[str]) -> bool:
    """Wait until a run has come to a stage; False if it ended before."""
    until = time.monotonic() + LONGEST_S
    while running.poll() is None and time.monotonic() < until:
        if STAGES[stage](room):
            time.sleep(0.3 if stage == "track" else 0)
            return running.poll() is None
        time.sleep(0.002)
    return False


# Faults: each is a function of a room that brings one about and returns how the run ended; `mend` takes it away again


@contextlib.contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[None]:
    """A disk at `folder` that holds what is there and `kib` more."""
    folder.mkdir(exist_ok=True)
    aside = folder.with_name(folder.name + ".aside")
    shutil.copytree(folder, aside)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "none", folder], check=True)
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        (folder / ".filler").write_bytes(bytes(free - kib * 1024))
        yield
    finally:
        (folder / ".filler").unlink(missing_ok=True)  # what was written stays, on a disk with room
        shutil.rmtree(aside)
        shutil.copytree(folder, aside)
        subprocess.run(["umount", folder], check=True)
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        shutil.rmtree(aside)


def full(which: str, kib: int) -> Callable[[Room], End]:
    def fault(room: Room) -> End:
        folder = room.folder / which
        if which == "tmp":
            room.environment["TMPDIR"] = str(folder)
        with small_disk(folder, kib):
            end = room.run("--resume")
        room.environment.pop("TMPDIR", None)
        return end

    return fault


def signalled(number: signal.Signals, stage: str) -> Callable[[Room], End]:
    def fault(room: Room) -> End:
        running = room.start("--resume")
        if wait_for(stage, room, running):
            running.send_signal(number)
        return room.finish(running)

    return fault


def as_nobody(room: Room) -> None:
    """From now on the runs are another user's, who owns the room."""
    for path in (room.folder, *room.folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    room.prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    room.environment["HOME"] = str(room.folder)


def forbidden(which: str, mode: int) -> Callable[[Room], End]:
    def fault(room: Room) -> End:
        as_nobody(room)
        target = {"out": room.out, "home": room.home, "clip": room.clip, "ledger": room.home / "ledger.sqlite"}[which]
        if which == "out":
            target.mkdir()
            os.chown(target, NOBODY, NOBODY)
        before = target.stat().st_mode & 0o777
        target.chmod(mode)
        end = room.run()
        target.chmod(before)
        return end

    return fault


def read_only_disk(room: Room) -> End:
    room.out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "none", room.out], check=True)
    try:
        return room.run()
    finally:
        subprocess.run(["umount", room.out], check=True)


def source_changes(how: str, stage: str) -> Callable[[Room], End]:
    def fault(room: Room) -> End:
        kept = room.clip.read_bytes()
        running = room.start()
        if wait_for(stage, room, running):
            if how == "removed":
                room.clip.unlink()
            elif how == "cut":
                os.truncate(room.clip, len(kept) // 2)
            else:
                room.clip.write_bytes(kept + b"\0\0\0\x08free")
        end = room.finish(running)
        room.clip.write_bytes(kept)
        return end

    return fault


def second_run(room: Room) -> End:
    first = room.start()
    wait_for("compose", room, first)
    log = (room.folder / "said.txt").read_text()
    end = Room(folder=room.folder, clip=room.clip, donor=room.donor).run()
    if room.finish(first).code != 0:
        return End(code=-1, said=f"the first run suffered: {log}")
    return end


def damaged(pattern: str, how: str) -> Callable[[Room], End]:
    """Stop a run with two chunks done, then damage a file that it left."""

    def fault(room: Room) -> End:
        running = room.start()
        while running.poll() is None and len(room.chunks()) < 2:
            time.sleep(0.002)
        running.kill()
        running.wait()
        damage(sorted(room.folder.glob(pattern))[0], how)
        return room.run("--resume")

    return fault


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "flip":
        content[len(content) * 2 // 3] ^= 0x40
        path.write_bytes(content)
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()


def broken(pattern: str, how: str) -> Callable[[Room], End]:
    """Damage a file before the run."""

    def fault(room: Room) -> End:
        path = sorted(room.folder.glob(pattern))[0]
        kept = path.read_bytes()
        damage(path, how)
        end = room.run()
        if (
            end.code != 0 and path.parent.exists()
        ):  # an older ledger under a run that went well would be a fault of its own
            path.write_bytes(kept)
        return end

    return fault


def taken_name(kind: str) -> Callable[[Room], End]:
    def fault(room: Room) -> End:
        room.out.mkdir()
        room.result.mkdir() if kind == "folder" else room.result.write_bytes(b"mine")
        end = room.run()
        if kind == "folder":
            room.result.rmdir()
        elif room.result.read_bytes() != b"mine":
            return End(code=-1, said="overwritten")
        else:
            room.result.unlink()
        return end

    return fault


def out_is_a_file(room: Room) -> End:
    room.out.write_bytes(b"")
    end = room.run()
    room.out.unlink()
    return end


def no_weights(room: Room) -> End:
    kept = dict(room.environment)
    proxies = {
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    room.environment.update(proxies, BIANLIAN_WEIGHTS=str(room.folder / "weights"), PIP_INDEX_URL="http://127.0.0.1:9")
    end = room.run()
    room.environment = kept
    return end


def broken_weights(room: Room) -> End:
    folder = room.folder / "weights"
    shutil.copytree(room.environment["BIANLIAN_WEIGHTS"], folder)
    for path in folder.iterdir():
        damage(path, "flip")
    kept = dict(room.environment)
    room.environment.update(
        BIANLIAN_WEIGHTS=str(folder), HTTPS_PROXY="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9"
    )
    end = room.run()
    room.environment = kept
    return end


@dataclass(frozen=True)
class Fault:
    """One fault, and the exit codes that it may end with."""

    name: str
    bring: Callable[[Room], End]
    codes: tuple[int, ...]
    tracked: bool = True


def faults() -> list[Fault]:
    """All of them."""
    listed = [
        Fault(f"{which} disk full but {kib} KiB", full(which, kib), (0, 3), tracked=which != "home")
        for which in ("out", "home", "tmp")
        for kib in (0, 12, 48, 96, 192, 320)
    ]
    listed += [
        Fault(f"{number.name} during {stage}", signalled(number, stage), (128 + number,), tracked=stage != "track")
        for number in (signal.SIGINT, signal.SIGTERM)
        for stage in STAGES
    ]
    listed += [
        Fault("output folder may not be written", forbidden("out", 0o555), (3,)),
        Fault("data folder may not be read", forbidden("home", 0o000), (3,)),
        Fault("ledger may not be written", forbidden("ledger", 0o400), (3,)),
        Fault("footage may not be read", forbidden("clip", 0o000), (3,)),
        Fault("output disk read-only", read_only_disk, (3,)),
        Fault("output folder is a file", out_is_a_file, (2, 3)),
        Fault("result's name is a folder", taken_name("folder"), (2, 3)),
        Fault("result's name is another's file", taken_name("file"), (2,)),
        Fault("second run with the same output", second_run, (2,)),
        Fault("weights gone, no network", no_weights, (3,)),
        Fault("weights damaged, no network", broken_weights, (3,)),
    ]
    listed += [
        Fault(f"footage {how} during {stage}", source_changes(how, stage), (3,), tracked=stage != "track")
        for how in ("changed", "cut", "removed")
        for stage in ("track", "compose", "check")
    ]
    listed += [
        Fault(f"chunk {how}", damaged("out/.bianlian/*/chunk-00000.mp4", how), (0,))
        for how in ("flip", "cut", "empty", "gone")
    ]
    listed += [
        Fault(f"job.json {how}", damaged("out/.bianlian/*/job.json", how), (0,)) for how in ("flip", "cut", "gone")
    ]
    listed += [
        Fault(f"track's {name} {how}", broken(f"home/tracks/*/{name}", how), (0,))
        for name in ("track.json", "chunk-00000.npz", "persons.npz")
        for how in ("flip", "cut", "empty", "gone")
    ]
    listed += [
        Fault(f"{name} {how}", broken(f"home/{name}", how), (0, 2, 3))
        for name in ("donors/*/appearance-standard.sealed", "donors/*/receipt.json.sealed", "ledger.sqlite", "ledger.head.json",
                     "outputs.sqlite", "status-list.jwt", "keys/installation.json", "keys/signing/leaf.key")
        for how in ("flip", "cut", "empty")
    ]  # fmt: skip
    return listed


def judge(fault: Fault, room: Room, end: End, wanted: Packets) -> str:
    """What was wrong with the way that a fault ended; empty if nothing was."""
    return _end_fault(fault, room, end, wanted) or room.ledger_fault() or _resume_fault(room, end, wanted)


def _end_fault(fault: Fault, room: Room, end: End, wanted: Packets) -> str:
    if end.code not in fault.codes:
        return f"exit code {end.code}"
    if "Traceback" in end.said or "fault of the program" in end.said:
        return "a fault of the program"
    if not end.said.strip():
        return "no word"
    if end.code != 0 and room.result.exists() and fault.bring is not second_run:
        return "something under the final name"
    if room.result.exists() and packets_of(room.result) != wanted:
        return "a wrong result"
    return ""


def _resume_fault(room: Room, end: End, wanted: Packets) -> str:
    after = end if end.code == 0 else room.run("--resume")
    if after.code != 0:
        return f"not resumable: {after.sentence}"
    if packets_of(room.result) != wanted:
        return "another result after --resume"
    if not room.report.exists():
        return "no report"
    left = [path.name for path in room.out.iterdir() if not path.name.startswith(room.result.name)]
    left += [path.name for path in (*room.home.glob(".track-*"), *room.home.glob("tracks/.*.part"))]
    return f"left behind: {left}" if left else room.ledger_fault()


def kills(campaign: Campaign, count: int, seed: int, wanted: Packets, *, tracked: bool) -> str:
    """kill -9 at random moments, each run going on where the last was killed; returns the tally."""
    rng, tally = random.Random(seed), "none"
    done = kept = redone = results = wrong = 0
    while done < count:
        with campaign.room(tracked=tracked) as room:
            began = time.monotonic()
            room.run()
            whole = time.monotonic() - began
            shutil.rmtree(room.out)
            for _ in range(10):
                before = room.chunks()
                running = room.start("--resume")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    running.wait(rng.uniform(0.05, 0.9) * whole)
                killed = running.poll() is None
                running.kill()
                running.wait()
                done += killed
                after = room.chunks()
                if after or not room.result.exists():
                    kept += sum(after.get(name) == mark for name, mark in before.items())
                    redone += sum(after.get(name) != mark for name, mark in before.items())
                if fault := room.ledger_fault():
                    wrong += 1
                    print(f"  ledger after a kill: {fault}")
                if not killed or done >= count:
                    break
            end = room.run("--resume")
            results += 1
            if end.code != 0 or packets_of(room.result) != wanted or room.ledger_fault() or not room.report.exists():
                wrong += 1
                print(f"  after kills: {end.sentence}")
            entries = sqlite3.connect(room.home / "ledger.sqlite").execute("SELECT count(*) FROM entries").fetchone()[0]
            tally = f"{done} kills, {results} results, {kept} chunks kept, {redone} redone, {wrong} wrong"
            print(f"  {tally}, ledger of {entries}", flush=True)
    return f"kill -9: {tally}"


def main() -> int:
    """Run the campaign and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--performer", type=Path, required=True)
    parser.add_argument("--donor", required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--only", default="", help="only faults whose name matches this pattern")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # shells let what runs behind ignore it, and so its children
    campaign = Campaign(home=given.home, performer=given.performer, clip=given.clip, donor=given.donor)
    with tempfile.TemporaryDirectory(prefix="faults-home-") as kept:
        with campaign.room(tracked=False) as room:
            end = room.run()
            if end.code != 0:
                sys.exit(f"without any fault: {end.said}")
            wanted = packets_of(room.result)
            tracked_home = shutil.copytree(room.home, Path(kept) / "home")
            shutil.rmtree(tracked_home / "tracks")  # the fixture's own
            shutil.copytree(room.home / "tracks", tracked_home / "tracks")
        campaign = Campaign(home=tracked_home, performer=given.performer, clip=given.clip, donor=given.donor)
        failures = 0
        for fault in faults():
            if not re.search(given.only, fault.name):
                continue
            with campaign.room(tracked=fault.tracked) as room:
                end = fault.bring(room)
                wrong = judge(fault, room, end, wanted)
            failures += bool(wrong)
            line = f"{fault.name} | {end.code} | {end.sentence}"
            print(f"NOT ok | {line} | {wrong}" if wrong else f"ok | {line}", flush=True)
        if given.kills:
            print(kills(campaign, given.kills, given.seed, wanted, tracked=True))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
