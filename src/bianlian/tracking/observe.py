"""Every face of every frame: landmarks followed from frame to frame, detection in between, a fresh start at each cut.

Landmarks are cheap to follow and the detector is dear on large frames, so each frame gets only a share of the views that
cover it; within `look_back` frames all have had their turn. A face that is found late is followed backwards through the
frames that are still held, to where it came in. So nobody is missed for the first second, at the price of a short delay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from bianlian.records.arrays import F32, U8
from bianlian.records.face import Box, Quality
from bianlian.records.frame import Frame
from bianlian.records.time import Instant
from bianlian.tracking.cuts import shots
from bianlian.tracking.detect import Detection, View, views, whole_view
from bianlian.tracking.identity import chip
from bianlian.tracking.landmarks import (
    FaceLandmarker,
    LandmarkResult,
    region_of_detection,
    region_of_landmarks,
)
from bianlian.tracking.models import FaceModels
from bianlian.tracking.quality import CoverEstimate, sharpness, size_px
from bianlian.tracking.sampling import FrameSampler

LEAST_PRESENCE = 0.5
"""face_landmarks_detector_graph.cc, min_detection_confidence."""
SAME_FACE = 0.4
"""Overlap of landmark boxes above which two faces in one frame are one."""
LEAP = 0.2
"""Overlap of a face's boxes in two frames below which it is not the same face."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveSettings:
    """How hard to look."""

    smallest_px: float = 40.0
    """Height of the smallest face to find."""
    look_back: int = 24
    """Frames held, in which every view gets its turn and through which a new face is followed backwards."""
    whole_every: int = 8
    """The whole frame is looked at this often, in frames."""
    first_window: int = 12
    """Frames from which the first identity embedding of a tracklet is chosen; the windows then double."""
    last_window: int = 192
    """Longest window between two embeddings, in frames."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ObservedFace:
    """A face in one frame, not yet somebody."""

    tracklet: int
    points_image: F32
    """478x3, not smoothed."""
    expression: F32
    """52."""
    quality: Quality


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledIdentity:
    """An embedding of a tracklet's face, taken in one of its frames."""

    tracklet: int
    frame: int
    embedding: F32
    """128."""
    worth: float
    """0..1: size, frontality, sharpness and openness of the face it was taken from."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameObservation:
    """What was seen in one frame."""

    index: int
    instant: Instant
    is_cut: bool
    faces: tuple[ObservedFace, ...]
    identities: tuple[SampledIdentity, ...]
    """Embeddings that became known with this frame; they may be of earlier ones."""


def observe(frames: Iterable[Frame], models: FaceModels, settings: ObserveSettings) -> Iterator[FrameObservation]:
    """Observe frames in order. All state is local, so a run may start at any frame; it lags by `look_back` + 3 frames."""
    watch = _Watch(models.landmarker, settings)
    finishing = _Finishing(models, settings)
    for frame, is_cut in shots(frames):
        yield from map(finishing.finish, watch.see(frame, is_cut))
    held = list(watch.held)
    for number, seen in enumerate(held):
        yield finishing.finish(seen, is_last=number == len(held) - 1)


def box_of(points_image: F32) -> Box:
    """Bounding box of landmarks."""
    low, high = points_image[:, :2].min(axis=0).tolist(), points_image[:, :2].max(axis=0).tolist()
    return Box(left=low[0], top=low[1], right=high[0] + 1, bottom=high[1] + 1)


@dataclass(slots=True, eq=False)
class _Seen:
    frame: Frame
    picture: FrameSampler
    is_cut: bool
    faces: dict[int, LandmarkResult] = field(default_factory=dict[int, LandmarkResult])


class _Watch:
    """Finds and follows landmarks; holds the last frames."""

    def __init__(self, landmarker: FaceLandmarker, settings: ObserveSettings) -> None:
        self._landmarker = landmarker
        self._settings = settings
        self.held: deque[_Seen] = deque()
        self._next_tracklet = 0
        self._debt = 0.0
        self._turn = 0

    def see(self, frame: Frame, is_cut: bool) -> Iterator[_Seen]:
        seen = _Seen(frame=frame, picture=FrameSampler(frame), is_cut=is_cut)
        before = self.held[-1] if self.held and not is_cut else None
        lost = self._follow(before, seen) if before else []
        for detection in self._landmarker.detector.look(seen.picture, self._views(seen, lost, before)):
            self._begin(detection, seen)
        self.held.append(seen)
        if len(self.held) > self._settings.look_back:
            yield self.held.popleft()

    def _follow(self, before: _Seen, seen: _Seen) -> list[Box]:
        """Carry the faces of the frame before over to this one; returns where faces were lost."""
        lost: list[Box] = []
        carried: dict[int, tuple[float, LandmarkResult]] = {}
        for tracklet, known in before.faces.items():
            result = self._landmarks(seen, known)
            box = box_of(known.points_image)
            stayed = box.overlap(box_of(result.points_image))
            if result.presence < LEAST_PRESENCE:
                lost.append(box)
            else:
                # A leap is another face that the region happened to catch.
                carried[tracklet if stayed >= LEAP else self._new_tracklet()] = (stayed, result)
        for tracklet, (_, result) in sorted(carried.items(), key=lambda item: -item[1][0]):
            rival = _same_face(result, seen.faces)
            if rival is None:
                seen.faces[tracklet] = result
            else:
                # Two have become one: one hides the other, and only identity can tell which is left.
                lost.append(
                    box_of(before.faces[tracklet].points_image if tracklet in before.faces else result.points_image)
                )
                seen.faces[self._new_tracklet()] = seen.faces.pop(rival)
        return lost

    def _views(self, seen: _Seen, lost: list[Box], before: _Seen | None) -> list[View]:
        """This frame's share of the views; all of them at the start of a shot."""
        size = seen.picture.size
        whole, *tiles = views(size, self._settings.smallest_px)
        if before is None:
            return [whole, *tiles]
        chosen = [_around(box) for box in lost]
        self._turn += 1
        if self._turn % self._settings.whole_every == 0 or not seen.faces:
            chosen.append(whole_view(size))
        self._debt += len(tiles) / self._settings.look_back
        due, self._debt = int(self._debt), self._debt % 1
        chosen += [tiles[(self._turn * due + i) % len(tiles)] for i in range(due)]
        return chosen

    def _begin(self, detection: Detection, seen: _Seen) -> None:
        """Start a tracklet at a detection that is nobody known, and follow it back to where it came in."""
        box = detection.box
        for known in seen.faces.values():
            other = box_of(known.points_image)
            if box.overlap(other) > LEAP or _holds(other, box):
                return
        first = self._landmarker.landmarks_of(seen.picture, region_of_detection(detection))
        if first.presence < LEAST_PRESENCE:
            return
        result = self._landmarks(seen, first)
        if result.presence < LEAST_PRESENCE or _same_face(result, seen.faces) is not None:
            return
        tracklet = self._new_tracklet()
        seen.faces[tracklet] = result
        is_start = seen.is_cut
        for earlier in reversed(self.held):
            if is_start:
                break
            leap_from = box_of(result.points_image)
            result = self._landmarks(earlier, result)
            if (
                result.presence < LEAST_PRESENCE
                or _same_face(result, earlier.faces) is not None
                or leap_from.overlap(box_of(result.points_image)) < LEAP
            ):
                break
            earlier.faces[tracklet] = result
            is_start = earlier.is_cut

    def _landmarks(self, seen: _Seen, near: LandmarkResult) -> LandmarkResult:
        return self._landmarker.landmarks_of(seen.picture, region_of_landmarks(near.points_image))

    def _new_tracklet(self) -> int:
        self._next_tracklet += 1
        return self._next_tracklet


