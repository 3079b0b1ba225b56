"""Tracking in one call: frames in, a track on disk out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bianlian.errors import UnreadableMedia
from bianlian.records.frame import Frame
from bianlian.records.progress import Progress, Reporter
from bianlian.tracking.album import Album
from bianlian.tracking.models import FaceModels
from bianlian.tracking.observation import ObserveSettings
from bianlian.tracking.observe import Ahead, observe
from bianlian.tracking.store import TrackReader
from bianlian.tracking.writer import TrackWriter

REVISION = 2
"""Goes up when tracking itself changes so that older tracks should be made again."""


def settings_record(settings: ObserveSettings) -> Mapping[str, Any]:
    """What a track depends on besides footage and models, as JSON values."""
    return {"revision": REVISION, **dataclasses.asdict(settings)}


def writer_for(
    folder: Path, *, source_sha256: str, model_hashes: Mapping[str, str], settings: ObserveSettings
) -> TrackWriter:
    """A writer for the track of one file of footage."""
    return TrackWriter(folder, source_sha256=source_sha256, models=model_hashes, settings=settings_record(settings))


def open_track(
    folder: Path, *, source_sha256: str, model_hashes: Mapping[str, str], settings: ObserveSettings
) -> TrackReader:
    """Open a track that was made from this very footage, with these models and settings.

    Raises:
        UnreadableMedia: there is none, it is damaged, or it is of other footage, models or settings; make it again.
    """
    reader = TrackReader(folder)
    expected = (source_sha256, dict(model_hashes), dict(settings_record(settings)))
    if (reader.info.source_sha256, dict(reader.models), dict(reader.settings)) != expected:
        raise UnreadableMedia(
            f"the track {folder.name} belongs to other footage, models or settings",
            advice="delete that folder; it is made again from the footage",
        )
    return reader


def track(
    frames: Iterable[Frame],
    models: FaceModels,
    settings: ObserveSettings,
    writer: TrackWriter,
    reporter: Reporter,
    *,
    frame_estimate: int = 0,
    ahead: Ahead = iter,
    album: Album | None = None,
) -> TrackReader:
    """Track everybody in the footage. Memory does not grow with its length.

    Args:
        frames: from the first to the last, in order.
        frame_estimate: for progress only; 0 if unknown.
        ahead: see `observe`.
        album: keeps pictures of some faces, if given.

    Raises:
        InstallationError: the track cannot be written.
    """
    done = 0
    with writer:
        for frame, observation in observe(frames, models, settings, ahead=ahead):
            writer.add(observation)
            if album is not None:
                album.see(frame, observation)
            done += 1
            reporter.progress(
                Progress(stage="track", done=done, total=max(done, frame_estimate) if frame_estimate else 0)
            )
        return writer.finish(models.pose)
