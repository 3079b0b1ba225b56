"""Looks for faces that come in, without knowing who is there already: so it can run ahead of following them.

Landmarks are cheap to follow and the detector is dear on large frames, so each frame gets only a share of the views that
cover it; within `look_back` frames all have had their turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bianlian.records.frame import Frame
from bianlian.tracking.detect import Detection, FaceDetector, View, views
from bianlian.tracking.landmarks import LandmarkResult
from bianlian.tracking.observation import ObserveSettings
from bianlian.tracking.sampling import FrameSampler


@dataclass(slots=True, eq=False)
class Seen:
    """A frame on its way through tracking."""

    frame: Frame
    picture: FrameSampler
    is_cut: bool
    sighted: Sequence[Detection]
    """What the detector saw in this frame's share of the views; one face may be in it several times."""
    is_whole: bool
    """Whether the whole picture was among these views."""
    faces: dict[int, LandmarkResult] = field(default_factory=dict[int, LandmarkResult])
    """Raw landmarks by tracklet."""


class Scout:
    """Takes frames in order."""

    def __init__(self, detector: FaceDetector, settings: ObserveSettings) -> None:
        self._detector = detector
        self._settings = settings
        self._is_first = True
        self._debt = 0.0
        self._turn = 0

    def look(self, frame: Frame, is_cut: bool) -> Seen:
        """Look at the next frame."""
        picture = FrameSampler(frame)
        whole, *tiles = views(picture.size, self._settings.smallest_px)
        if is_cut or self._is_first:
            is_whole, due = True, tiles
        else:
            is_whole, due = self._share(tiles)
        self._is_first = False
        sighted = self._detector.sightings(picture, [whole, *due] if is_whole else due)
        return Seen(frame=frame, picture=picture, is_cut=is_cut, sighted=sighted, is_whole=is_whole)

    def _share(self, tiles: Sequence[View]) -> tuple[bool, list[View]]:
        """This frame's share of the views: whether of the whole picture, and the tiles that are due."""
        self._turn += 1
        self._debt += len(tiles) / self._settings.look_back
        count, self._debt = int(self._debt), self._debt % 1
        due = [tiles[(self._turn * count + number) % len(tiles)] for number in range(count)]
        return self._turn % self._settings.whole_every == 0, due
