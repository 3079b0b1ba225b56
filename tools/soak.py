#!/usr/bin/env python3
"""A long swap: is memory flat, is the cost of a frame flat?

    soak.py CLIP --home HOME --donor NAME --performer performer.toml [--minutes 60] [--every 60]

CLIP is laid end to end until it is that long (its packets are copied, not coded again) and swapped. From time to time a line says
what each stage did since the last one and how much memory is held. At the end the last third of each stage is compared with its
first: exit 1 if memory or the core time of a frame grew by more than 10 %. HOME is copied, never changed. Linux only.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from statistics import median
from threading import Lock

import av

from bianlian.cli.main import share_one_heap
from bianlian.config import settings_from
from bianlian.records.progress import Progress
from bianlian.workflows.house import open_house
from bianlian.workflows.swap import SwapRequest, swap

LIMIT = 0.10
"""How much memory and core time a frame may grow from the first third of a stage to the last."""


@dataclass(frozen=True)
class Row:
    """What a stage did between two looks."""

    stage: str
    done: int
    rate: float
    """Frames a second, which other work on the machine slows down."""
    cost: float
    """Milliseconds of one core a frame, which it hardly does."""
    memory: float
    """MiB held, see `held`."""


@dataclass
class Log:
    """Takes progress and looks at the clock."""

    every: float
    rows: list[Row] = field(default_factory=list)
    _seen: dict[str, tuple[float, float, int]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def progress(self, progress: Progress) -> None:
        now, used = time.monotonic(), core_seconds()
        with self._lock:
            then, spent, before = self._seen.setdefault(progress.stage, (now, used, progress.done))
            done = progress.done - before
            if now - then < self.every or not done:
                return
            self._seen[progress.stage] = now, used, progress.done
            row = Row(progress.stage, progress.done, done / (now - then), 1e3 * (used - spent) / done, held())
            self.rows.append(row)
        print(
            f"{row.stage:<10} {row.done:>8} {row.rate:7.1f} fps {row.cost:6.1f} core ms {row.memory:7.0f} MiB",
            flush=True,
        )

    def say(self, sentence: str) -> None:
        print(sentence, flush=True)


def family() -> list[str]:
    """This process and its forks, by number."""
    forks = [file.read_text().split() for file in Path("/proc/self/task").glob("*/children")]
    return [str(os.getpid()), *(fork for some in forks for fork in some)]


def held() -> float:
    """MiB that this process and its forks hold now; what they share counts once."""
    total = 0
    for process in family():
        with suppress(OSError):  # it has just ended
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def core_seconds() -> float:
    """Core time of this process and of all its forks, living and ended."""
    own = os.times()
    total = own.user + own.system + own.children_user + own.children_system
    for process in family()[1:]:
        with suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return total


def looped(clip: Path, path: Path, seconds: float) -> None:
    """Lay a clip's video end to end."""
    with av.open(str(path), "w") as out:
        stream, offset = None, 0
        while stream is None or offset * (stream.time_base or Fraction(1)) < seconds:
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                end = offset
                for packet in source.demux(video):
                    if packet.pts is None or packet.dts is None:
                        continue
                    end = max(end, offset + packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, stream
                    packet.time_base = video.time_base
                    out.mux(packet)
                offset = end


def is_flat(stage: str, rows: list[Row]) -> bool:
    """Compare the last third with the first and say so; the very first row is warm-up."""
    third = max(1, (len(rows) - 1) // 3)
    first, last = rows[1 : 1 + third], rows[-third:]
    if len(rows) < 4:
        print(f"{stage}: too short to tell ({len(rows)} looks)")
        return True
    memory = max(row.memory for row in last) / max(row.memory for row in first) - 1
    cost = median(row.cost for row in last) / median(row.cost for row in first) - 1
    print(
        f"{stage}: memory {memory:+.1%}, core time a frame {cost:+.1%} from the first third to the last ({len(rows)} looks)"
    )
    return max(memory, cost) <= LIMIT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--donor", required=True)
    parser.add_argument("--performer", type=Path, required=True)
    parser.add_argument("--level", default="standard")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--every", type=float, default=60, help="seconds between two looks")
    given = parser.parse_args()
    share_one_heap()
    log = Log(given.every)
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        shutil.copytree(given.home, folder / "home")
        looped(given.clip, folder / "long.mp4", 60 * given.minutes)
        house = open_house(replace(settings_from(os.environ), home=folder / "home"))
        request = SwapRequest(
            footage=(folder / "long.mp4",), output=folder / "out", casts={1: given.donor}, performer=given.performer,
            level=given.level,
        )  # fmt: skip
        began = time.monotonic()
        (outcome,) = swap(house, request, log).outcomes
        most = max((row.memory for row in log.rows), default=0)
        print(f"{outcome.status.value} in {time.monotonic() - began:.0f} s; at most {most:.0f} MiB held at a look")
    stages = dict.fromkeys(row.stage for row in log.rows)
    flat = [is_flat(stage, [row for row in log.rows if row.stage == stage]) for stage in stages]
    sys.exit(0 if outcome.exit_code == 0 and all(flat) else 1)


if __name__ == "__main__":
    main()
