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
from bianlian.tracking.observation import FrameObservation, SampledIdentity, box_of

ALIKE = 0.45
"""Distance of mean embeddings below which two tracklets are one person. Means are steadier than single embeddings, for
which the network was trained to 0.6. Measured: the same person in other clips 0.03 to 0.40, different persons 0.46 and more
(docs/tracking.md). To take two persons for one is the worse mistake: the wrong face would be replaced."""
UNLIKE = 0.6
"""Distance above which going on in the same place does not make two tracklets one person. One sample of a person was at
most 0.52 from the mean of the others (a hand before the mouth)."""
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
    """Join what continues in the same place after a few frames of absence; identity, where known, chooses between two."""
    joined: list[list[Tracklet]] = []
    for group in groups:
        start = group[0]
        candidates = [
            (_distance(other, group, unknown=ALIKE), -start.first_box.overlap(other[-1].last_box), number)
            for number, other in enumerate(joined)
            if 0 < start.first - other[-1].last <= SHORT_GAP
            and not any(other[-1].last < cut <= start.first for cut in cuts)
            and start.first_box.overlap(other[-1].last_box) > 0.3
        ]
        best = min(candidates, default=None)
        if best is not None and best[0] < UNLIKE:
            joined[best[2]].extend(group)
        else:
            joined.append(group)
    return joined


def _joined_by_likeness(groups: list[list[Tracklet]]) -> list[list[Tracklet]]:
    """Agglomerate: join the most alike pair that may be joined, until none is alike enough."""
    known = [group for group in groups if _mean(group) is not None]
    if len(known) < 2:
        return groups
    weights = np.array([sum(_weight(tracklet) for tracklet in group if tracklet.identities) for group in known])
    means = np.array([mean for group in known if (mean := _mean(group)) is not None])
    apart = np.array([[_share_a_frame(one, other) for other in known] for one in known])
    # Row by row: all differences at once would take the square of the tracklets in memory, 128 times.
    distances = np.where(apart, np.inf, [np.linalg.norm(means - mean, axis=1) for mean in means])
    np.fill_diagonal(distances, np.inf)
    joined = [list(group) for group in known]
    while True:
        i, j = sorted(int(k) for k in np.unravel_index(np.argmin(distances), distances.shape))
        if not distances[i, j] < ALIKE:
            break
        joined[i] += joined[j]
        joined[j] = []
        means[i] = (means[i] * weights[i] + means[j] * weights[j]) / (weights[i] + weights[j])
        weights[i] += weights[j]
        apart[i] |= apart[j]
        apart[:, i] = apart[i]
        distances[j, :] = distances[:, j] = np.inf
        gone = np.array([not group for group in joined])
        row = np.where(apart[i] | gone, np.inf, np.linalg.norm(means - means[i], axis=1))
        row[i] = np.inf
        distances[i, :] = distances[:, i] = row
    return [group for group in joined if group] + [group for group in groups if _mean(group) is None]


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
    """Mean embedding; tracklets count by their length, so that what is in between two persons does not lead over."""
    known = [(embedding, _weight(tracklet)) for tracklet in group if (embedding := tracklet.embedding) is not None]
    if not known:
        return None
    embeddings, weights = zip(*known, strict=True)
    return np.average(np.stack(embeddings), axis=0, weights=weights).astype(np.float32)


def _weight(tracklet: Tracklet) -> float:
    """Length in frames, at most that of a long run, times the worth of its best sample."""
    return min(tracklet.frames, 200) * max(tracklet.best_worth, 1e-3)


def _distance(one: list[Tracklet], other: list[Tracklet], *, unknown: float) -> float:
    mean, other_mean = _mean(one), _mean(other)
    return unknown if mean is None or other_mean is None else float(np.linalg.norm(mean - other_mean))


def _share_a_frame(one: list[Tracklet], other: list[Tracklet]) -> bool:
    return any(a.first <= b.last and b.first <= a.last for a in one for b in other)
