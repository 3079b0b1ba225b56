"""Find a job's watermark in the faces of a file: soft match of what the faces hold against the issued words.

The word of a job is a keyed pseudo-random function of its id, independent of any picture that does not carry it. For soft
bits v (127) of such a picture and a word c of random signs, Hoeffding's inequality gives P(c·v >= t |v|) <= exp(-t²/2),
whatever v is. Every comparison that is made is counted and multiplied in (union bound), so the false-alarm probability
of a reading is a bound, not an estimate. Scores can reach sqrt(127) = 11.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from bianlian.marking.watermark.alignment import SIDE, face_scale, image_from_canonical
from bianlian.marking.watermark.code import BAND, BITS, HOP, SLOTS, CodeBook, slot_weights
from bianlian.marking.watermark.features import face_row, levelled, mirrored, without_the_face
from bianlian.records.arrays import F32
from bianlian.records.frame import Frame

Locate = Callable[[Frame], Sequence[F32]]
"""Finds the faces of a frame: 478x3 landmarks each, in pixels."""

_RADIUS = np.hypot(BAND // 256, BAND % 256).astype(np.float32)
_EMPHASES = tuple(np.exp(-((_RADIUS / at) ** 2)).astype(np.float32) for at in (40.0, 120.0))
"""Weight of each coefficient, for copies that lost their fine detail and for those that kept it."""
_SMALL = 80.0
"""Height of a face in pixels below which the trials began to fail (docs/watermark.md)."""
_PHASES = 4
"""Beginnings tried within a hop."""
_HYPOTHESES = (2, 2, _PHASES, SLOTS, len(_EMPHASES))
"""Face left in or taken out, as seen or mirrored, phase, slot, emphasis: 256 ways to read what a thread of faces holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSettings:
    """How much of a file is read and when a match counts."""

    false_alarm: float = 1e-6
    """A match counts when its bound is at most this, for the whole file (R27)."""
    samples_per_second: float = 15.0
    """Faces are looked for in at most so many frames of each second."""
    window: int = 96
    """Sampled frames that are judged together; then once more with all that came before."""
    faces_per_frame: int = 4
    """The largest so many faces of a frame are read."""
    stop_at: float = 1e-9
    """Reading ends early when a match is as sure as this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatermarkReading:
    """What the faces of a file hold. `job_id` is empty when nothing was found, and `reason` says why."""

    job_id: str
    score: float
    """Best normalised correlation, 0..11.3, found or not."""
    false_alarm: float
    """Upper bound, 0..1, for the probability that a file without our mark scores so high in all the comparisons made."""
    frames_read: int
    faces_read: int
    largest_face_px: float
    """Height of the largest face read, pixels."""
    is_mirrored: bool
    offset_seconds: float
    """Where the file begins in the 3.2 s cycle of patterns: 0 for an untrimmed copy."""
    reason: str

    @property
    def is_found(self) -> bool:
        return bool(self.job_id)


@dataclass(slots=True)
class _Best:
    """The best of all comparisons so far, and how many there were."""

    score: float = 0.0
    job: int = 0
    hypothesis: int = 0
    trials: int = 0

    def compare(self, soft: F32, words: F32) -> None:
        """Compare soft bits (hypotheses x 127) with all words (jobs x 127)."""
        self.trials += len(soft) * len(words)
        unit = soft / np.maximum(np.linalg.norm(soft, axis=1, keepdims=True), 1e-9)
        for first in range(0, len(words), 4096):
            scores = unit @ words[first : first + 4096].T
            top = int(scores.argmax())
            if scores.flat[top] > self.score:
                self.score = float(scores.flat[top])
                self.hypothesis, job = divmod(top, scores.shape[1])
                self.job = first + job

    @property
    def false_alarm(self) -> float:
        return float(min(1.0, self.trials * np.exp(-(self.score**2) / 2)))


@dataclass(slots=True)
class _Thread:
    """One face followed through the frames of a window."""

    centre: F32
    size: float
    """Pixels for each canonical pixel."""
    rows: list[F32] = field(default_factory=list[F32])
    seconds: list[float] = field(default_factory=list[float])


class WatermarkReader:
    """Reads the marks of one installation."""

    def __init__(self, book: CodeBook, settings: ReadSettings | None = None) -> None:
        self._book = book
        self._settings = settings or ReadSettings()

    def read(self, frames: Iterable[Frame], locate: Locate, job_ids: Sequence[str]) -> WatermarkReading:
        """Look for the mark of one of the issued jobs in the faces of a file.

        Args:
            frames: the file's frames in display order; one frame for an image.
            locate: finds the faces of a frame.
            job_ids: the ids to match against, from the registry of issued outputs.
        """
        words = np.array([self._book.word(job_id) for job_id in job_ids], np.float32).reshape(-1, BITS)
        best, total = _Best(), np.zeros((int(np.prod(_HYPOTHESES)), BITS), np.float32)
        before = read = 0, 0  # frames and faces: up to the present window, and with it
        largest = 0.0
        for threads, count in self._windows(frames, locate):
            softs = [self._soft(thread) for thread in threads]
            sum_so_far = total + np.sum(softs, axis=0, dtype=np.float32)
            for soft in [*softs, sum_so_far] if len(softs) > 1 or before[1] else softs:
                best.compare(soft, words)
            largest = max([largest, *(thread.size * SIDE for thread in threads)])
            read = before[0] + count, before[1] + sum(len(thread.rows) for thread in threads)
            if best.false_alarm <= self._settings.stop_at:
                break
            if count == self._settings.window:
                total, before = sum_so_far, read
        return self._reading(best, job_ids, *read, largest)

    def _windows(self, frames: Iterable[Frame], locate: Locate) -> Iterator[tuple[list[_Thread], int]]:
        """The faces of so many sampled frames at a time, each face followed, and the number of frames they come from.

        A window is shown when it is a sixth, a third and two thirds full as well: an unharmed mark is plain by then.
        """
        due, step = -np.inf, 1 / self._settings.samples_per_second
        window = self._settings.window
        looks = {window // 6, window // 3, window * 2 // 3, window}
        threads: list[_Thread] = []
        count = 0
        for frame in frames:
            seconds = frame.instant.seconds
            if seconds < due - 1e-6:
                continue
            due = max(due + step, seconds + step / 2)
            count += 1
            self._follow(threads, frame, locate(frame))
            if count in looks:
                yield threads, count
            if count == window:
                threads, count = [], 0
        if count and count not in looks:
            yield threads, count

    def _follow(self, threads: list[_Thread], frame: Frame, faces: Sequence[F32]) -> None:
        """Add each face to the thread that was last seen where it is now, or begin one."""
        matrices = sorted((image_from_canonical(points) for points in faces), key=face_scale, reverse=True)
        for matrix in matrices[: self._settings.faces_per_frame]:
            centre, size = matrix @ np.array([SIDE / 2, SIDE / 2, 1], np.float32), face_scale(matrix)
            near = [t for t in threads if np.hypot(*(t.centre - centre)) < SIDE / 2 * max(t.size, size)]
            if near:
                thread = min(near, key=lambda t: float(np.hypot(*(t.centre - centre))))
                thread.centre, thread.size = centre, size
            else:
                thread = _Thread(centre=centre, size=size)
                threads.append(thread)
            thread.rows.append(face_row(frame, matrix))
            thread.seconds.append(frame.instant.seconds)

    def _soft(self, thread: _Thread) -> F32:
        """Soft bits of a thread under every hypothesis, 256 x 127."""
        rows, seconds = np.stack(thread.rows), np.array(thread.seconds)
        seconds = seconds - seconds[0] + seconds[0] % float(HOP * SLOTS)
        soft = np.zeros((*_HYPOTHESES, BITS), np.float32)
        views = [rows]
        if seconds[-1] - seconds[0] >= 3 * float(HOP):
            views.append(without_the_face(rows, seconds.astype(np.float32), float(HOP * SLOTS)))
        for taken_out, view in enumerate(views):
            level = levelled(view)
            for phase in range(_PHASES):
                shares = slot_weights(seconds + phase * float(HOP) / _PHASES)
                for flipped, slots in enumerate((shares.T @ level, mirrored(shares.T @ level))):
                    for slot in range(SLOTS):
                        spread = np.sum(slots * np.roll(self._book.chips, -slot, axis=0), axis=0)
                        for e, emphasis in enumerate(_EMPHASES):
                            bits = np.bincount(self._book.bit_of, spread * emphasis, BITS)
                            soft[taken_out, flipped, phase, slot, e] = bits
        return soft.reshape(-1, BITS)

    def _reading(
        self, best: _Best, job_ids: Sequence[str], frames_read: int, faces_read: int, largest: float
    ) -> WatermarkReading:
        is_found = best.trials > 0 and best.false_alarm <= self._settings.false_alarm
        _, flipped, phase, slot, _ = np.unravel_index(best.hypothesis, _HYPOTHESES)
        return WatermarkReading(
            job_id=job_ids[best.job] if is_found else "",
            score=best.score,
            false_alarm=best.false_alarm if best.trials else 1.0,
            frames_read=frames_read,
            faces_read=faces_read,
            largest_face_px=largest,
            is_mirrored=is_found and bool(flipped),
            offset_seconds=float(HOP) * (int(slot) + int(phase) / _PHASES) if is_found else 0.0,
            reason="" if is_found else self._why_not(len(job_ids), faces_read, largest),
        )

    def _why_not(self, jobs: int, faces_read: int, largest: float) -> str:
        if not jobs:
            return "no output has been issued yet, so there is nothing to compare with"
        if not faces_read:
            return "no face was found in the frames that were read"
        if largest < _SMALL:
            return f"the largest face is about {largest:.0f} px high; below {_SMALL:.0f} px the mark is often lost"
        return "the faces carry no mark of an output issued here, or it was destroyed"
