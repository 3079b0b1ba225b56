"""A swap job on disk: what it is, which chunks are done. A killed job goes on from here (docs/decisions/0002).

::

    OUTDIR/.bianlian/<job id>/job.json     the whole request; another request never uses these chunks
                              chunk-00000.mp4 …   each appears only when it is whole,
                              chunk-00000.json …  what was drawn in it, a moment before,
                              chunk-00000.sha256 … of both, a moment after: now it counts as done
                              draft.mp4, sealed.mp4
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bianlian.errors import CallerError, InstallationError
from bianlian.media.publish import publishing
from bianlian.workflows.footage import MARKER

CHUNK_FRAMES = 128
"""At most; long enough that key frames at its ends cost little (x264's own default distance is 250), short enough that a kill
costs seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRange:
    """Frames of one chunk: first..stop-1."""

    number: int
    first: int
    stop: int


def chunks_of(frame_count: int) -> tuple[ChunkRange, ...]:
    """The chunks of a clip, in order, covering every frame once, of even length, so that no worker waits for a longer one."""
    count = -(-frame_count // CHUNK_FRAMES)
    count += count % 2 if frame_count > CHUNK_FRAMES // 2 else 0  # pairs, for two workers
    ends = [frame_count * number // count for number in range(count + 1)] if count else [0]
    return tuple(ChunkRange(number=n, first=first, stop=stop) for n, (first, stop) in enumerate(pairwise(ends)))


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
        self._take()
        if not (resume and self._is_same_request()):
            shutil.rmtree(self.path, ignore_errors=True)
        try:
            with publishing(self.path / "job.json") as draft:
                self.path.mkdir(exist_ok=True)
                draft.write_text(json.dumps(self._request, indent=1, sort_keys=True))
        except BaseException:
            self._lock.release()
            raise

    def _take(self) -> None:
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

    def close(self, *, is_done: bool) -> None:
        """Unlock; a job that is finished, or has nothing to go on with, leaves nothing but its result."""
        leaves_nothing = is_done or not self._holds_work()
        if leaves_nothing:
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()
        if leaves_nothing:
            Path(self._lock.lock_file).unlink(missing_ok=True)
            self._remove_if_empty(self.path.parent)

    def tidy(self, waiting: Mapping[str, Path]) -> None:
        """End what a kill cut short after the result had got its name: what waited gets its own, and the rest goes.

        Args:
            waiting: names in this folder, and the names that they shall have.
        """
        if self.path.exists():
            self._take()
            for name, target in waiting.items():
                if (self.path / name).exists() and not target.exists():
                    shutil.move(self.path / name, target)
            self.close(is_done=True)

    def discard(self) -> None:
        """Remove everything drawn so far: a refused job leaves nothing to go on with."""
        shutil.rmtree(self.path, ignore_errors=True)

    def chunk(self, number: int) -> Path:
        """Where a chunk is, or will be."""
        return self.path / f"chunk-{number:05d}.mp4"

    def notes(self, number: int) -> Path:
        """Where the notes on a chunk are, or will be; they are written before the chunk gets its name."""
        return self.path / f"chunk-{number:05d}.json"

    def all_notes(self) -> list[Path]:
        """The notes on all chunks that are there, in order."""
        return sorted(self.path.glob("chunk-*.json"))

    def keep(self, number: int) -> None:
        """Note what a finished chunk and its notes hold. From now on it counts as done, as long as they stay the same."""
        with publishing(self._seal(number)) as draft:
            draft.write_bytes(self._digest(number))

    def missing(self, chunks: tuple[ChunkRange, ...]) -> tuple[ChunkRange, ...]:
        """The chunks that are still to be rendered: not there, or not as they were written."""
        return tuple(chunk for chunk in chunks if not self._is_whole(chunk.number))

    def _is_whole(self, number: int) -> bool:
        try:
            return self._seal(number).read_bytes() == self._digest(number)
        except OSError:
            return False

    def _digest(self, number: int) -> bytes:
        digests: list[str] = []
        for path in (self.chunk(number), self.notes(number)):
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        return "\n".join(digests).encode()

    def _seal(self, number: int) -> Path:
        return self.path / f"chunk-{number:05d}.sha256"

    def _holds_work(self) -> bool:
        return self.path.exists() and any(entry.name != "job.json" for entry in self.path.iterdir())

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