def _around(box: Box) -> View:
    square = 3 * max(box.width, box.height)
    return View(left=(box.left + box.right - square) / 2, top=(box.top + box.bottom - square) / 2, square=square)


def _holds(outer: Box, inner: Box) -> bool:
    x, y = (inner.left + inner.right) / 2, (inner.top + inner.bottom) / 2
    return outer.left < x < outer.right and outer.top < y < outer.bottom


def _same_face(result: LandmarkResult, faces: Mapping[int, LandmarkResult]) -> int | None:
    """The tracklet among `faces` that stands in the same place, if any."""
    box = box_of(result.points_image)
    overlaps = {tracklet: box.overlap(box_of(other.points_image)) for tracklet, other in faces.items()}
    nearest = max(overlaps, key=lambda tracklet: overlaps[tracklet], default=None)
    return nearest if nearest is not None and overlaps[nearest] > SAME_FACE else None


@dataclass(slots=True, eq=False)
class _Tracklet:
    cover: CoverEstimate
    window: int
    seen: int = 0
    worth: float = 0.0
    best: U8 | None = None
    best_frame: int = 0
    samples: int = 0


class _Finishing:
    """Expression, quality and identity of the faces of frames that leave the watch, in order."""

    def __init__(self, models: FaceModels, settings: ObserveSettings) -> None:
        self._models = models
        self._settings = settings
        self._tracklets: dict[int, _Tracklet] = {}

    def finish(self, seen: _Seen, is_last: bool = False) -> FrameObservation:
        identities: list[SampledIdentity] = []
        for tracklet in [number for number in self._tracklets if number not in seen.faces]:
            identities += self._sample(tracklet, self._tracklets.pop(tracklet), has_ended=True)
        faces = tuple(self._face(seen, number, result) for number, result in sorted(seen.faces.items()))
        for tracklet in seen.faces:
            identities += self._sample(tracklet, self._tracklets[tracklet], has_ended=is_last)
        return FrameObservation(
            index=seen.frame.index,
            instant=seen.frame.instant,
            is_cut=seen.is_cut,
            faces=faces,
            identities=tuple(identities),
        )

    def _face(self, seen: _Seen, number: int, result: LandmarkResult) -> ObservedFace:
        state = self._tracklets.setdefault(number, _Tracklet(cover=CoverEstimate(), window=self._settings.first_window))
        points = result.points_image
        quality = Quality(
            size_px=size_px(points),
            sharpness=sharpness(result),
            presence=result.presence,
            covered=state.cover.update(result),
        )
        state.seen += 1
        worth = self._worth(points, quality)
        if worth > state.worth:
            state.worth, state.best, state.best_frame = worth, chip(seen.picture, points), seen.frame.index
        return ObservedFace(
            tracklet=number,
            points_image=points,
            expression=self._models.expression.coefficients(points),
            quality=quality,
        )

    def _worth(self, points: F32, quality: Quality) -> float:
        """How much an embedding of this face would say: large, frontal, sharp, open. Never 0 for a face that is there."""
        pose = self._models.pose.pose(points)
        frontal = np.cos(pose.yaw) * np.cos(pose.pitch)
        size = min(1.0, quality.size_px / 120)
        return max(
            1e-3, float(size * max(frontal, 0.05) ** 2 * (0.3 + quality.sharpness) * (1 - quality.covered) / 1.3)
        )

    def _sample(self, number: int, state: _Tracklet, *, has_ended: bool) -> list[SampledIdentity]:
        is_due = state.seen >= state.window or (has_ended and (state.samples == 0 or state.seen * 2 > state.window))
        if not is_due or state.best is None:
            return []
        sampled = SampledIdentity(
            tracklet=number,
            frame=state.best_frame,
            embedding=self._models.identity.embed_chip(state.best),
            worth=state.worth,
        )
        state.window = min(state.window * 2, self._settings.last_window)
        state.seen, state.worth, state.best = 0, 0.0, None
        state.samples += 1
        return [sampled]
