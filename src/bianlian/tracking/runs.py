"""Raw faces as arrays, and the unbroken runs of a person in them, with short gaps filled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bianlian.records.arrays import F32
from bianlian.records.face import EXPRESSIONS, LANDMARKS
from bianlian.tracking.observation import FrameObservation, box_of

LONGEST_FILLED = 8
"""Frames without a face that are filled in between two that have one in much the same place."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawFaces:
    """Observed faces, one row each, in order of frames."""

    frame: npt.NDArray[np.int64]
    tracklet: npt.NDArray[np.int64]
    points: F32
    expression: F32
    quality: F32
    """Mx4: size_px, sharpness, presence, covered."""

    @classmethod
    def of(cls, observations: Sequence[FrameObservation]) -> RawFaces:
        rows = [(observation.index, face) for observation in observations for face in observation.faces]
        qualities = [(f.quality.size_px, f.quality.sharpness, f.quality.presence, f.quality.covered) for _, f in rows]
        return cls(
            frame=np.array([index for index, _ in rows], np.int64),
            tracklet=np.array([face.tracklet for _, face in rows], np.int64),
            points=np.array([face.points_image for _, face in rows], np.float32).reshape(-1, LANDMARKS, 3),
            expression=np.array([face.expression for _, face in rows], np.float32).reshape(-1, EXPRESSIONS),
            quality=np.array(qualities, np.float32).reshape(-1, 4),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> RawFaces:
        """From what `arrays` gave."""
        return cls(**{name: arrays[name] for name in cls.__slots__})  # pyright: ignore[reportArgumentType]

    @classmethod
    def joined(cls, parts: Sequence[RawFaces]) -> RawFaces:
        """One after the other."""
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__})

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """By name, for `np.savez`."""
        return {name: getattr(self, name) for name in self.__slots__}

    def within(self, first: int, stop: int) -> RawFaces:
        """The rows of frames first..stop-1."""
        return self.chosen((self.frame >= first) & (self.frame < stop))

    def chosen(self, rows: npt.NDArray[np.bool_]) -> RawFaces:
        """Some rows."""
        return RawFaces(**{name: getattr(self, name)[rows] for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """One person in consecutive frames."""

    person: int
    first: int
    points: F32
    expression: F32
    quality: F32
    interpolated: npt.NDArray[np.bool_]


def runs_of(raw: RawFaces, persons: Mapping[int, int], cuts: Iterable[int]) -> Iterator[Run]:
    """Runs of every person; tracklets that are nobody (not in `persons`) are left out."""
    cuts = sorted(cuts)
    for person in sorted(set(persons.values())):
        mine = [tracklet for tracklet, number in persons.items() if number == person]
        faces = raw.chosen(np.isin(raw.tracklet, mine))
        if not len(faces.frame):
            continue
        breaks = [row for row in range(1, len(faces.frame)) if not _continues(faces, row, cuts)]
        for low, high in zip([0, *breaks], [*breaks, len(faces.frame)], strict=True):
            yield _filled(person, faces, low, high)


def _continues(faces: RawFaces, row: int, cuts: list[int]) -> bool:
    """Whether a row goes on from the one before: no cut, no long gap, much the same place."""
    before, now = int(faces.frame[row - 1]), int(faces.frame[row])
    if any(before < cut <= now for cut in cuts):
        return False
    if now - before == 1 and faces.tracklet[row] == faces.tracklet[row - 1]:
        return True
    return now - before <= LONGEST_FILLED + 1 and (
        box_of(faces.points[row - 1]).overlap(box_of(faces.points[row])) > 0.3
    )


def _filled(person: int, faces: RawFaces, low: int, high: int) -> Run:
    """Rows low..high-1 with missing frames interpolated linearly."""
    known = faces.frame[low:high]
    wanted = np.arange(known[0], known[-1] + 1)
    after = np.clip(np.searchsorted(known, wanted), 0, len(known) - 1)
    before = np.where(known[after] == wanted, after, after - 1)
    span = np.maximum(known[after] - known[before], 1)
    share = ((wanted - known[before]) / span).astype(np.float32)

    def between(values: F32) -> F32:
        weight = share.reshape(-1, *[1] * (values.ndim - 1))
        return values[low:high][before] * (1 - weight) + values[low:high][after] * weight

    return Run(
        person=person,
        first=int(known[0]),
        points=between(faces.points),
        expression=between(faces.expression),
        quality=between(faces.quality),
        interpolated=known[after] != wanted,
    )
