"""Where the time of a swap goes: wall and core time of each stage of one file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from bianlian.records.progress import Progress, Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """One stage."""

    stage: str
    wall_s: float
    core_s: float
    """Of all threads and ended forks together: two busy cores count twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """All stages of one file, in order."""

    frames: int
    stages: tuple[StageTime, ...]

    @property
    def whole(self) -> StageTime:
        """The sum of the stages."""
        wall_s, core_s = sum(one.wall_s for one in self.stages), sum(one.core_s for one in self.stages)
        return StageTime(stage="whole", wall_s=wall_s, core_s=core_s)

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        stages = [
            {"stage": one.stage, "wall_s": round(one.wall_s, 3), "core_s": round(one.core_s, 3)} for one in self.stages
        ]
        return {"frames": self.frames, "stages": stages}

    def rows(self) -> list[list[str]]:
        """For people, under `COLUMNS`."""
        return [
            [
                one.stage, f"{one.wall_s:.2f}", f"{one.core_s:.2f}", f"{1000 * one.core_s / max(1, self.frames):.1f}",
                f"{self.frames / one.wall_s:.0f}" if one.wall_s > 0 else "",
            ]
            for one in (*self.stages, self.whole)
        ]  # fmt: skip


UNMEASURED = Speed(frames=0, stages=())
"""Of a file that was not made."""
COLUMNS = ("stage", "seconds", "core seconds", "core ms a frame", "frames/s")


class Stopwatch:
    """A reporter that hands everything on and takes the time; a stage lasts until the next one begins."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._done: list[StageTime] = []
        self._stage = "open"
        self._begun = perf_counter(), _core_time()
        self.frames = 0

    def progress(self, progress: Progress) -> None:
        self.begin(progress.stage)
        self._reporter.progress(progress)

    def say(self, sentence: str) -> None:
        self._reporter.say(sentence)

    def begin(self, stage: str) -> None:
        """From now on time counts for `stage`."""
        if stage != self._stage:
            self._close()
            self._stage = stage

    def speed(self) -> Speed:
        """The times so far."""
        self._close()
        return Speed(frames=self.frames, stages=tuple(self._done))

    def _close(self) -> None:
        now = perf_counter(), _core_time()
        taken = StageTime(stage=self._stage, wall_s=now[0] - self._begun[0], core_s=now[1] - self._begun[1])
        if self._done and self._done[-1].stage == self._stage:
            before = self._done.pop()
            taken = StageTime(
                stage=taken.stage, wall_s=before.wall_s + taken.wall_s, core_s=before.core_s + taken.core_s
            )
        self._done.append(taken)
        self._begun = now


def _core_time() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
