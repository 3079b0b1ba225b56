"""Expression, quality and sampled identity of faces whose landmarks are settled."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from bianlian.records.arrays import F32, U8
from bianlian.records.face import Quality
from bianlian.tracking.identity import chip
from bianlian.tracking.landmarks import LandmarkResult
from bianlian.tracking.models import FaceModels
from bianlian.tracking.observation import FrameObservation, ObservedFace, ObserveSettings, SampledIdentity
from bianlian.tracking.quality import CoverEstimate, sharpness, size_px
from bianlian.tracking.watch import Seen

DIFFERENT = 0.13
"""Rise of the covered share within 12 frames from which a face may be another one; dissolves raise it by 0.2 and more."""
UNSETTLED = 36
"""Frames over which a tracklet is then cut into three: longer than most dissolves."""


@dataclass(slots=True, eq=False)
class _Tracklet:
    name: int
    window: int
    cover: CoverEstimate
    covered: deque[float] = field(default_factory=lambda: deque[float](maxlen=UNSETTLED // 3))
    unsettled: int = 0
    """Frames for which it is in doubt whether this is still the same person."""
    seen: int = 0
    worth: float = 0.0
    best: U8 | None = None
    best_frame: int = 0
    samples: int = 0

    def is_in_doubt(self, covered: float) -> bool:
        """Whether the face has come to look so different that its identity should be taken afresh from this frame on."""
        if not self.unsettled and covered - min(self.covered, default=covered) > DIFFERENT:
            self.unsettled = UNSETTLED
        self.covered.append(covered)
        starts_anew = self.unsettled > 0 and self.unsettled % (UNSETTLED // 3) == 0
        self.unsettled = max(0, self.unsettled - 1)
        return starts_anew


class Finishing:
    """Expression, quality and identity of the faces of frames that leave the watch, in order.

    A dissolve can turn one person into another without a cut or a leap. So when a face comes to look different (be it that, or
    a hand before it), its tracklet ends and others begin, and association decides whether they are the same person.
    """

    def __init__(self, models: FaceModels, settings: ObserveSettings) -> None:
        self._models = models
        self._settings = settings
        self._tracklets: dict[int, _Tracklet] = {}
        self._names = 0

    def finish(self, seen: Seen, *, is_last: bool = False) -> FrameObservation:
        """The observation of the next frame; after the last one, samples that are still open are taken."""
        identities: list[SampledIdentity] = []
        for number in [number for number in self._tracklets if number not in seen.faces]:
            identities += self._sample(self._tracklets.pop(number), has_ended=True)
        faces: list[ObservedFace] = []
        for number, result in sorted(seen.faces.items()):
            state = self._tracklets.get(number) or self._named(CoverEstimate())
            self._tracklets[number] = state
            covered = state.cover.update(result)
            if state.is_in_doubt(covered):
                identities += self._sample(state, has_ended=True)
                fresh = self._named(state.cover)
                fresh.covered, fresh.unsettled = state.covered, state.unsettled
                state = self._tracklets[number] = fresh
            faces.append(self._face(seen, state, result, covered))
            identities += self._sample(state, has_ended=is_last)
        return FrameObservation(
            index=seen.frame.index,
            instant=seen.frame.instant,
            is_cut=seen.is_cut,
            faces=tuple(faces),
            identities=tuple(identities),
        )

    def _named(self, cover: CoverEstimate) -> _Tracklet:
        self._names += 1
        return _Tracklet(name=self._names, window=self._settings.first_window, cover=cover)

    def _face(self, seen: Seen, state: _Tracklet, result: LandmarkResult, covered: float) -> ObservedFace:
        points = result.points_image
        quality = Quality(
            size_px=size_px(points), sharpness=sharpness(result), presence=result.presence, covered=covered
        )
        state.seen += 1
        worth = self._worth(points, quality)
        if worth > state.worth:
            state.worth, state.best, state.best_frame = worth, chip(seen.picture, points), seen.frame.index
        return ObservedFace(
            tracklet=state.name,
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

    def _sample(self, state: _Tracklet, *, has_ended: bool) -> list[SampledIdentity]:
        is_due = state.seen >= state.window or (has_ended and (state.samples == 0 or state.seen * 2 > state.window))
        if not is_due or state.best is None:
            return []
        sampled = SampledIdentity(
            tracklet=state.name,
            frame=state.best_frame,
            embedding=self._models.identity.embed_chip(state.best),
            worth=state.worth,
        )
        state.window = min(state.window * 2, self._settings.last_window)
        state.seen, state.worth, state.best = 0, 0.0, None
        state.samples += 1
        return [sampled]
