"""A swap job on disk: what it is, which chunks are done. A killed job goes on from here (docs/decisions/0002).

::

    OUTDIR/.bianlian/<job id>/job.json     the whole request; another request never uses these chunks
                              chunk-00000.mp4 …   each appears only when it is whole,
                              chunk-00000.json …  what was drawn in it, a moment before
                              draft.mp4, sealed.mp4
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bianlian.errors import CallerError, InstallationError
from bianlian.workflows.footage import MARKER

CHUNK_FRAMES = 128
"""Long enough that key frames at its ends cost little (x264's own default distance is 250), short enough that a kill costs
seconds and that two workers share a 10 s clip evenly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRange:
    """Frames of one chunk: first..stop-1."""

    number: int
    first: int
    stop: int


def chunks_of(frame_count: int) -> tuple[ChunkRange, ...]:
    """The chunks of a clip, in order, covering every frame once."""
    starts = range(0, frame_count, CHUNK_FRAMES)
    return tuple(
        ChunkRange(number=number, first=first, stop=min(first + CHUNK_FRAMES, frame_count))
        for number, first in enumerate(starts)
    )


class JobFolder:
    """The job's folder, locked while it is open: two runs never write the same result."""

    def __init__(self, *, output: Path, job_id: str, request: Mapping[str, Any]) -> None:
        self.path = output.parent / MARKER / job_id
        self.output = output
        self._request = dict(request)
        self._lock = FileLock(output.parent / MARKER / f"{output.name}.lock")

    def open(self, *, resume: bool) -> None:
        """Lock and make ready; what an earlier run left is kept with `resume`, else removed.

        Raises:
            CallerError: another run is writing the same result.
            InstallationError: the folder cannot be made or written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise CallerError(
                f"Another run is writing {self.output.name}.", advice="Wait for it, or choose another output folder."
            ) from error
        except OSError as error:
            raise InstallationError(
                f"The output folder {self.output.parent} cannot be written: {error.strerror or error}.",
                advice="Choose another with -o, or ask for permission.",
            ) from error
        if not (resume and self._is_same_request()):
            shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(exist_ok=True)
        scratch = self.path / ".job.json"
        scratch.write_text(json.dumps(self._request, indent=1, sort_keys=True))
        scratch.replace(self.path / "job.json")

    def close(self, *, is_done: bool) -> None:
        """Unlock; a finished job leaves nothing but its result."""
        if is_done:
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()
        if is_done:
            Path(self._lock.lock_file).unlink(missing_ok=True)
            self._remove_if_empty(self.path.parent)

    def discard(self) -> None:
        """Remove everything drawn so far: a refused job leaves nothing to go on with."""
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def has_leftovers(self) -> bool:
        """Whether an earlier run of the same request left finished chunks."""
        return self._is_same_request() and any(self.path.glob("chunk-*.mp4"))

    def chunk(self, number: int) -> Path:
        """Where a chunk is, or will be."""
        return self.path / f"chunk-{number:05d}.mp4"

    def notes(self, number: int) -> Path:
        """Where the notes on a chunk are, or will be; they are written before the chunk gets its name."""
        return self.path / f"chunk-{number:05d}.json"

    def all_notes(self) -> list[Path]:
        """The notes on all chunks that are there, in order."""
        return sorted(self.path.glob("chunk-*.json"))

    def missing(self, chunks: tuple[ChunkRange, ...]) -> tuple[ChunkRange, ...]:
        """The chunks that are still to be rendered."""
        return tuple(chunk for chunk in chunks if not self.chunk(chunk.number).exists())

    def _is_same_request(self) -> bool:
        try:
            return json.loads((self.path / "job.json").read_text()) == json.loads(json.dumps(self._request))
        except (OSError, ValueError):
            return False

    @staticmethod
    def _remove_if_empty(folder: Path) -> None:
        try:
            folder.rmdir()
        except OSError:
            return  # another job is at work there
