"""Every face of every frame, in one pass over the frames: cuts, landmarks, then what is read from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bianlian.records.frame import Frame
from bianlian.tracking.cuts import shots
from bianlian.tracking.finishing import Finishing
from bianlian.tracking.models import FaceModels
from bianlian.tracking.observation import FrameObservation, ObserveSettings
from bianlian.tracking.watch import Seen, Watch

Ahead = Callable[[Iterator[Seen]], Iterator[Seen]]
"""Lets finding faces run ahead of what is read from them, in a thread of its own; they share no model."""


def observe(
    frames: Iterable[Frame], models: FaceModels, settings: ObserveSettings, *, ahead: Ahead = iter
) -> Iterator[FrameObservation]:
    """Observe frames in order. All state is local, so a run may start at any frame; it lags by `look_back` + 3 frames."""
    finishing = Finishing(models, settings)
    before: Seen | None = None
    for seen in ahead(_watched(frames, Watch(models.landmarker, settings))):
        if before is not None:
            yield finishing.finish(before)
        before = seen
    if before is not None:
        yield finishing.finish(before, is_last=True)


def _watched(frames: Iterable[Frame], watch: Watch) -> Iterator[Seen]:
    for frame, is_cut in shots(frames):
        yield from watch.see(frame, is_cut)
    yield from watch.held
