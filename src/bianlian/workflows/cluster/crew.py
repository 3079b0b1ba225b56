"""The head's side: a crew of workers on a Ray cluster that draws as threads would, and whose losses are made good.

Every worker is an actor of one core. A thread of the head waits for each: it hands a chunk out, takes the drawn chunk in, and
when the worker is lost asks for another one and hands the same chunk out again.
"""

from __future__ import annotations

import logging
import pickle
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Self, TypeVar

from bianlian.donors import delegation
from bianlian.donors.files import write_whole
from bianlian.errors import BianlianError, CallerError, InstallationError, InternalError
from bianlian.media.publish import publishing
from bianlian.records.grant import Grant
from bianlian.records.progress import Reporter
from bianlian.tracking.excerpt import excerpt
from bianlian.workflows.cluster.worker import Kit, Sealed, Worker
from bianlian.workflows.house import House
from bianlian.workflows.job import ChunkRange, JobFolder
from bianlian.workflows.render import Hand, Render, Tally

PART_BYTES = 64 << 20
"""Of footage that is sealed and sent at a time."""
LOOK_SECONDS = 0.5
ANSWER_SECONDS = 5.0
"""How long an address, or a worker that is told to go, is waited for."""
PATIENCE_SECONDS = 300.0
"""How long nothing may be drawn anywhere while somebody waits for a place in the cluster."""
MOST_LOSSES = 3
"""Workers in a row that one chunk may cost; then the chunk is at fault, not the machines."""
MARGIN = 16
"""Frames of the track beyond a chunk's ends: the lead-in, and what may be read ahead."""

_Result = TypeVar("_Result")


@contextmanager
def joined(house: House, address: str, reporter: Reporter) -> Generator[RayCrew]:
    """A crew on the cluster at `address`; "auto" is the one that this machine is part of.

    Raises:
        CallerError: Ray is not installed.
        InstallationError: the cluster does not answer.
    """
    try:
        import ray  # noqa: PLC0415 - an extra, and slow to load
    except ImportError as error:
        raise CallerError("Ray is not installed.", advice="Run: pip install 'bianlian[cluster]'") from error
    try:
        _knock(address)
        with warnings.catch_warnings(), _own_signals():
            warnings.simplefilter("ignore", FutureWarning)  # about accelerators, which nobody here uses
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        raise InstallationError(
            f"The cluster at {address} does not answer: {error}", advice="Start it with: ray start --head"
        ) from error
    try:
        yield RayCrew(ray, house, reporter)
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError where nobody listens at HOST:PORT; Ray itself would go on asking for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()


@contextmanager
def _own_signals() -> Generator[None]:
    """Keep what this program does when it is told to stop: Ray puts an abort in its place."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


class RayCrew:
    """As many workers as the cluster has cores."""

    def __init__(self, ray: Any, house: House, reporter: Reporter) -> None:
        self._ray, self._house, self._reporter = ray, house, reporter

    def gather(self, render: Render, folder: JobFolder, tally: Tally, *, most: int) -> Sequence[Hand]:
        """Seal what the job's workers need, and put it where they find it."""
        key, ray = delegation.new_key(), self._ray
        kit = Kit(
            source=render.source, parts={n: (cast.appearance, cast.performer) for n, cast in render.casts.items()},
            space=render.space, label=render.label, watermark=render.watermark, encode=render.encode,
        )  # fmt: skip
        job = _Job(
            ray=ray, house=self._house, reporter=self._reporter, render=render, folder=folder, tally=tally, key=key,
            grants=tuple(cast.grant for cast in render.casts.values()),
            kit=ray.put(delegation.seal(key, "kit", pickle.dumps(kit))), footage=tuple(map(ray.put, _parts(render, key))),
        )  # fmt: skip
        cores = int(ray.cluster_resources().get("CPU", 0))
        return [_Remote(job) for _ in range(max(1, min(cores, most)))]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Job:
    """What all hands of a file share."""

    ray: Any
    house: House
    reporter: Reporter
    render: Render
    folder: JobFolder
    tally: Tally
    key: bytes
    grants: tuple[Grant, ...]
    kit: Any
    footage: tuple[Any, ...]
    """References to sealed parts."""

    def worker(self) -> Any:
        """A new worker, with an order and all that it needs; waits for a place in the cluster.

        Raises:
            InstallationError: there is no place, and nobody else draws.
        """
        actor = self.ray.remote(num_cpus=1, max_restarts=0)(Worker).remote()
        own = self.awaited(actor.public_key.remote())
        now, donors = self.house.clock(), self.house.donors
        order = delegation.issue(donors.installation, own, self.key, self.grants, now)
        facts = {"job": self.grants[0].job_id, "source_sha256": self.grants[0].source_sha256, "worker": own.hex()}
        donors.ledger.append("delegate", facts, now)
        self.awaited(actor.accept.remote(order, donors.installation.public_key.public_bytes_raw()))
        for number, part in enumerate(self.footage):
            self.awaited(actor.receive.remote(number, part))
        self.awaited(actor.begin.remote(self.kit))
        return actor

    def awaited(self, reference: Any) -> Any:
        """What a call comes to.

        Raises:
            Stopped: the job is over, done or not.
            InstallationError: nobody draws any more.
        """
        done, since = -1, 0.0
        while not self.ray.wait([reference], timeout=LOOK_SECONDS)[0]:
            self.tally.go_on()
            if self.tally.frames != done:
                done, since = self.tally.frames, time.monotonic()
            elif time.monotonic() - since > PATIENCE_SECONDS:
                raise InstallationError(
                    "The cluster has drawn nothing for five minutes.",
                    advice="See `ray status`; then go on with --resume.",
                )
        try:
            return self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, BianlianError):
                raise error.cause from None
            raise InternalError(f"a worker failed: {type(error.cause).__name__}: {error.cause}") from error


