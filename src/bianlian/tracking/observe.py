"""Every face of every frame, in one pass over the frames: cuts, landmarks, then what is read from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bianlian.records.frame import Frame
from bianlian.tracking.cuts import shots
from bianlian.tracking.finishing import Finishing
from bianlian.tracking.models import FaceModels
from bianlian.tracking.observation import FrameObservation, ObserveSettings
from bianlian.tracking.watch import Watch


def observe(frames: Iterable[Frame], models: FaceModels, settings: ObserveSettings) -> Iterator[FrameObservation]:
    """Observe frames in order. All state is local, so a run may start at any frame; it lags by `look_back` + 3 frames."""
    watch = Watch(models.landmarker, settings)
    finishing = Finishing(models, settings)
    for frame, is_cut in shots(frames):
        yield from map(finishing.finish, watch.see(frame, is_cut))
    held = list(watch.held)
    for number, seen in enumerate(held, start=1):
        yield finishing.finish(seen, is_last=number == len(held))
