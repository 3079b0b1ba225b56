"""Follows landmarks from frame to frame, and begins with those whom the scout has sighted.

A face that is found late is followed backwards through the frames that are still held, to where it came in. So nobody is missed
for the first second, at the price of a short delay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from bianlian.records.face import Box
from bianlian.tracking.detect import Detection, View, suppressed, whole_view
from bianlian.tracking.landmarks import (
    FaceLandmarker,
    LandmarkResult,
    region_of_detection,
    region_of_landmarks,
)
from bianlian.tracking.observation import ObserveSettings, box_of
from bianlian.tracking.scout import Seen

LEAST_PRESENCE = 0.5
"""face_landmarks_detector_graph.cc, min_detection_confidence."""
SAME_FACE = 0.4
"""Overlap of landmark boxes above which two faces in one frame are one."""
LEAP = 0.2
"""Overlap of a face's boxes in two frames below which it is not the same face."""


class Watch:
    """Finds and follows landmarks; holds the last frames."""

    def __init__(self, landmarker: FaceLandmarker, settings: ObserveSettings) -> None:
        self._landmarker = landmarker
        self._settings = settings
        self.held: deque[Seen] = deque()
        self._next_tracklet = 0

    def see(self, seen: Seen) -> Iterator[Seen]:
        """Take the next frame; gives the one that leaves, if any."""
        before = self.held[-1] if self.held and not seen.is_cut else None
        lost = self._follow(before, seen) if before else []
        missed = self._landmarker.detector.sightings(seen.picture, _views(seen, lost))
        for detection in suppressed([*missed, *seen.sighted]):
            self._begin(detection, seen)
        self.held.append(seen)
        if len(self.held) > self._settings.look_back:
            yield self.held.popleft()

    def _follow(self, before: Seen, seen: Seen) -> list[Box]:
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

    def _begin(self, detection: Detection, seen: Seen) -> None:
        """Start a tracklet at a detection that is nobody known, and follow it back to where it came in."""
        box = detection.box
        for known in seen.faces.values():
            other = box_of(known.points_image)
            if box.overlap(other) > LEAP or _holds(other, box):
                return
        righted = self._landmarker.detector.righted(seen.picture, detection)
        first = self._landmarker.landmarks_of(seen.picture, region_of_detection(righted))
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

    def _landmarks(self, seen: Seen, near: LandmarkResult) -> LandmarkResult:
        return self._landmarker.landmarks_of(seen.picture, region_of_landmarks(near.points_image))

    def _new_tracklet(self) -> int:
        self._next_tracklet += 1
        return self._next_tracklet


def _views(seen: Seen, lost: list[Box]) -> list[View]:
    """Where to look besides the scout's views: where a face was lost, and everywhere when there is none."""
    chosen = [_around(box) for box in lost]
    return chosen if seen.faces or seen.is_whole else [*chosen, whole_view(seen.picture.size)]


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
