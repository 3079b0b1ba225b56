"""Every face of every frame, in one pass over the frames: cuts, landmarks, then what is read from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bianlian.records.frame import Frame
from bianlian.tracking.cuts import shots
from bianlian.tracking.finishing import Finishing
from bianlian.tracking.models import FaceModels
from bianlian.tracking.observation import FrameObservation, ObserveSettings
from bianlian.tracking.scout import Scout, Seen
from bianlian.tracking.watch import Watch

Ahead = Callable[[Iterator[Seen]], Iterator[Seen]]
"""Lets one step run ahead of the next, in a thread of its own: looking for faces, following them, reading from them. They share
no model."""


def observe(
    frames: Iterable[Frame], models: FaceModels, settings: ObserveSettings, *, ahead: Ahead = iter
) -> Iterator[tuple[Frame, FrameObservation]]:
    """Observe frames in order. All state is local, so a run may start at any frame; it lags by `look_back` + 3 frames."""
    finishing = Finishing(models, settings)
    before: Seen | None = None
    scouted = _scouted(frames, Scout(models.scout, settings))
    for seen in ahead(_watched(ahead(scouted), Watch(models.landmarker, settings))):
        if before is not None:
            yield before.frame, finishing.finish(before)
        before = seen
    if before is not None:
        yield before.frame, finishing.finish(before, is_last=True)


def _scouted(frames: Iterable[Frame], scout: Scout) -> Iterator[Seen]:
    for frame, is_cut in shots(frames):
        yield scout.look(frame, is_cut)


def _watched(frames: Iterable[Seen], watch: Watch) -> Iterator[Seen]:
    for seen in frames:
        yield from watch.see(seen)
    yield from watch.held
