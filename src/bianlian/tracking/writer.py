"""Writes a track: observations are spooled to disk as they come, then associated, filled, smoothed and packed chunk by
chunk, so that memory does not grow with the footage. The folder gets its name only when it is complete.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from bianlian.errors import InstallationError
from bianlian.records.arrays import F32, arrays_in
from bianlian.records.face import EMBEDDING, EXPRESSIONS, LANDMARKS
from bianlian.tracking.associate import Association, Tracklet, TrackletLog, associate
from bianlian.tracking.gaze import gazes
from bianlian.tracking.observation import FrameObservation, SampledIdentity
from bianlian.tracking.pose import PoseFit
from bianlian.tracking.runs import RawFaces, Run, runs_of
from bianlian.tracking.smooth import smoothed_expression, smoothed_points
from bianlian.tracking.store import CHUNK, EMBEDDINGS, FORMAT, INDEX, VERSION, Chunk, TrackReader, packed

MARGIN = 128
"""Frames on either side of a chunk that its smoothing looks at: the filter's 28, a filled gap, and enough for its estimate
of the noise to be much the same in neighbouring chunks."""

SIDE_BY_SIDE = 2
"""Chunks that are smoothed and packed at a time, in threads: a second of a clip of a minute."""


class TrackWriter:
    """Takes observations in order; `finish` makes the artefact. Use as a context manager: an unfinished one leaves nothing.

    Args:
        folder: final name, `NAME.track`; an older one there is replaced at the end.
        source_sha256: of the footage.
        models: name and SHA-256 of every model used.
        settings: what the track depends on, as JSON values.

    Raises:
        InstallationError: the disk is full or the folder cannot be written (from every method).
    """

    def __init__(
        self, folder: Path, *, source_sha256: str, models: Mapping[str, str], settings: Mapping[str, Any]
    ) -> None:
        self.folder = folder
        self._header = {"source_sha256": source_sha256, "models": dict(models), "settings": dict(settings)}
        self._part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
        self._log = TrackletLog()
        self._time_base = Fraction(1)
        self._waiting: list[FrameObservation] = []
        self._spooled = 0

    def __enter__(self) -> Self:
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            for leftover in self.folder.parent.glob(f".{self.folder.name}.*.part"):
                if not _is_running(leftover):
                    shutil.rmtree(leftover, ignore_errors=True)
            self._part.mkdir(mode=0o700)  # it holds biometric data
        except OSError as error:
            raise self._cannot(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._part, ignore_errors=True)

    def add(self, observation: FrameObservation) -> None:
        """Take one frame's observation; frames come in order and without holes."""
        if observation.index != self._log.frames:
            raise ValueError(f"frame {observation.index} after {self._log.frames} frames")
        self._log.add(observation)
        self._time_base = observation.instant.time_base
        self._waiting.append(observation)
        if len(self._waiting) == CHUNK:
            self._spool()

    def finish(self, pose: PoseFit) -> TrackReader:
        """Associate, smooth, write and open the track."""
        if self._waiting:
            self._spool()
        association = associate(self._log)
        persons = {
            tracklet.number: number for number, group in enumerate(association.persons, start=1) for tracklet in group
        }
        counts = np.zeros(len(association.persons) + 1, int)
        table: list[dict[str, Any]] = []

        def made(first: int) -> tuple[np.ndarray, dict[str, Any]]:
            # Written here and not by who waits for it: chunks would pile up in memory while the disk takes its time.
            chunk = self._chunk(first, persons, pose)
            written = self._written(f"chunk-{first // CHUNK:05d}.npz", packed(chunk))
            row = {"first": first, "frames": len(chunk.pts), **written}
            return np.bincount(chunk.person, minlength=len(counts)), row

        try:
            with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
                for seen, row in pool.map(made, range(0, self._log.frames, CHUNK)):
                    counts += seen
                    table.append(row)
            self._write_index(association, counts, table)
            for spool in self._part.glob("raw-*.npz"):
                spool.unlink()
            self._publish()
        except OSError as error:
            raise self._cannot(error) from error
        return TrackReader(self.folder)

    def _spool(self) -> None:
        raw = RawFaces.of(self._waiting)
        pts = np.array([observation.instant.pts for observation in self._waiting], np.int64)
        try:
            with (self._part / f"raw-{self._spooled:05d}.npz").open("wb") as file:
                np.savez(file, pts=pts, **raw.arrays())  # pyright: ignore[reportArgumentType]
        except OSError as error:
            raise self._cannot(error) from error
        self._spooled += 1
        self._waiting = []

    def _raw(self, first: int, stop: int) -> tuple[RawFaces, np.ndarray]:
        """Raw faces of frames first..stop-1 and, of the same frames, the times."""
        parts: list[RawFaces] = []
        pts: list[np.ndarray] = []
        for number in range(first // CHUNK, -(-stop // CHUNK)):
            arrays = arrays_in(self._part / f"raw-{number:05d}.npz")
            parts.append(RawFaces.from_arrays(arrays))
            pts.append(arrays["pts"])
        offset = first // CHUNK * CHUNK
        return RawFaces.joined(parts).within(first, stop), np.concatenate(pts)[first - offset : stop - offset]

    def _chunk(self, first: int, persons: Mapping[int, int], pose: PoseFit) -> Chunk:
        stop = min(first + CHUNK, self._log.frames)
        low, high = max(0, first - MARGIN), min(self._log.frames, stop + MARGIN)
        raw, pts = self._raw(low, high)
        cuts = [cut for cut in self._log.cuts if low <= cut < high]
        finished = [_finished(run, first, stop, pose) for run in runs_of(raw, persons, cuts)]
        joined = {name: np.concatenate([part[name] for part in (*finished, _nothing())]) for name in _nothing()}
        order = np.lexsort((joined["person"], joined["frame"]))
        rows: dict[str, Any] = {name: values[order] for name, values in joined.items()}
        rows["frame"] = (rows["frame"] - first).astype(np.int32)
        return Chunk(pts=pts[first - low : stop - low], **rows)

    def _write_index(self, association: Association, counts: np.ndarray, table: list[dict[str, Any]]) -> None:
        embeddings: dict[str, F32] = {}
        persons: list[dict[str, Any]] = []
        for number, group in enumerate(association.persons, start=1):
            samples = _telling(group)
            embeddings[f"person_{number}"] = np.array([s.embedding for s in samples], np.float32).reshape(-1, EMBEDDING)
            persons.append(_person_entry(number, group, int(counts[number]), [sample.frame for sample in samples]))
        buffer = io.BytesIO()
        np.savez(buffer, **embeddings)  # pyright: ignore[reportArgumentType]
        index = {
            "format": FORMAT,
            "version": VERSION,
            **self._header,
            "frame_count": self._log.frames,
            "time_base": str(self._time_base),
            "cuts": self._log.cuts,
            "persons": persons,
            "dropped": [f"tracklet {item.tracklet}: {item.reason}" for item in association.dropped],
            "embeddings_sha256": self._written(EMBEDDINGS, buffer.getvalue())["sha256"],
            "chunks": table,
        }
        self._written(INDEX, json.dumps(index, indent=1).encode())

    def _written(self, name: str, data: bytes) -> dict[str, str]:
        with (self._part / name).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return {"file": name, "sha256": hashlib.sha256(data).hexdigest()}

    def _publish(self) -> None:
        if self.folder.exists():
            old = self._part.with_suffix(".old.part")
            os.replace(self.folder, old)
            os.replace(self._part, self.folder)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(self._part, self.folder)

    def _cannot(self, error: OSError) -> InstallationError:
        return InstallationError(
            f"cannot write the track {self.folder}: {error.strerror or error}",
            advice="make room, or give another folder with --home",
        )


def _finished(run: Run, first: int, stop: int, pose: PoseFit) -> dict[str, np.ndarray]:
    """The part of a run that lies in frames first..stop-1, smoothed over the whole run, as rows of a chunk."""
    low, high = max(run.first, first), min(run.first + len(run.points), stop)
    if low >= high:
        return _nothing()
    chosen = slice(low - run.first, high - run.first)
    points = smoothed_points(run.points)[chosen]
    rotations = pose.rotations(points)
    count = high - low
    return {
        "frame": np.arange(low, high, dtype=np.int32),
        "person": np.full(count, run.person, np.int32),
        "interpolated": run.interpolated[chosen],
        "points": points,
        "rotation": rotations,
        "expression": smoothed_expression(run.expression)[chosen],
        "gaze": gazes(points, rotations),
        "quality": run.quality[chosen],
    }


def _nothing() -> dict[str, np.ndarray]:
    return {
        "frame": np.zeros(0, np.int32),
        "person": np.zeros(0, np.int32),
        "interpolated": np.zeros(0, bool),
        "points": np.zeros((0, LANDMARKS, 3), np.float32),
        "rotation": np.zeros((0, 3, 3), np.float32),
        "expression": np.zeros((0, EXPRESSIONS), np.float32),
        "gaze": np.zeros((0, 2), np.float32),
        "quality": np.zeros((0, 4), np.float32),
    }


def _telling(group: tuple[Tracklet, ...]) -> list[SampledIdentity]:
    """A person's identity samples in order of frames, without those of a face turned away, covered or blurred, if others are."""
    samples = [sample for tracklet in group for sample in tracklet.identities]
    least = max((sample.worth for sample in samples), default=0.0) / 2
    return sorted((sample for sample in samples if sample.worth >= least), key=lambda sample: sample.frame)


def _person_entry(number: int, group: tuple[Tracklet, ...], count: int, frames: list[int]) -> dict[str, Any]:
    best = max(group, key=lambda tracklet: tracklet.best_worth)
    return {
        "number": number,
        "frame_count": count,
        "first_pts": min(tracklet.first_instant.pts for tracklet in group),
        "last_pts": max(tracklet.last_instant.pts for tracklet in group),
        "best_frame": best.best_frame if best.identities else best.first,
        "embedding_frames": frames,
    }


def _is_running(part: Path) -> bool:
    """Whether the process that a leftover is named after is still there."""
    number = part.name.removesuffix(".part").removesuffix(".old").rsplit(".", 1)[-1]
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
