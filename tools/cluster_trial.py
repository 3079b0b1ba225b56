#!/usr/bin/env python3
"""A swap on a small Ray cluster of this machine against the same swap without: same packets? how long? what if a node dies?

    cluster_trial.py --home HOME --donor NAME --performer performer.toml CLIP [--workers 1 2] [--kill]

HOME holds an enrolled and learnt donor; it is copied, never changed. Each worker is a Ray node of its own with one core. With
--kill one node at work is killed (-9) after the first chunk, and the swap must still give the same packets. Exit 1: it did not.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

import av

Answer = TypeVar("Answer")
START_S, LONGEST_S = 60.0, 600.0
STORE_BYTES = 256 << 20
PROGRAM = (
    "import sys, bianlian.workflows.job as job; job.CHUNK_FRAMES = {chunk}; import bianlian.cli.main as m; m.main()"
)


@dataclass
class LocalCluster:
    """A head without cores and nodes of one core each, all on this machine."""

    folder: Path
    address: str = ""
    head: subprocess.Popen[bytes] | None = None
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> LocalCluster:
        options = ["--num-cpus=0", "--include-dashboard=false", f"--port={free_port()}", f"--temp-dir={self.folder}"]
        self.head = self._start("--head", *options)
        note = self.folder / "ray_current_cluster"  # Ray writes the address there; it never takes the loopback one
        self.address = waited(lambda: note.exists() and note.read_text().strip(), "the cluster's head does not start")
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.nodes, *filter(None, [self.head])):
            kill_tree(process.pid)
            process.wait()

    def add(self) -> None:
        """Add a node of one core, and wait for it: two that start at once get in each other's way."""
        self.nodes.append(self._start(f"--address={self.address}", "--num-cpus=1"))
        ask = (
            f"import ray; ray.init('{self.address}', log_to_driver=False); print(ray.cluster_resources().get('CPU', 0))"
        )

        def has_cores() -> bool:
            said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False).stdout
            return said.strip() == f"{float(len(self.nodes))}"

        waited(has_cores, f"node {len(self.nodes)} does not start")

    def _start(self, *options: str) -> subprocess.Popen[bytes]:
        command = [Path(sys.executable).with_name("ray"), "start", "--block", "--disable-usage-stats"]
        command += [f"--object-store-memory={STORE_BYTES}", *options]
        name = f"ray-{len(self.nodes) if self.head else 'head'}.log"
        with (self.folder.parent / name).open("wb") as log:
            return subprocess.Popen(list(map(str, command)), stdout=log, stderr=subprocess.STDOUT)


def waited(look: Callable[[], Answer | bool], otherwise: str) -> Answer:
    """The first answer that is not false."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        answer = look()
        if answer:
            return cast(Answer, answer)
        time.sleep(0.5)
    raise SystemExit(f"{otherwise} within {START_S:g} s")


def free_port() -> int:
    """A port below those that Ray gives to its workers."""
    for port in random.sample(range(6400, 9900), 50):
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("", port))
            return port
    raise SystemExit("there is no free port")


def descendants(process: int) -> list[int]:
    """Ids of all processes below one."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            after = path.read_text().rpartition(")")[2].split()
            children.setdefault(int(after[1]), []).append(int(path.parent.name))
    found = list(children.get(process, []))
    for child in found:
        found += children.get(child, [])
    return found


def kill_tree(process: int) -> None:
    """Kill a process and all below it at once, as a power cut would."""
    for one in [process, *descendants(process)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


@dataclass(frozen=True)
class Trial:
    """One swap, always from the same state of a copied installation."""

    home: Path
    donor: str
    performer: Path
    clip: Path
    level: str
    chunk: int

    def start(self, folder: Path, *options: str) -> subprocess.Popen[str]:
        """Begin a swap into `folder/out` with a home of its own."""
        shutil.copytree(self.home, folder / "home")
        arguments = ["--home", folder / "home", "swap", self.clip, "-o", folder / "out", "--cast", f"1={self.donor}"]
        arguments += ["--performer", self.performer, "--level", self.level, *options]
        command = [sys.executable, "-c", PROGRAM.format(chunk=self.chunk), *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def result(self, folder: Path) -> Path:
        return folder / "out" / f"{self.clip.stem}.bianlian.mp4"


def head_of(home: Path) -> str:
    """The id of an installation, which the workers' machines must be told."""
    command = [sys.executable, "-m", "bianlian", "--home", str(home), "ledger", "check"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return next(line.split()[-1] for line in said.splitlines() if line.startswith("installation"))


def packets_of(path: Path) -> list[tuple[int, int | None, int | None, bytes]]:
    """Every packet of a file: stream, stamps, bytes."""
    with av.open(path) as container:
        return [(p.stream_index, p.pts, p.dts, bytes(p)) for p in container.demux() if p.size]


def finished(running: subprocess.Popen[str]) -> str:
    """What a swap said; ends the program if it failed."""
    said, _ = running.communicate(timeout=LONGEST_S)
    if running.returncode:
        raise SystemExit(f"the swap ended with {running.returncode}:\n{said}")
    return said


def is_drawing(process: int) -> bool:
    """Ray writes over its workers' command lines what they are doing."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"ray::Worker.draw")
    return False


def kill_at_work(cluster: LocalCluster, folder: Path, running: subprocess.Popen[str]) -> None:
    """Once a chunk has come home, kill a node that is drawing another; an idle one might not be missed."""
    while running.poll() is None:
        if any(folder.glob("out/.bianlian/*/chunk-*.sha256")):
            for node in cluster.nodes:
                if any(map(is_drawing, descendants(node.pid))):
                    kill_tree(node.pid)
                    return
        time.sleep(0.02)


def on_cluster(trial: Trial, folder: Path, workers: int, *, kill: bool) -> tuple[Path, str]:
    """The result of a swap on a cluster, and what it said."""
    (folder / "ray").mkdir(parents=True)
    with LocalCluster(folder / "ray") as cluster:
        for _ in range(workers):
            cluster.add()
        running = trial.start(folder, "--ray", cluster.address)
        if kill:
            kill_at_work(cluster, folder, running)
        return trial.result(folder), finished(running)


def compose_seconds(said: str) -> str:
    """The line of the composing stage."""
    return next((line.strip() for line in said.splitlines() if line.strip().startswith("compose:")), "?")


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bl-") as name:  # short: Ray's sockets allow 107 characters
        yield Path(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--donor", required=True)
    parser.add_argument("--performer", type=Path, required=True)
    parser.add_argument("--level", default="standard")
    parser.add_argument("--chunk", type=int, default=128)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--kill", action="store_true")
    given = parser.parse_args()
    trial = Trial(given.home, given.donor, given.performer, given.clip, given.level, given.chunk)
    all_equal = True
    with scratch() as folder:
        (folder / "local").mkdir()
        print("threads:", compose_seconds(finished(trial.start(folder / "local"))))
        expected = packets_of(trial.result(folder / "local"))
        os.environ["BIANLIAN_HEAD"] = head_of(folder / "local" / "home")
        for workers in given.workers:
            for kill in [False, True] if given.kill and workers > 1 else [False]:
                path, said = on_cluster(trial, folder / f"{workers}{'k' * kill}", workers, kill=kill)
                is_equal = packets_of(path) == expected
                all_equal &= is_equal
                how = f"{workers} workers{', one killed' * kill}: {compose_seconds(said)}"
                print(f"{how}; {len(expected)} packets {'equal' if is_equal else 'DIFFER'}")
    sys.exit(0 if all_equal else 1)


if __name__ == "__main__":
    main()
