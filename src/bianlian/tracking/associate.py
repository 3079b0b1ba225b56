"""From tracklets to persons: who is who across gaps and cuts, and what was never a face.

A tracklet has no gaps, so two that share a frame are two people: that can never be joined. Otherwise, first what plainly
continues (same place, a few frames later, no cut between), then what looks alike (distance of mean identity embeddings).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from bianlian.records.arrays import F32
from bianlian.records.face import Box
from bianlian.records.time import Instant
from bianlian.tracking.observe import FrameObservation, SampledIdentity, box_of

ALIKE = 0.5
"""Distance of mean embeddings below which two tracklets are one person. Means are steadier than single embeddings, for
which the network was trained to 0.6; measured between different people >= 0.51 on real clips (docs/tracking.md)."""
UNLIKE = 0.7
"""Distance above which place and time do not make two tracklets one person."""
SHORT_GAP = 12
"""Frames within which a face that comes back in the same place is the same."""
LEAST_SECONDS = 0.3
LEAST_MEAN_PRESENCE = 0.6


@dataclass(slots=True, kw_only=True, eq=False)
class Tracklet:
    """One unbroken run of a face, summed up as it passes."""

    number: int
    first: int
    first_instant: Instant
    first_box: Box
    last: int
    last_instant: Instant
    last_box: Box
    frames: int = 0
    presence_sum: float = 0.0
    best_worth: float = -1.0
    best_frame: int = 0
    identities: list[SampledIdentity] = field(default_factory=list[SampledIdentity])

    @property
    def embedding(self) -> F32 | None:
        """Mean of the embeddings, weighted by their worth; None when the face was never seen well enough."""
        if not self.identities:
            return None
        weights = np.array([sample.worth for sample in self.identities])
        return np.average([sample.embedding for sample in self.identities], axis=0, weights=weights).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A tracklet that is nobody, and why."""

    tracklet: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """Tracklets by person; persons in order of first appearance, left to right within a frame."""

    persons: tuple[tuple[Tracklet, ...], ...]
    dropped: tuple[Dropped, ...]


class TrackletLog:
    """Sums observations up into tracklets; memory grows with the number of tracklets, not of frames."""

    def __init__(self) -> None:
        self.tracklets: dict[int, Tracklet] = {}
        self.cuts: list[int] = []
        self.frames = 0

    def add(self, observation: FrameObservation) -> None:
        """Take one frame's observation, in order."""
        self.frames = max(self.frames, observation.index + 1)
        if observation.is_cut:
            self.cuts.append(observation.index)
        for face in observation.faces:
            box = box_of(face.points_image)
            tracklet = self.tracklets.get(face.tracklet)
            if tracklet is None:
                tracklet = self.tracklets[face.tracklet] = Tracklet(
                    number=face.tracklet,
                    first=observation.index, first_instant=observation.instant, first_box=box,
                    last=observation.index, last_instant=observation.instant, last_box=box,
                )  # fmt: skip
            tracklet.last, tracklet.last_instant, tracklet.last_box = observation.index, observation.instant, box
            tracklet.frames += 1
            tracklet.presence_sum += face.quality.presence
        for sample in observation.identities:
            tracklet = self.tracklets[sample.tracklet]
            tracklet.identities.append(sample)
            if sample.worth > tracklet.best_worth:
                tracklet.best_worth, tracklet.best_frame = sample.worth, sample.frame


def associate(log: TrackletLog) -> Association:
    """Join tracklets into persons."""
    groups: list[list[Tracklet]] = [
        [tracklet] for tracklet in sorted(log.tracklets.values(), key=lambda tracklet: tracklet.first)
    ]
    groups = _joined_by_place(groups, log.cuts)
    groups = _joined_by_likeness(groups)
    dropped: list[Dropped] = []
    kept: list[list[Tracklet]] = []
    for group in groups:
        reason = _why_not_a_person(group, log)
        if reason:
            dropped += [Dropped(tracklet=tracklet.number, reason=reason) for tracklet in group]
        else:
            kept.append(sorted(group, key=lambda tracklet: tracklet.first))
    kept.sort(key=lambda group: (group[0].first, group[0].first_box.left))
    return Association(persons=tuple(map(tuple, kept)), dropped=tuple(dropped))