class _Remote:
    """A worker that is replaced when it is lost."""

    def __init__(self, job: _Job) -> None:
        self._job = job
        self._actor: Any = None
        self._sent: set[str] = set()

    def __enter__(self) -> Self:
        self._attempt(self._hire)
        return self

    def __exit__(self, *_: object) -> None:
        if self._actor is not None:
            self._job.ray.wait([self._actor.close.remote()], timeout=ANSWER_SECONDS)
            self._job.ray.kill(self._actor)

    def draw(self, chunk: ChunkRange) -> None:
        """Have a chunk drawn, and take it in."""
        job, drawn = self._job, self._attempt(lambda: self._drawn(chunk))
        notes = delegation.unseal(job.key, f"notes/{chunk.number}", drawn.notes)
        video = delegation.unseal(job.key, f"chunk/{chunk.number}", drawn.chunk)
        write_whole(job.folder.notes(chunk.number), notes)
        with publishing(job.folder.chunk(chunk.number)) as draft:
            draft.write_bytes(video)
        job.tally.add(chunk.stop - chunk.first)

    def _drawn(self, chunk: ChunkRange) -> Sealed:
        actor = self._actor or self._hire()
        return self._job.awaited(actor.draw.remote(chunk, self._track(chunk)))

    def _hire(self) -> Any:
        self._actor, self._sent = self._job.worker(), set()
        return self._actor

    def _attempt(self, action: Callable[[], _Result]) -> _Result:
        """Do something with a worker, and do it again with another one if that one is lost."""
        for _ in range(MOST_LOSSES):
            try:
                return action()
            except self._job.ray.exceptions.RayError as error:
                self._job.reporter.say(f"A worker was lost ({type(error).__name__}): another one goes on.")
                self._actor = None
        raise InstallationError(f"{MOST_LOSSES} workers in a row were lost.", advice="See `ray status`; then --resume.")

    def _track(self, chunk: ChunkRange) -> dict[str, bytes]:
        """The sealed files of the track that the worker needs for a chunk and does not have."""
        files = excerpt(self._job.render.track, max(0, chunk.first - MARGIN), chunk.stop + MARGIN)
        new = {name: content for name, content in files.items() if name not in self._sent}
        self._sent |= new.keys()
        return {name: delegation.seal(self._job.key, f"track/{name}", content) for name, content in new.items()}


def _parts(render: Render, key: bytes) -> Iterator[bytes]:
    with render.source.path.open("rb") as file:
        for number in count():
            part = file.read(PART_BYTES)
            if not part:
                return
            yield delegation.seal(key, f"footage/{number}", part)
