"""Any crew draws every chunk, each is kept once, and a hand that fails stops the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Self

import pytest

from bianlian.records.progress import Silent
from bianlian.workflows.job import ChunkRange, JobFolder
from bianlian.workflows.render import Shares, Tally, render_chunks

CHUNKS = tuple(ChunkRange(number=n, first=10 * n, stop=10 * n + 10) for n in range(9))


def test_a_worker_goes_from_neighbour_to_neighbour_and_then_takes_the_further_half_of_what_is_left():
    shares = Shares(CHUNKS, 3)
    assert [shares.take(0).number for _ in range(3)] == [0, 1, 2]
    assert shares.take(1).number == 3
    assert [shares.take(0).number for _ in range(2)] == [7, 8]


@dataclass
class Folder:
    """Counts what is kept."""

    kept: list[int] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def keep(self, number: int) -> None:
        with self.lock:
            self.kept.append(number)


@dataclass
class Hand:
    tally: Tally
    fails_at: int
    failed: Event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def draw(self, chunk: ChunkRange) -> None:
        if chunk.number == self.fails_at:
            self.failed.set()
            raise OSError("broken")
        if self.fails_at >= 0:
            assert self.failed.wait(5)
            assert self.tally.stopping.wait(5)
        self.tally.go_on()
        self.tally.add(chunk.stop - chunk.first)


@dataclass
class Crew:
    count: int
    fails_at: int = -1

    def gather(self, _render, _folder, tally: Tally, *, most: int) -> list[Hand]:
        failed = Event()
        return [Hand(tally, self.fails_at, failed) for _ in range(min(self.count, most))]


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_any_crew_draws_all_and_each_is_kept_once(count):
    folder = Folder()
    render_chunks(None, CHUNKS, folder, crew=Crew(count), reporter=Silent())
    assert sorted(folder.kept) == [chunk.number for chunk in CHUNKS]


def test_a_hand_that_fails_stops_the_others_before_their_next_chunk():
    folder = Folder()
    with pytest.raises(OSError, match="broken"):
        render_chunks(None, CHUNKS, folder, crew=Crew(3, fails_at=3), reporter=Silent())
    assert folder.kept == []


def test_with_nothing_to_draw_nobody_is_gathered():
    render_chunks(None, (), JobFolder(output=Path("x"), job_id="j", request={}), crew=Crew(0), reporter=Silent())
