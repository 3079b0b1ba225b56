"""Who is in the footage: numbered persons, and a contact sheet to recognise them by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from bianlian.errors import CallerError, InstallationError, NothingToSwap
from bianlian.imaging.colour import rgb_from_frame
from bianlian.media.decode import frames
from bianlian.media.probe import describe
from bianlian.records.frame import SourceInfo
from bianlian.records.progress import Reporter
from bianlian.records.track import Person
from bianlian.tracking.sheet import SheetEntry, contact_sheet
from bianlian.tracking.store import TrackReader
from bianlian.workflows.house import House
from bianlian.workflows.tracks import track_footage


def people(house: House, footage: Path, *, sheet: Path | None, reporter: Reporter) -> list[dict[str, Any]]:
    """The persons of a file, one row each; with `sheet`, a picture of them as well.

    Raises:
        NothingToSwap: no face was found.
        ContentRefused: the footage shows sexual content.
    """
    if sheet and sheet.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise CallerError(
            f"A contact sheet cannot be written as {sheet.suffix or 'a file without suffix'}.", advice="Use .png."
        )
    source = describe(footage)
    track = track_footage(house, source, reporter)
    persons = track.info.persons
    if not persons:
        raise NothingToSwap(f"No face was found in {footage.name}.", advice="Faces must be at least 40 pixels high.")
    if sheet:
        _write_sheet(source, track, sheet)
    return [
        {
            "person": person.number,
            "from": f"{person.first.seconds:.2f} s",
            "to": f"{person.last.seconds:.2f} s",
            "frames": person.frame_count,
            "best": person.best_frame,
        }
        for person in persons
    ]


def _write_sheet(source: SourceInfo, track: TrackReader, sheet: Path) -> None:
    entries = [_entry(source, track, person) for person in track.info.persons]
    picture = contact_sheet(entries)
    scratch = sheet.with_name(f".{sheet.stem}.part{sheet.suffix}")
    try:
        Image.fromarray(picture).save(scratch)
        scratch.replace(sheet)
    except OSError as error:
        raise InstallationError(f"{sheet} cannot be written: {error.strerror or error}.") from error
    finally:
        scratch.unlink(missing_ok=True)


def _entry(source: SourceInfo, track: TrackReader, person: Person) -> SheetEntry:
    index = person.best_frame
    start = next(iter(track.instants(index, index + 1)))
    frame = next(frames(source, start=start, start_index=index))
    (found,) = track.faces(index, index + 1)
    face = next(tracked.face for tracked in found if tracked.person == person.number)
    return SheetEntry(person=person, rgb=rgb_from_frame(frame), face=face)
