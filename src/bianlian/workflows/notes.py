"""What the renderer notes about the faces that it draws: beside each chunk, so that a resumed job's report is whole."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from heapq import heappush, heappushpop
from pathlib import Path

import numpy as np

from bianlian.donors.files import write_whole
from bianlian.errors import UnreadableMedia
from bianlian.records.arrays import F32
from bianlian.records.composite import MarkedFrame, PlacedFace

BRIDGE = 5
"""Frames fully drawn between two faded ones that do not end a passage: nobody looks at gaps of a fifth of a second."""
WORST = 8
"""Moments of each kind that are kept for looking at."""
PASSAGES = 500
"""Passages that are listed; more are counted only, so that memory does not grow with the length of a clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceNote:
    """One placed face in one frame."""

    index: int
    time: Fraction
    """Seconds, exact."""
    person: int
    confidence: float
    reason: str
    jump: float
    """How far the landmarks are from a steady motion, mean over the points, as a share of the face's height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Frames first..last in which a face was not drawn in full."""

    first: int
    last: int
    begin: float
    end: float
    """Seconds: stamps of the first and the last frame."""
    least: float
    """The lowest confidence."""
    deepest: int
    """The frame that has it."""
    reason: str


@dataclass(slots=True, kw_only=True)
class Run:
    """Frames first..last, without a gap, in which a face was found and placed, and the seconds of these two."""

    first: int
    last: int
    begin: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """One second of one person."""

    second: int
    mean: float
    least: float
    frames: int


@dataclass(slots=True, kw_only=True)
class FaceSummary:
    """All notes on one person, summed up."""

    drawn: int = 0
    """Frames with the face drawn in full."""
    faded: int = 0
    """Frames where the original shows through."""
    gone: int = 0
    """Frames where only the original is to be seen."""
    seconds: list[Second] = field(default_factory=list[Second])
    passages: list[Passage] = field(default_factory=list[Passage])
    passage_count: int = 0
    runs: list[Run] = field(default_factory=list[Run])
    """The first `PASSAGES` of them."""
    jumps: list[tuple[float, int, float]] = field(default_factory=list[tuple[float, int, float]])
    """The largest, as (jump, frame, seconds); a heap."""

    @property
    def placed(self) -> int:
        return self.drawn + self.faded + self.gone

    def add(self, note: FaceNote, begin: Fraction) -> None:
        """Take in the next note; they come in order of time."""
        if note.confidence >= 1:
            self.drawn += 1
        else:
            self.faded, self.gone = self.faded + (note.confidence > 0), self.gone + (note.confidence <= 0)
            self._fade(note)
        self._run(note.index, float(note.time))
        self._count(int(note.time - begin), note.confidence)
        keep = heappush if len(self.jumps) < WORST else heappushpop
        keep(self.jumps, (note.jump, note.index, float(note.time)))

    def _fade(self, note: FaceNote) -> None:
        seconds = float(note.time)
        last = self.passages[-1] if self.passages else None
        if last and note.index - last.last <= BRIDGE:
            is_deeper = note.confidence < last.least
            self.passages[-1] = Passage(
                first=last.first, last=note.index, begin=last.begin, end=seconds, least=min(last.least, note.confidence),
                deepest=note.index if is_deeper else last.deepest, reason=note.reason if is_deeper else last.reason,
            )  # fmt: skip
            return
        self.passage_count += 1
        if len(self.passages) < PASSAGES:
            self.passages.append(Passage(
                first=note.index, last=note.index, begin=seconds, end=seconds, least=note.confidence, deepest=note.index,
                reason=note.reason,
            ))  # fmt: skip

    def _run(self, index: int, seconds: float) -> None:
        if self.runs and index == self.runs[-1].last + 1:
            self.runs[-1].last, self.runs[-1].end = index, seconds
        elif len(self.runs) < PASSAGES:
            self.runs.append(Run(first=index, last=index, begin=seconds, end=seconds))

    def _count(self, second: int, confidence: float) -> None:
        last = self.seconds[-1] if self.seconds else None
        if last is None or last.second != second:
            self.seconds.append(Second(second=second, mean=confidence, least=confidence, frames=1))
            return
        frames = last.frames + 1
        mean = last.mean + (confidence - last.mean) / frames
        self.seconds[-1] = Second(second=second, mean=mean, least=min(last.least, confidence), frames=frames)


def noted(marked: Iterable[MarkedFrame], path: Path) -> Iterator[MarkedFrame]:
    """Hand frames on, and when the last has passed write down what was drawn; the chunk gets its name only after that."""
    rows: list[tuple[int, int, str, list[tuple[int, float, str, float]]]] = []
    motions: dict[int, deque[tuple[int, F32]]] = defaultdict(lambda: deque(maxlen=2))
    for frame in marked:
        index, instant = frame.frame.index, frame.frame.instant
        faces = [
            (face.person, round(face.confidence, 4), face.fade_reason, round(_jump(face, index, motions), 5))
            for face in frame.composite.faces
        ]
        rows.append((index, instant.pts, str(instant.time_base), faces))
        yield frame
    write_whole(path, json.dumps(rows, separators=(",", ":")).encode())


def summed_up(notes: Sequence[Path], persons: Iterable[int], begin: Fraction) -> dict[int, FaceSummary]:
    """The notes of all chunks, in order, one summary for each person; one chunk at a time is in memory.

    Args:
        begin: seconds at which the footage begins; seconds of the summary count from it.

    Raises:
        UnreadableMedia: a note is damaged.
    """
    summaries = {person: FaceSummary() for person in persons}
    for path in notes:
        for note in _read(path):
            summaries[note.person].add(note, begin)
    return summaries


def _read(path: Path) -> Iterator[FaceNote]:
    try:
        for index, pts, time_base, faces in json.loads(path.read_bytes()):
            for person, confidence, reason, jump in faces:
                yield FaceNote(
                    index=int(index), time=int(pts) * Fraction(time_base), person=int(person),
                    confidence=float(confidence), reason=str(reason), jump=float(jump),
                )  # fmt: skip
    except (OSError, ValueError, TypeError) as error:
        raise UnreadableMedia(
            f"the notes {path.name} are damaged: {error}", advice="run it without --resume"
        ) from error


def _jump(face: PlacedFace, index: int, motions: dict[int, deque[tuple[int, F32]]]) -> float:
    """Second difference of the landmarks over three frames in a row; 0 where there are none."""
    points, past = face.points_image[:468, :2], motions[face.person]
    jump = 0.0
    if [one for one, _ in past] == [index - 2, index - 1]:
        (_, older), (_, old) = past
        jump = float(np.linalg.norm(points - 2 * old + older, axis=1).mean() / max(np.ptp(points[:, 1]), 1))
    past.append((index, points))
    return jump
