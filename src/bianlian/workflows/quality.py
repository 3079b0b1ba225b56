"""Measures of a finished result against its footage, before it is released: identity, calm, timing, streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from bianlian.imaging.colour import PixelBox, small_rgb_from_frame
from bianlian.media.decode import frames
from bianlian.media.probe import describe
from bianlian.media.stamps import Stamps, stamps_of
from bianlian.records.arrays import F32, U8, frozen
from bianlian.records.face import Box, TrackedFace
from bianlian.records.frame import Frame, SourceInfo
from bianlian.records.time import Instant
from bianlian.records.track import Person
from bianlian.tracking.identity import IdentityModel, chip
from bianlian.tracking.landmarks import FaceLandmarker, region_of_landmarks
from bianlian.tracking.sampling import FrameSampler
from bianlian.tracking.store import TrackReader

RUNS = 4
"""Places in a clip that are looked at."""
RUN_FRAMES = 5
"""Frames in a row at each place: three second differences."""
_INNER = 0.7
"""Share of the face's box in which calm is measured: without hair and background."""
_STILL_WIDTH = 360
"""Pixels: width of the pictures kept for the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """Distances of one face of the result (dlib; below 0.6 is the same person)."""

    frame: int
    seconds: float
    to_donor: float
    """To the template that the donor enrolled with."""
    to_performer: float
    """To the performer's own mean embedding in the footage; negative where the face was too small to have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calm:
    """How restless the face is from frame to frame: mean absolute second difference of luma, levels of 255."""

    result: float
    footage: float
    frames: int
    """Second differences that were looked at; 0 where no five frames in a row show the face."""

    @property
    def ratio(self) -> float:
        """Result over footage: 1 is as calm as the footage itself."""
        return self.result / max(self.footage, 1e-6)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """A frame before and after, small."""

    frame: int
    seconds: float
    before: U8
    after: U8
    """HxWx3 of the marked result, whole, so that its label is in it."""

    def __post_init__(self) -> None:
        for name in ("before", "after"):
            object.__setattr__(self, name, frozen(getattr(self, name), name, (None, None, 3), np.uint8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Whether the result shows each picture when the footage does."""

    frames_footage: int
    frames_result: int
    largest_shift: Fraction
    """Seconds between a stamp of the result and the footage's."""
    end_footage: Fraction
    end_result: Fraction
    """Seconds at which the containers say that the video ends; 0 where one does not say."""

    @property
    def is_exact(self) -> bool:
        return self.frames_footage == self.frames_result and not self.largest_shift


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measures:
    """What was measured on the finished file."""

    likeness: Mapping[int, tuple[Likeness, ...]]
    """By person."""
    calm: Mapping[int, Calm]
    timing: Timing
    pairs: tuple[Pair, ...]
    result: SourceInfo
    """The finished file, under its working name."""


def measured(
    source: SourceInfo,
    track: Path,
    finished: Path,
    templates: Mapping[int, F32],
    landmarker: FaceLandmarker,
    identity: IdentityModel,
) -> Measures:
    """Measure a finished result in a few places; the cost does not grow with its length, save for reading its packets.

    Args:
        track: folder of the footage's track.
        templates: for each person who is cast, the donor's 128-D template.
        landmarker: not in use by another thread.

    Raises:
        MediaError: one of the files cannot be read.
    """
    reader, result = TrackReader(track), describe(finished)
    ours, theirs = _stamps(source), _stamps(result)
    looks = {person: _Look() for person in templates}
    persons = {person.number: person for person in reader.info.persons}
    pairs: list[Pair] = []
    clips = _Clip(source, ours), _Clip(result, theirs)
    for first, before, after in _runs(reader, _places(reader, ours, tuple(templates)), clips):
        faces = list(reader.faces(first, first + len(before)))
        middle = len(before) // 2
        pairs.append(pair_of(before[middle], after[middle]))
        for person, template in templates.items():
            seen = [next((one for one in found if one.person == person), None) for found in faces]
            looks[person].take(before, after, seen)
            face = seen[middle]
            if face is not None:
                looks[person].likeness.append(
                    _likeness(after[middle], face, template, persons[person], landmarker, identity)
                )
    return Measures(
        likeness={person: tuple(look.likeness) for person, look in looks.items()},
        calm={person: look.calm for person, look in looks.items()},
        timing=_timing(reader, ours, theirs),
        pairs=tuple(pairs),
        result=result,
    )


def pairs_at(source: SourceInfo, track: Path, finished: Path, indices: Sequence[int]) -> tuple[Pair, ...]:
    """Frames of footage and result side by side, in the order asked."""
    reader, result = TrackReader(track), describe(finished)
    clips = _Clip(source, _stamps(source)), _Clip(result, _stamps(result))
    found: list[Pair] = []
    for index in indices:
        instants = list(reader.instants(index, index + 1))
        found.append(pair_of(*(clip.run(instants, index)[0] for clip in clips)))
    return tuple(found)


def pair_of(before: Frame, after: Frame) -> Pair:
    """Two frames of one moment, small."""
    return Pair(
        frame=before.index, seconds=before.instant.seconds, before=_small(before, _STILL_WIDTH),
        after=_small(after, _STILL_WIDTH),
    )  # fmt: skip


@dataclass(slots=True)
class _Look:
    """What was seen of one person so far."""

    likeness: list[Likeness] = field(default_factory=list[Likeness])
    totals: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def take(self, before: Sequence[Frame], after: Sequence[Frame], seen: Sequence[TrackedFace | None]) -> None:
        """Second differences of a run, where the face is in all of its frames."""
        boxes = [one.face.box for one in seen if one is not None]
        if len(boxes) < len(seen):
            return
        box = _inner(boxes, before[0])
        if min(box.size) < 8:
            return
        runs = [
            np.stack([frame.planes[0][box.slices].astype(np.float32) for frame in run]) * 2.0 ** (8 - run[0].bit_depth)
            for run in (before, after)
        ]
        footage, result = (np.abs(np.diff(run, n=2, axis=0)).mean(axis=(1, 2)) for run in runs)
        self.totals += zip(result.tolist(), footage.tolist(), strict=True)

    @property
    def calm(self) -> Calm:
        result, footage = np.mean(self.totals or [(0.0, 0.0)], axis=0)
        return Calm(result=float(result), footage=float(footage), frames=len(self.totals))


def _inner(boxes: Sequence[Box], frame: Frame) -> PixelBox:
    """The middle of a face that may move a little."""
    left, top, right, bottom = np.mean([(box.left, box.top, box.right, box.bottom) for box in boxes], axis=0)
    across, down = (right - left) * (1 - _INNER) / 2, (bottom - top) * (1 - _INNER) / 2
    return PixelBox(
        left=int(left + across), top=int(top + down), right=int(right - across), bottom=int(bottom - down)
    ).clipped(frame.size)


def _likeness(
    frame: Frame,
    tracked: TrackedFace,
    template: F32,
    person: Person,
    landmarker: FaceLandmarker,
    identity: IdentityModel,
) -> Likeness:
    picture = FrameSampler(frame)
    points = landmarker.landmarks_of(picture, region_of_landmarks(tracked.face.points_image)).points_image
    embedding = identity.embed_chip(chip(picture, points))
    own = float(np.linalg.norm(embedding - person.embedding)) if len(person.embeddings) else -1.0
    return Likeness(
        frame=frame.index, seconds=frame.instant.seconds, to_donor=float(np.linalg.norm(embedding - template)),
        to_performer=own,
    )  # fmt: skip


def _places(reader: TrackReader, stamps: Stamps, persons: tuple[int, ...]) -> list[int]:
    """First frames of the runs: spread over the clip, at a key frame where one is near, with somebody cast in them."""
    total = reader.info.frame_count
    pts = np.array([instant.pts for instant in reader.instants(0, total)], np.int64)
    keys = np.searchsorted(pts, stamps.keys) if len(stamps.keys) else np.zeros(1, np.int64)
    reach, places = total / (2 * RUNS), list[int]()
    for number in range(min(RUNS, total)):
        wanted = int((number + 0.5) * total / RUNS)
        key = int(keys[np.argmin(np.abs(keys - wanted))])
        for begin in (key if abs(key - wanted) < reach else wanted, wanted):
            place = max(0, min(begin, total - RUN_FRAMES))
            (found,) = reader.faces(place, place + 1)
            if any(face.person in persons for face in found) and place not in places:
                places.append(place)
                break
    return places or _best_frames(reader, persons)


def _best_frames(reader: TrackReader, persons: tuple[int, ...]) -> list[int]:
    return sorted({person.best_frame for person in reader.info.persons if person.number in persons})


class _Clip:
    """Runs of frames of one clip; from place to place it decodes on where seeking would begin no later."""

    def __init__(self, clip: SourceInfo, stamps: Stamps) -> None:
        self._clip, self._keys = clip, stamps.keys
        self._decoded: Iterator[Frame] = iter(())
        self._next = 0
        self._after = -1  # ticks

    def run(self, instants: Sequence[Instant], first: int) -> list[Frame]:
        """Frames from `first` on, one for each instant."""
        start = Instant(pts=round(instants[0].exact / self._clip.time_base), time_base=self._clip.time_base)
        between = (self._keys > self._after) & (self._keys <= start.pts)
        if first < self._next or self._after < 0 or between.any():
            self._decoded, self._next = frames(self._clip, start=start, start_index=first), first
        run = list(islice(self._decoded, first - self._next, first - self._next + len(instants)))
        self._next, self._after = first + len(run), run[-1].instant.pts
        return run


def _runs(
    reader: TrackReader, places: Sequence[int], clips: tuple[_Clip, _Clip]
) -> Iterator[tuple[int, list[Frame], list[Frame]]]:
    """Each place with the frames there of both clips."""
    for first in places:
        instants = list(reader.instants(first, min(first + RUN_FRAMES, reader.info.frame_count)))
        before, after = (clip.run(instants, first) for clip in clips)
        yield first, before, after


def _stamps(clip: SourceInfo) -> Stamps:
    if clip.is_image:
        one = np.zeros(1, np.int64)
        return Stamps(time_base=clip.time_base, pts=one, keys=one, end=Fraction(0))
    return stamps_of(clip.path)


def _timing(reader: TrackReader, footage: Stamps, result: Stamps) -> Timing:
    """Compares with the stamps that decoding the footage gave, which are the truth."""
    total = reader.info.frame_count
    shifts = (
        abs(instant.exact - pts * result.time_base)
        for instant, pts in zip(reader.instants(0, total), result.pts.tolist(), strict=False)
    )
    return Timing(
        frames_footage=total, frames_result=len(result.pts), largest_shift=max(shifts, default=Fraction(0)),
        end_footage=footage.end, end_result=result.end,
    )  # fmt: skip


def _small(frame: Frame, width: int) -> U8:
    height, across = frame.size
    return small_rgb_from_frame(frame, max(width, width * height // across))
