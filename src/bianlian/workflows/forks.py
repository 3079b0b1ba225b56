"""A crew of processes, forked from this one: they draw as threads would, but do not wait for one another's Python.

A fork has at once all that drawing needs, in memory that both share until one of them writes. Nothing of it is sent anywhere:
rights, keys and faces stay with the program that was given them. Through the pipe goes which chunk is next, and how far it is.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from typing import Self

from bianlian.errors import InstallationError, InternalError
from bianlian.records.composite import MarkedFrame
from bianlian.workflows.job import ChunkRange, JobFolder
from bianlian.workflows.memory import give_back
from bianlian.workflows.render import Crew, Hand, Painter, Render, Stopped, Tally, Threads

LOOK_SECONDS = 0.5
FAREWELL_SECONDS = 5.0
"""How long a fork may take to put down what it is at; it looks up with every frame."""
_FRAME, _DONE = "frame", "done"
_PR_SET_PDEATHSIG = 1


def local_crew(count: int) -> Crew:
    """Those who draw on this machine: forks where the system has them and there is work for two, else threads.

    Args:
        count: how many, at most; as many as there are cores is sensible.
    """
    return Forks(count=count) if sys.platform == "linux" and count > 1 else Threads(count=count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forks:
    """A crew of forks, made for one file and gone with it."""

    count: int

    def gather(self, render: Render, folder: JobFolder, tally: Tally, *, most: int) -> Sequence[Hand]:
        hands: list[_Fork] = []
        with suppress(OSError):  # where there is no room for another process, fewer draw
            for _ in range(min(self.count, most) if most > 1 else 0):
                hands.append(_Fork(render, folder, tally, elders=hands))
        return hands or Threads(count=1).gather(render, folder, tally, most=most)


class _Fork:
    """This program's end of a fork."""

    def __init__(self, render: Render, folder: JobFolder, tally: Tally, *, elders: Sequence[_Fork]) -> None:
        self._tally = tally
        self._pipe, its_end = Pipe()
        foreign = (
            self._pipe,
            *(elder._pipe for elder in elders),
        )  # or nobody would be told that this program closed them
        self._process = get_context("fork").Process(
            target=_live, args=(render, folder, its_end, foreign, os.getpid()), name="draw", daemon=True
        )
        with warnings.catch_warnings():
            # Python warns of locks that other threads may hold; whatever a fork uses is idle between two stages.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        its_end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(FAREWELL_SECONDS)
        self._process.kill()
        self._process.join()

    def draw(self, chunk: ChunkRange) -> None:
        """Have a chunk drawn into the job's folder.

        Raises:
            Stopped: another hand failed, or the user stopped the program.
            InstallationError: somebody ended the fork.
        """
        try:
            self._pipe.send(chunk)
            while (word := self._heard()) != _DONE:
                if isinstance(word, BaseException):
                    raise word
                self._tally.add(1)
        except (EOFError, ConnectionError) as error:
            raise InstallationError(
                "A process that draws was ended from outside: perhaps memory is short.",
                advice="See what else needs memory; then the same command with --resume goes on.",
            ) from error

    def _heard(self) -> str | BaseException:
        while not self._tally.stopping.is_set():
            if self._pipe.poll(LOOK_SECONDS):
                return self._pipe.recv()
        raise Stopped


def _live(render: Render, folder: JobFolder, pipe: Connection, foreign: Sequence[Connection], parent: int) -> None:
    """A fork's own life: draw what is asked for until the pipe is closed; a fault goes to who asked."""
    if not _ends_with(parent):
        return
    for end in foreign:
        end.close()
    gc.freeze()  # or looking for garbage would write to, and thus copy, all that is shared

    def told(frames: Iterator[MarkedFrame]) -> Iterator[MarkedFrame]:
        for frame in frames:
            pipe.send(_FRAME)
            yield frame

    painter = Painter(render, told)
    try:
        while True:
            chunk: ChunkRange = pipe.recv()
            painter.paint(chunk, folder.chunk(chunk.number), folder.notes(chunk.number))
            give_back()
            pipe.send(_DONE)
    except (EOFError, ConnectionError):
        return
    except Exception as error:  # noqa: BLE001 - the process's outermost boundary
        _confess(error, pipe)


def _ends_with(parent: int) -> bool:
    """Leave it to the parent what Ctrl-C means, and do not outlive it, however it ends; False if it has ended already."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def _confess(error: Exception, pipe: Connection) -> None:
    try:
        pipe.send(error)
    except (OSError, EOFError):
        return  # nobody is there to hear it
    except Exception:  # noqa: BLE001 - some errors cannot be sent
        pipe.send(InternalError(f"a fault of the program: {type(error).__name__}: {error}"))
