"""From footage and appearance to coded chunks: decode → compose → mark → encode, a span of chunks at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Event, Lock

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
from bianlian.workflows.notes import noted
from bianlian.workflows.patches import NoPatches, PatchTap

SPAN_CHUNKS = 16
"""Chunks that a worker renders without seeking in between: a seek decodes from the key frame before, up to ten seconds."""
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


def marked_frames(render: Render, first: int, stop: int) -> Generator[MarkedFrame]:
    """Marked frames first..stop-1, the same whatever `first` a run begins with."""
    track = TrackReader(render.track)
    begin = max(0, first - LEAD_IN)
    start = next(iter(track.instants(begin, begin + 1)))
    decoded = islice(frames(render.source, start=start, start_index=begin), stop - begin)
    composites = compose(zip(decoded, track.faces(begin, stop), strict=True), render.casts, render.space)
    yield from mark_frames(islice(composites, first - begin, None), label=render.label, watermark=render.watermark)


def render_chunks(
    render: Render, chunks: Sequence[ChunkRange], folder: JobFolder, *, workers: int, reporter: Reporter
) -> None:
    """Render chunks into the job's folder with `workers` threads.

    Pixels are worked on outside Python's lock (NumPy, OpenCV, FFmpeg), so threads share the cores well, and rights need not
    leave the process.
    """
    total = sum(chunk.stop - chunk.first for chunk in chunks)
    tally = _Tally()
    with ThreadPoolExecutor(workers, thread_name_prefix="render") as pool:
        running = {pool.submit(_render_span, render, span, folder, tally) for span in spans_of(chunks, workers)}
        try:
            while running:
                finished, running = wait(running, timeout=REPORT_SECONDS, return_when=FIRST_EXCEPTION)
                for future in finished:
                    future.result()
                reporter.progress(Progress(stage="compose", done=tally.frames, total=total))
        except BaseException:
            tally.stopping.set()
            pool.shutdown(cancel_futures=True)
            raise


def spans_of(chunks: Sequence[ChunkRange], workers: int) -> tuple[tuple[ChunkRange, ...], ...]:
    """Runs of neighbouring chunks, at most `SPAN_CHUNKS` long and short enough that every worker has one."""
    longest = max(1, min(SPAN_CHUNKS, -(-len(chunks) // workers)))
    spans: list[tuple[ChunkRange, ...]] = []
    for chunk in chunks:
        if spans and len(spans[-1]) < longest and spans[-1][-1].stop == chunk.first:
            spans[-1] += (chunk,)
        else:
            spans.append((chunk,))
    return tuple(spans)


@dataclass(slots=True)
class _Tally:
    """Shared by the workers of one file: frames done (each adds under Python's lock), and the word to stop."""

    lock: Lock = field(default_factory=Lock)
    stopping: Event = field(default_factory=Event)
    frames: int = 0

    def counted(self, frames: Iterator[MarkedFrame]) -> Iterator[MarkedFrame]:
        for frame in frames:
            if self.stopping.is_set():
                raise _Stopped
            with self.lock:
                self.frames += 1
            yield frame


class _Stopped(Exception):
    """Another worker failed, or the user stopped the program: leave the chunk unfinished."""


def _render_span(render: Render, span: Sequence[ChunkRange], folder: JobFolder, tally: _Tally) -> None:
    with closing(marked_frames(render, span[0].first, span[-1].stop)) as marked:
        counted = tally.counted(marked)
        for chunk in span:
            piece = render.patches.through(islice(counted, chunk.stop - chunk.first), chunk.number)
            noting = noted(piece, folder.notes(chunk.number))
            write_chunk(noting, render.source, render.encode, folder.chunk(chunk.number))
            folder.keep(chunk.number)
