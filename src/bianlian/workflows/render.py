"""From footage and appearance to coded chunks: decode → compose → mark → encode, a span of chunks at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from threading import Event, Lock
from typing import Protocol, Self

from bianlian.compositing.stage import LEAD_IN, Cast, compose
from bianlian.imaging.face_space import FaceSpace
from bianlian.marking.interface import FrameMark
from bianlian.marking.label import Label
from bianlian.marking.stage import mark_frames
from bianlian.media.decode import frames
from bianlian.media.encode import EncodeSettings, write_chunk
from bianlian.records.composite import MarkedFrame
from bianlian.records.frame import SourceInfo
from bianlian.records.progress import Progress, Reporter
from bianlian.tracking.store import TrackReader
from bianlian.workflows.job import ChunkRange, JobFolder
from bianlian.workflows.memory import give_back
from bianlian.workflows.notes import noted
from bianlian.workflows.patches import NoPatches, PatchTap

REPORT_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Render:
    """All that drawing any chunk of one file needs; shared by the workers, changed by none."""

    source: SourceInfo
    track: Path
    casts: Mapping[int, Cast]
    space: FaceSpace
    label: Label
    watermark: FrameMark
    encode: EncodeSettings
    patches: PatchTap = field(default_factory=NoPatches)


def marked_frames(render: Render, first: int = 0) -> Generator[MarkedFrame]:
    """Marked frames from `first` to the end, the same whatever `first` a run begins with."""
    track = TrackReader(render.track)
    begin, stop = max(0, first - LEAD_IN), track.info.frame_count
    start = next(iter(track.instants(begin, begin + 1)))
    decoded = islice(frames(render.source, start=start, start_index=begin), stop - begin)
    composites = compose(zip(decoded, track.faces(begin, stop), strict=True), render.casts, render.space)
    yield from mark_frames(islice(composites, first - begin, None), label=render.label, watermark=render.watermark)


class Painter:
    """Draws chunks of one file, one at a time; from neighbour to neighbour it goes on without seeking.

    Args:
        watched: sees every marked frame; may raise to stop.
    """

    def __init__(
        self, render: Render, watched: Callable[[Iterator[MarkedFrame]], Iterator[MarkedFrame]] = iter
    ) -> None:
        self._render, self._watched = render, watched
        self._stream: Generator[MarkedFrame] | None = None
        self._marked: Iterator[MarkedFrame] = iter(())
        self._at = -1

    def paint(self, chunk: ChunkRange, path: Path, notes: Path) -> None:
        """Write a chunk to `path`, and a moment before what was drawn in it to `notes`."""
        if chunk.first != self._at:
            self.close()
            self._stream = marked_frames(self._render, chunk.first)
            self._marked = self._watched(self._stream)
        self._at = -1
        piece = self._render.patches.through(islice(self._marked, chunk.stop - chunk.first), chunk.number)
        write_chunk(noted(piece, notes), self._render.source, self._render.encode, path)
        self._at = chunk.stop

    def close(self) -> None:
        """Let go of the decoder."""
        if self._stream:
            self._stream.close()


class Hand(Protocol):
    """Somebody who draws, a thread or a worker on another machine; a context, entered when it is ready to."""

    def draw(self, chunk: ChunkRange) -> None:
        """Put a chunk and its notes into the job's folder."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Crew(Protocol):
    """Those who draw files side by side."""

    def gather(self, render: Render, folder: JobFolder, tally: Tally, *, most: int) -> Sequence[Hand]:
        """At least one and at most `most` hands for one file; each is then used by one thread."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads:
    """A crew of threads. Most pixels are worked on outside Python's lock (NumPy, OpenCV, FFmpeg): two of them keep 1.85 cores
    busy, where two forks keep 1.97."""

    count: int

    def gather(self, render: Render, folder: JobFolder, tally: Tally, *, most: int) -> Sequence[Hand]:
        return [_Thread(Painter(render, tally.counted), folder) for _ in range(min(self.count, most))]


@dataclass(frozen=True, slots=True)
class _Thread:
    painter: Painter
    folder: JobFolder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.painter.close()

    def draw(self, chunk: ChunkRange) -> None:
        self.painter.paint(chunk, self.folder.chunk(chunk.number), self.folder.notes(chunk.number))


def render_chunks(
    render: Render, chunks: Sequence[ChunkRange], folder: JobFolder, *, crew: Crew, reporter: Reporter
) -> None:
    """Render chunks into the job's folder; each counts as done once it is kept there."""
    if not chunks:
        return
    tally = Tally(total=sum(chunk.stop - chunk.first for chunk in chunks))
    reporter.progress(Progress(stage="compose", done=0, total=tally.total))
    hands = crew.gather(render, folder, tally, most=len(chunks))
    shares = Shares(chunks, len(hands))

    def work(number: int) -> None:
        with suppress(Stopped), hands[number] as hand:
            while chunk := shares.take(number):
                hand.draw(chunk)
                folder.keep(chunk.number)
                give_back()

    with ThreadPoolExecutor(len(hands), thread_name_prefix="render") as pool:
        running = {pool.submit(work, number) for number in range(len(hands))}
        try:
            while running:
                finished, running = wait(running, timeout=REPORT_SECONDS, return_when=FIRST_EXCEPTION)
                for future in finished:
                    future.result()
                reporter.progress(Progress(stage="compose", done=tally.frames, total=tally.total))
        except BaseException:
            tally.stopping.set()
            pool.shutdown(cancel_futures=True)
            raise


class Shares:
    """Chunks dealt to workers: to each a run of neighbours, because a seek decodes from the key frame before, up to ten seconds.

    Who has done its own takes the further half of the longest run that is left, so that all end at about the same time.
    """

    def __init__(self, chunks: Sequence[ChunkRange], workers: int) -> None:
        ends = [len(chunks) * number // workers for number in range(workers + 1)]
        self._runs = [deque(chunks[first:stop]) for first, stop in pairwise(ends)]
        self._lock = Lock()

    def take(self, worker: int) -> ChunkRange | None:
        """The next chunk for a worker, None when there is none left."""
        with self._lock:
            mine, longest = self._runs[worker], max(self._runs, key=len)
            if not mine:
                mine.extend(reversed([longest.pop() for _ in range(-(-len(longest) // 2))]))
            return mine.popleft() if mine else None


@dataclass(slots=True, kw_only=True)
class Tally:
    """Shared by the hands of one file: frames done (each adds under Python's lock), and the word to stop."""

    total: int
    frames: int = 0
    stopping: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def counted(self, frames: Iterator[MarkedFrame]) -> Iterator[MarkedFrame]:
        """Hand frames on and count them."""
        for frame in frames:
            self.go_on()
            self.add(1)
            yield frame

    def add(self, frames: int) -> None:
        """Count frames that are done."""
        with self.lock:
            self.frames += frames

    def go_on(self) -> None:
        """Raises Stopped when somebody gave the word, or when nothing is left to do."""
        if self.stopping.is_set() or self.frames >= self.total:
            raise Stopped


class Stopped(Exception):
    """Another hand failed, the user stopped the program, or all is done: leave what is unfinished."""
