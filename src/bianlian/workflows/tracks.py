"""Tracks: of footage, kept and used again; of a donor's capture, gone when the work is done."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bianlian.errors import UnreadableMedia
from bianlian.media.decode import chosen, frames
from bianlian.media.probe import require_unchanged
from bianlian.records.face import TrackedFace
from bianlian.records.frame import Frame, SourceInfo
from bianlian.records.progress import Reporter
from bianlian.screening.gate import ContentGate, GateSettings
from bianlian.tracking.album import PLACES, Album, places_of
from bianlian.tracking.observe import ObserveSettings
from bianlian.tracking.stage import open_track, track, writer_for
from bianlian.tracking.store import TrackReader
from bianlian.weights.catalogue import FACE_LANDMARKER, FACE_RECOGNITION
from bianlian.workflows.house import House
from bianlian.workflows.prefetch import prefetched

GATE_VERSION = 2
"""Goes into the ledger with each screening; footage is screened again when the gate changes."""
_MODEL_HASHES = {weight.name: weight.sha256 for weight in (FACE_LANDMARKER, FACE_RECOGNITION)}
SEQUENTIAL_FRAMES = 2000
"""Up to this length it is cheaper to decode a clip through than to seek to a few dozen moments of it."""


def track_footage(house: House, source: SourceInfo, reporter: Reporter, *, album: Album | None = None) -> TrackReader:
    """The track of a piece of footage, made on first use while the content gate looks at every part of it.

    Args:
        album: gets pictures of faces, if the track has to be made.

    Raises:
        ContentRefused: the footage shows sexual content; the ledger notes it.
        MediaError: the footage cannot be read to its end.
    """
    folder = house.tracks / f"{source.sha256}.track"
    if folder.exists() and was_screened(house, source):
        try:
            found = open_track(
                folder, source_sha256=source.sha256, model_hashes=_MODEL_HASHES, settings=ObserveSettings()
            )
            found.check()
            return found
        except UnreadableMedia as error:
            reporter.say(f"The earlier track cannot be used ({error}): tracking again.")
            shutil.rmtree(folder, ignore_errors=True)
    gate = ContentGate(house.content_detector(reporter), GateSettings(), what="footage")
    stream = gate.passing(prefetched(frames(source)))
    made = _track(house, source, stream, folder, reporter, album)
    try:
        require_unchanged(source)
    except UnreadableMedia:
        shutil.rmtree(folder, ignore_errors=True)  # it shows something else than its name says
        raise
    facts = {"source_sha256": source.sha256, "gate": GATE_VERSION, "looks": gate.frames_seen}
    house.donors.ledger.append("screened", facts, house.clock())
    return made


def was_screened(house: House, source: SourceInfo) -> bool:
    """Whether the ledger says that this footage passed the content gate as it is now."""
    wanted = (source.sha256, GATE_VERSION)
    entries = house.donors.ledger.entries("screened")
    return any((entry.facts["source_sha256"], entry.facts["gate"]) == wanted for entry in entries)


@contextmanager
def borrowed_track(
    house: House,
    source: SourceInfo,
    reporter: Reporter,
    *,
    passing: Callable[[Iterator[Frame]], Iterator[Frame]] | None = None,
) -> Generator[TrackReader]:
    """The track of a donor's capture for the length of a block; no biometric data stay behind.

    Args:
        passing: sees every frame on its way to the tracker.
    """
    gate = ContentGate(house.content_detector(reporter), GateSettings(), what="capture")
    stream = gate.passing(frames(source))
    with tempfile.TemporaryDirectory(prefix=f".track-{os.getpid()}-", dir=house.settings.home) as scratch:
        folder = Path(scratch) / "capture.track"
        stream = prefetched(passing(stream) if passing else stream)
        yield _track(house, source, stream, folder, reporter)


def typical_height(track: TrackReader, persons: Sequence[int]) -> float:
    """Median height of these persons' faces in pixels, 0 where they are not to be seen."""
    return float(np.median([box.height for box in track.boxes(persons)] or [0.0]))


def faces_of(track: TrackReader, person: int, stream: Iterable[Frame]) -> Iterator[tuple[Frame, TrackedFace]]:
    """A person's faces with their frames; `stream` is decoded from the beginning."""
    faces = track.faces(0, track.info.frame_count)
    for frame, found in zip(stream, faces, strict=True):
        for tracked in found:
            if tracked.person == person:
                yield frame, tracked


def sampled_faces(
    source: SourceInfo, track: TrackReader, person: int, album: Album | None = None
) -> Iterator[tuple[Frame, TrackedFace]]:
    """Some dozens of a person's faces from all over the footage, none of them interpolated; the same with and without the
    album that was kept while tracking, but for what else is in the picture."""
    places = _places(track.seen(person), places_of(track.info.frame_count))
    faces = [_face_at(track, place, person) for place in places]
    kept = [album.picture(place, face.face.box) if album else None for place, face in zip(places, faces, strict=True)]
    pictures = [picture for picture in kept if picture is not None]
    stream = iter(pictures) if len(pictures) == len(places) else prefetched(_frames_at(source, track, places))
    yield from zip(stream, faces, strict=True)


def _places(shown: Sequence[int], kept: range) -> Sequence[int]:
    """Those frames of an album that show somebody, or, where these are few, as many evenly spread over all that do."""
    places = [index for index in shown if index in kept]
    least = min(len(shown), PLACES // 3)
    return places if len(places) >= least else shown[:: max(1, -(-len(shown) // PLACES))]


def _face_at(track: TrackReader, place: int, person: int) -> TrackedFace:
    (found,) = track.faces(place, place + 1)
    return next(face for face in found if face.person == person and not face.is_interpolated)


def _frames_at(source: SourceInfo, track: TrackReader, places: Sequence[int]) -> Iterator[Frame]:
    if track.info.frame_count <= SEQUENTIAL_FRAMES:
        yield from chosen(source, places, threads=2)
        return
    for place in places:
        (start,) = track.instants(place, place + 1)
        yield next(frames(source, start=start, start_index=place))


def _track(
    house: House,
    source: SourceInfo,
    stream: Iterator[Frame],
    folder: Path,
    reporter: Reporter,
    album: Album | None = None,
) -> TrackReader:
    settings = ObserveSettings()
    writer = writer_for(folder, source_sha256=source.sha256, model_hashes=_MODEL_HASHES, settings=settings)
    models = house.face_models(reporter)
    estimate = source.frame_estimate
    return track(stream, models, settings, writer, reporter, frame_estimate=estimate, ahead=prefetched, album=album)
