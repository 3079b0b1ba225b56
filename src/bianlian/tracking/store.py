"""The track on disk: `NAME.track/`, made once, read by later commands.

* `track.json`: format and version, the footage's SHA-256, frames, time base, cuts, persons, models, settings, and the chunk
  table with the SHA-256 of every other file;
* `persons.npz`: identity embeddings, one array a person;
* `chunk-NNNNN.npz`: 256 frames each. `pts` (n), and one row a face: `frame` (offset in the chunk), `person`, `interpolated`,
  `points` (478x3 int16, times `scale`, plus `centre`), `rotation`, `expression`, `gaze`, `quality`.

Landmarks are stored with 16 bits over the size of the face: at most 0.01 px off on a face 600 px high. All arrays are plain
(`allow_pickle=False`); values are smoothed already, so reading needs no models.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bianlian.errors import UnreadableMedia
from bianlian.records.arrays import arrays_in
from bianlian.records.face import EMBEDDING, Box, Face, Pose, Quality, TrackedFace
from bianlian.records.time import Instant
from bianlian.records.track import Person, TrackInfo

FORMAT = "bianlian-track"
VERSION = 1
CHUNK = 256
"""Frames a chunk."""
INDEX = "track.json"
EMBEDDINGS = "persons.npz"
_CHUNKS_HELD = 3
_UNPACKING = (LookupError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """The faces of up to `CHUNK` frames, as arrays; rows are ordered by frame, then person."""

    pts: npt.NDArray[np.int64]
    frame: npt.NDArray[np.int32]
    person: npt.NDArray[np.int32]
    interpolated: npt.NDArray[np.bool_]
    points: npt.NDArray[np.float32]
    rotation: npt.NDArray[np.float32]
    expression: npt.NDArray[np.float32]
    gaze: npt.NDArray[np.float32]
    quality: npt.NDArray[np.float32]
    """Mx4: size_px, sharpness, presence, covered."""

    def faces(self, frame: int) -> tuple[TrackedFace, ...]:
        """The faces of one frame, by its offset in the chunk."""
        low, high = np.searchsorted(self.frame, [frame, frame + 1])
        return tuple(self._face(row) for row in range(int(low), int(high)))

    def _face(self, row: int) -> TrackedFace:
        size, sharpness, presence, covered = self.quality[row].tolist()
        return TrackedFace(
            person=int(self.person[row]),
            is_interpolated=bool(self.interpolated[row]),
            face=Face(
                points_image=self.points[row],
                pose=Pose(rotation=self.rotation[row]),
                expression=self.expression[row],
                gaze=self.gaze[row],
                quality=Quality(size_px=size, sharpness=sharpness, presence=presence, covered=covered),
            ),
        )


def packed(chunk: Chunk) -> bytes:
    """The bytes of a chunk file."""
    centre = chunk.points.mean(axis=1)
    away = chunk.points - centre[:, None]
    scale = np.maximum(np.abs(away).max(axis=(1, 2), initial=0), 1e-6) / np.float32(32767)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        pts=chunk.pts,
        frame=chunk.frame,
        person=chunk.person,
        interpolated=chunk.interpolated,
        centre=centre,
        scale=scale,
        points=np.rint(away / scale[:, None, None]).astype(np.int16),
        rotation=chunk.rotation,
        expression=np.rint(chunk.expression * 65535).astype(np.uint16),
        gaze=chunk.gaze,
        quality=chunk.quality,
    )
    return buffer.getvalue()


def unpacked(data: bytes) -> Chunk:
    """The chunk in the bytes of a chunk file.

    Raises:
        ValueError, KeyError, zipfile.BadZipFile: not a chunk.
    """
    arrays = arrays_in(io.BytesIO(data))
    scale = arrays["scale"][:, None, None]
    points = arrays["points"].astype(np.float32) * scale + arrays["centre"][:, None]
    return Chunk(
        pts=arrays["pts"],
        frame=arrays["frame"],
        person=arrays["person"],
        interpolated=arrays["interpolated"],
        points=points.astype(np.float32),
        rotation=arrays["rotation"],
        expression=(arrays["expression"] / np.float32(65535)).astype(np.float32),
        gaze=arrays["gaze"],
        quality=arrays["quality"],
    )


class _Rows(NamedTuple):
    """Of every face of every frame what fits into memory for an hour of footage: 25 bytes."""

    frame: npt.NDArray[np.int32]
    person: npt.NDArray[np.int32]
    interpolated: npt.NDArray[np.bool_]
    corners: npt.NDArray[np.float32]
    """Nx4: left, top, right, bottom."""


_NO_ROWS = _Rows(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.bool_), np.zeros((0, 4), np.float32))


class TrackReader:
    """Random access to a track on disk; implements `records.track.Track`. A few chunks are held, no more.

    Args:
        folder: `NAME.track`.

    Raises:
        UnreadableMedia: missing, damaged, changed, of another kind or of a newer version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = _read_index(folder)
        try:
            self._time_base = Fraction(index["time_base"])
            self._files: list[tuple[str, str]] = [(entry["file"], entry["sha256"]) for entry in index["chunks"]]
            self.models: Mapping[str, str] = {str(k): str(v) for k, v in index["models"].items()}
            self.settings: Mapping[str, Any] = dict(index["settings"])
            self.dropped: tuple[str, ...] = tuple(map(str, index["dropped"]))
            embeddings = arrays_in(io.BytesIO(self._bytes(EMBEDDINGS, index["embeddings_sha256"])))
            self.info = TrackInfo(
                source_sha256=str(index["source_sha256"]),
                frame_count=int(index["frame_count"]),
                cuts=tuple(map(int, index["cuts"])),
                persons=tuple(self._person(entry, embeddings) for entry in index["persons"]),
            )
            self._starts = [int(entry["first"]) for entry in index["chunks"]]
        except (*_UNPACKING, TypeError, ArithmeticError, AttributeError) as error:
            raise _unreadable(folder, f"its index makes no sense ({error!r})") from error
        self._held: OrderedDict[int, Chunk] = OrderedDict()

    def faces(self, first: int, stop: int) -> Iterator[tuple[TrackedFace, ...]]:
        """Smoothed faces of frames first..stop-1, one tuple a frame, empty when nobody is there.

        Raises:
            UnreadableMedia: a chunk is damaged or was changed.
        """
        for index in range(max(0, first), min(stop, self.info.frame_count)):
            chunk = self._chunk(index // CHUNK)
            yield chunk.faces(index % CHUNK)

    def boxes(self, persons: Collection[int] = ()) -> Iterator[Box]:
        """The boxes of all faces of all frames, in order; of `persons` alone, if any are named."""
        rows = self._rows
        for corners in rows.corners[np.isin(rows.person, list(persons)) if persons else slice(None)].tolist():
            left, top, right, bottom = corners
            yield Box(left=left, top=top, right=right, bottom=bottom)

    def seen(self, person: int) -> list[int]:
        """The frames in which a person's face was seen, not only filled in."""
        rows = self._rows
        return rows.frame[(rows.person == person) & ~rows.interpolated].tolist()

    @cached_property
    def _rows(self) -> _Rows:
        parts = [_NO_ROWS]
        for number, start in enumerate(self._starts):
            chunk = self._chunk(number)
            plane = chunk.points[:, :, :2]
            corners = np.concatenate([plane.min(axis=1), plane.max(axis=1) + 1], axis=1)
            parts.append(_Rows(start + chunk.frame, chunk.person, chunk.interpolated, corners))
        return _Rows(*map(np.concatenate, zip(*parts, strict=True)))

    def instants(self, first: int, stop: int) -> Iterator[Instant]:
        """Presentation times of frames first..stop-1."""
        for index in range(max(0, first), min(stop, self.info.frame_count)):
            pts = self._chunk(index // CHUNK).pts[index % CHUNK]
            yield Instant(pts=int(pts), time_base=self._time_base)

    def check(self) -> None:
        """Read every chunk's bytes against its hash.

        Raises:
            UnreadableMedia: a chunk is missing, damaged or was changed.
        """
        for name, sha256 in self._files:
            self._bytes(name, sha256)

    def _chunk(self, number: int) -> Chunk:
        if number in self._held:
            self._held.move_to_end(number)
            return self._held[number]
        name, sha256 = self._files[number]
        try:
            chunk = unpacked(self._bytes(name, sha256))
        except _UNPACKING as error:
            raise _unreadable(self.folder, f"{name} makes no sense ({error})") from error
        self._held[number] = chunk
        if len(self._held) > _CHUNKS_HELD:
            self._held.popitem(last=False)
        return chunk

    def _bytes(self, name: str, sha256: str) -> bytes:
        if Path(name).name != name:
            raise _unreadable(self.folder, f"it names a file outside itself, {name!r}")
        try:
            data = (self.folder / name).read_bytes()
        except OSError as error:
            raise _unreadable(self.folder, f"{name} cannot be read ({error.strerror})") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise _unreadable(self.folder, f"{name} was changed or damaged after it was written")
        return data

    def _person(self, entry: dict[str, Any], embeddings: dict[str, npt.NDArray[Any]]) -> Person:
        number = int(entry["number"])
        return Person(
            number=number,
            frame_count=int(entry["frame_count"]),
            first=Instant(pts=int(entry["first_pts"]), time_base=self._time_base),
            last=Instant(pts=int(entry["last_pts"]), time_base=self._time_base),
            best_frame=int(entry["best_frame"]),
            embeddings=embeddings[f"person_{number}"].reshape(-1, EMBEDDING),
            embedding_frames=tuple(map(int, entry["embedding_frames"])),
        )


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / INDEX).read_bytes())
    except OSError as error:
        raise _unreadable(folder, f"{INDEX} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(folder, f"{INDEX} is not JSON") from error
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise _unreadable(folder, "it is not a track of this program")
    if index.get("version") != VERSION:
        raise _unreadable(folder, f"it is of version {index.get('version')}, and this program reads {VERSION}")
    return index


def _unreadable(folder: Path, why: str) -> UnreadableMedia:
    return UnreadableMedia(
        f"the track {folder.name} cannot be used: {why}", advice="delete that folder; it is made again from the footage"
    )
