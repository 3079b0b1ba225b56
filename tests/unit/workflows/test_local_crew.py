"""Whoever draws on this machine, threads or forks: all chunks are drawn, faults arrive whole, nobody stays behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bianlian.errors import InstallationError, MarksRefused
from bianlian.records.progress import Silent
from bianlian.workflows import forks, render
from bianlian.workflows.forks import Forks
from bianlian.workflows.job import ChunkRange, JobFolder
from bianlian.workflows.render import Threads, render_chunks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are used on Linux alone")
CHUNKS = tuple(ChunkRange(number=n, first=10 * n, stop=10 * n + 10) for n in range(6))


class Painter:
    """Writes down who drew which frames; what it is given in place of a render decides what else happens."""

    def __init__(self, happens, watched=iter):
        self.happens, self.watched = happens, watched

    def paint(self, chunk, path, notes):
        frames = list(self.watched(self.drawn(chunk)))
        path.write_text(f"{os.getpid()} {frames}")
        notes.write_text("{}")

    def drawn(self, chunk):
        for index in range(chunk.first, chunk.stop):
            self.happens(index)
            yield index

    def close(self):
        return None


@pytest.fixture(autouse=True)
def painter(monkeypatch):
    for module in (render, forks):
        monkeypatch.setattr(module, "Painter", Painter)


@pytest.fixture
def folder(tmp_path):
    job = JobFolder(output=tmp_path / "x.mp4", job_id="j", request={})
    job.open(resume=False)
    yield job
    job.close(is_done=True)


def _forks_of(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


@pytest.mark.parametrize("crew", [Threads(count=2), Forks(count=2), Forks(count=1), Forks(count=20)])
def test_all_is_drawn_and_kept(crew, folder):
    render_chunks(lambda _: None, CHUNKS, folder, crew=crew, reporter=Silent())
    assert folder.missing(CHUNKS) == ()
    assert all(folder.chunk(c.number).read_text().endswith(f"{[*range(c.first, c.stop)]}") for c in CHUNKS)
    assert _forks_of(os.getpid()) == []


def test_forks_draw_in_processes_of_their_own_and_one_chunk_is_not_worth_one(folder):
    render_chunks(lambda _: None, CHUNKS, folder, crew=Forks(count=2), reporter=Silent())
    assert str(os.getpid()) not in {folder.chunk(c.number).read_text().split()[0] for c in CHUNKS}
    render_chunks(lambda _: None, CHUNKS[:1], folder, crew=Forks(count=2), reporter=Silent())
    assert folder.chunk(0).read_text().split()[0] == str(os.getpid())


def test_where_there_is_no_room_for_a_process_this_one_draws(folder, monkeypatch):
    def refused():
        raise OSError(errno.EAGAIN, "too many processes")

    monkeypatch.setattr(os, "fork", refused)
    render_chunks(lambda _: None, CHUNKS, folder, crew=Forks(count=2), reporter=Silent())
    assert {folder.chunk(c.number).read_text().split()[0] for c in CHUNKS} == {str(os.getpid())}


@pytest.mark.parametrize("crew", [Threads(count=2), Forks(count=2)])
def test_a_fault_arrives_whole_and_the_others_stop(crew, folder):
    def happens(index):
        if index == 33:
            raise MarksRefused("no mark", code="marks-missing", advice="look again")
        if index > 10:
            time.sleep(0.02)

    with pytest.raises(MarksRefused, match="no mark") as caught:
        render_chunks(happens, CHUNKS, folder, crew=crew, reporter=Silent())
    assert (caught.value.code, caught.value.advice) == ("marks-missing", "look again")
    assert len(folder.missing(CHUNKS)) >= 2
    assert _forks_of(os.getpid()) == []


def test_what_cannot_be_sent_arrives_in_words(folder):
    class Odd(Exception):
        pass

    def happens(_):
        raise Odd("a local class cannot be pickled")

    with pytest.raises(Exception, match="Odd: a local class"):
        render_chunks(happens, CHUNKS, folder, crew=Forks(count=2), reporter=Silent())


def test_a_fork_that_somebody_ends_is_told_and_the_rest_can_go_on(folder):
    def happens(index):
        if index == 45:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(InstallationError, match="ended from outside"):
        render_chunks(happens, CHUNKS, folder, crew=Forks(count=2), reporter=Silent())
    missing = folder.missing(CHUNKS)
    assert CHUNKS[4] in missing
    render_chunks(lambda _: None, missing, folder, crew=Forks(count=2), reporter=Silent())
    assert folder.missing(CHUNKS) == ()


def test_forks_leave_ctrl_c_to_the_program_and_go_when_it_stops(folder):
    class Interrupting(Silent):
        def progress(self, progress):
            if progress.done:
                for fork in _forks_of(os.getpid()):
                    os.kill(int(fork), signal.SIGINT)
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_chunks(lambda _: time.sleep(0.05), CHUNKS, folder, crew=Forks(count=2), reporter=Interrupting())
    assert _forks_of(os.getpid()) == []


def test_forks_do_not_outlive_a_killed_program(tmp_path):
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from pathlib import Path
from tests.unit.workflows.test_local_crew import *
forks.Painter = Painter
job = JobFolder(output=Path({str(tmp_path)!r}) / "x.mp4", job_id="j", request={{}}); job.open(resume=False)
render_chunks(lambda _: time.sleep(0.05), CHUNKS, job, crew=Forks(count=2), reporter=Silent())
"""
    program = subprocess.Popen([sys.executable, "-c", code])
    children: list[str] = []
    while len(children) < 2:
        time.sleep(0.05)
        assert program.poll() is None
        children = _forks_of(program.pid)
    program.kill()
    program.wait()
    patience = time.monotonic() + 5
    while any(_is_alive(child) for child in children):
        assert time.monotonic() < patience
        time.sleep(0.02)


def _is_alive(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