def _joined_by_place(groups: list[list[Tracklet]], cuts: list[int]) -> list[list[Tracklet]]:
    """Join what continues in the same place after a few frames of absence."""
    joined: list[list[Tracklet]] = []
    for group in groups:
        start = group[0]
        candidates = [
            other
            for other in joined
            if 0 < start.first - other[-1].last <= SHORT_GAP
            and not any(other[-1].last < cut <= start.first for cut in cuts)
            and start.first_box.overlap(other[-1].last_box) > 0.3
            and not _share_a_frame(other, group)
            and _distance(other, group, unknown=0.0) < UNLIKE
        ]
        if candidates:
            max(candidates, key=lambda other: start.first_box.overlap(other[-1].last_box)).extend(group)
        else:
            joined.append(group)
    return joined


def _joined_by_likeness(groups: list[list[Tracklet]]) -> list[list[Tracklet]]:
    """Agglomerate: join the most alike pair that may be joined, until none is alike enough."""
    groups = list(groups)
    means = [_mean(group) for group in groups]
    distances = np.full((len(groups), len(groups)), np.inf)
    for i in range(len(groups)):
        for j in range(i):
            distances[i, j] = distances[j, i] = _apart(groups[i], groups[j], means[i], means[j])
    alive = set(range(len(groups)))
    while len(alive) > 1:
        i, j = (int(k) for k in np.unravel_index(np.argmin(distances), distances.shape))
        if not distances[i, j] < ALIKE:
            break
        groups[i] = groups[i] + groups[j]
        means[i] = _mean(groups[i])
        alive.discard(j)
        distances[j, :] = distances[:, j] = np.inf
        for k in alive - {i}:
            distances[i, k] = distances[k, i] = _apart(groups[i], groups[k], means[i], means[k])
    return [groups[i] for i in sorted(alive)]


def _why_not_a_person(group: Iterable[Tracklet], log: TrackletLog) -> str:
    group = list(group)
    frames = sum(tracklet.frames for tracklet in group)
    presence = sum(tracklet.presence_sum for tracklet in group) / frames
    if presence < LEAST_MEAN_PRESENCE:
        return f"hardly a face (mean presence {presence:.2f})"
    seconds = sum(float(tracklet.last_instant.exact - tracklet.first_instant.exact) for tracklet in group)
    shot_ends = {*log.cuts, log.frames}
    whole_shot = any(
        (tracklet.first == 0 or tracklet.first in log.cuts) and tracklet.last + 1 in shot_ends for tracklet in group
    )
    if seconds < LEAST_SECONDS and not whole_shot:
        return f"seen for {seconds:.2f} s only, and like nobody else"
    return ""


def _mean(group: list[Tracklet]) -> F32 | None:
    samples = [sample for tracklet in group for sample in tracklet.identities]
    if not samples:
        return None
    return np.average([s.embedding for s in samples], axis=0, weights=[s.worth for s in samples]).astype(np.float32)


def _apart(one: list[Tracklet], other: list[Tracklet], mean: F32 | None, other_mean: F32 | None) -> float:
    if mean is None or other_mean is None or _share_a_frame(one, other):
        return float("inf")
    return float(np.linalg.norm(mean - other_mean))


def _distance(one: list[Tracklet], other: list[Tracklet], *, unknown: float) -> float:
    mean, other_mean = _mean(one), _mean(other)
    return unknown if mean is None or other_mean is None else float(np.linalg.norm(mean - other_mean))


def _share_a_frame(one: list[Tracklet], other: list[Tracklet]) -> bool:
    return any(a.first <= b.last and b.first <= a.last for a in one for b in other)
