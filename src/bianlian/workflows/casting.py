"""Who plays whom in one file, with what permission: what a swap and a preview have in common."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bianlian.compositing.contrast import in_contrast_of
from bianlian.compositing.perform import at_side
from bianlian.compositing.performer import Performer, study
from bianlian.compositing.stage import Cast
from bianlian.compositing.tone import in_tones_of
from bianlian.donors.papers import TEMPLATE
from bianlian.donors.performer import Production
from bianlian.donors.roll import Donor
from bianlian.errors import NothingToSwap
from bianlian.imaging.face_space import FaceSpace, side_for
from bianlian.marking.label import LabelStyle, plan_label
from bianlian.marking.watermark.embedder import FaceWatermark
from bianlian.media.encode import EncodeSettings
from bianlian.records.appearance import Appearance
from bianlian.records.arrays import F32
from bianlian.records.donor import Use
from bianlian.records.face import Box
from bianlian.records.frame import SourceInfo
from bianlian.records.grant import Grant
from bianlian.records.progress import Reporter
from bianlian.tracking.album import Album
from bianlian.tracking.store import TrackReader
from bianlian.workflows.house import House
from bianlian.workflows.learn import appearance_of
from bianlian.workflows.render import Crew, Render
from bianlian.workflows.sealing import Sealing
from bianlian.workflows.tracks import sampled_faces, typical_height

AMPLE_FACE_PX, AMPLE_SECONDS = 160.0, 3
"""A face of this height for this long always gives its mark back from an unharmed file (docs/watermark.md)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Player:
    """A donor and what was learnt about their face."""

    donor: Donor
    appearance: Appearance
    appearance_sha256: str
    template: F32
    """128: what the donor enrolled with, to measure the result's likeness."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileSwap:
    """What is the same for all files of a request."""

    house: House
    players: Mapping[int, Player]
    production: Production
    space: Callable[[], FaceSpace]
    """Waits until it is built."""
    style: LabelStyle
    encode: EncodeSettings
    crew: Crew
    resume: bool
    wants_page: bool = False
    """A report with pictures besides the one in JSON."""
    patches: Path | None = None
    """Where patches for compositors go."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Permitted:
    """One file's job with its permissions."""

    job_id: str
    source: SourceInfo
    uses: Mapping[int, Use]
    grants: Mapping[int, Grant]


def player_of(house: House, donor: Donor, *, level: str, reporter: Reporter) -> Player:
    """A donor at a level, learnt first if need be."""
    appearance, sha256 = appearance_of(house, donor, level=level, reporter=reporter)
    template = np.frombuffer(house.donors.vault.read(donor.id, TEMPLATE), "<f4").astype(np.float32)
    return Player(donor=donor, appearance=appearance, appearance_sha256=sha256, template=template)


def job_id_of(job: FileSwap, source_sha256: str) -> str:
    """The job's id: the same request of the same installation has the same id, and nobody else can guess what it was."""
    return id_of(job.house, request_of(job, source_sha256))


def id_of(house: House, request: Mapping[str, Any]) -> str:
    """The id of any request that this installation is asked for."""
    content = json.dumps(request, sort_keys=True).encode()
    return hmac.digest(house.donors.installation.derive("jobs"), content, "sha256").hex()[:32]


def request_of(job: FileSwap, source_sha256: str) -> dict[str, Any]:
    """Everything that the result depends on, as JSON."""
    players = {
        str(person): [player.donor.receipt.id, player.appearance_sha256] for person, player in job.players.items()
    }
    return {
        "program": version("bianlian"),
        "source": source_sha256,
        "players": players,
        "production": job.production.sha256,
        "encode": asdict(job.encode),
        "label": [
            job.style.language.value,
            job.style.corner.value,
            job.style.has_eu_mark,
            str(job.style.opening_seconds),
        ],
    }


def permission(job: FileSwap, job_id: str, source: SourceInfo) -> Permitted:
    """Ask for every permission before any frame is looked at."""
    house, production = job.house, job.production
    uses = {
        person: Use(
            job_id=job_id, source_sha256=source.sha256, person=person, purpose=production.purpose, project=production.project,
            publication=production.publication, regions=production.regions, contains=production.contains,
        )
        for person in job.players
    }  # fmt: skip
    house.donors.note_production(production, job_id, source.sha256, tuple(uses), house.clock())
    grants = {
        person: house.donors.authorise(job.players[person].donor.id, use, house.clock()) for person, use in uses.items()
    }
    return Permitted(job_id=job_id, source=source, uses=uses, grants=grants)


def sealing_of(permitted: Permitted, job: FileSwap, track: TrackReader) -> Sealing:
    """What the file marks of this job will say."""
    appearances = {person: player.appearance_sha256 for person, player in job.players.items()}
    regions = tuple(region for person in job.players for region in _region_of(track, person))
    level = next(iter(job.players.values())).appearance.level
    return Sealing(
        job_id=permitted.job_id, source=permitted.source, grants=permitted.grants, appearances=appearances,
        regions=regions, level=level, opening_seconds=job.style.opening_seconds,
        carries_watermark=_carries_watermark(permitted.source, track, tuple(job.players)),
    )  # fmt: skip


def _carries_watermark(source: SourceInfo, track: TrackReader, persons: Sequence[int]) -> bool:
    """Whether a replaced face is to be seen large enough for so long that its mark must come back from the finished file."""
    large = sum(box.height >= AMPLE_FACE_PX for box in track.boxes(persons))
    return large >= AMPLE_SECONDS * source.average_rate > 0


def _region_of(track: TrackReader, person: int) -> tuple[Box, ...]:
    """The box around all places where a person's face was, if anywhere."""
    union: Box | None = None
    for box in track.boxes((person,)):
        union = box if union is None else union.around(box)
    return () if union is None else (union,)


def require_persons(track: TrackReader, source: SourceInfo, persons: Sequence[int]) -> None:
    """Raises NothingToSwap unless everybody who is cast is in the footage."""
    known = [person.number for person in track.info.persons]
    if not known:
        raise NothingToSwap(
            f"No face was found in {source.path.name}.", advice="Faces must be at least 40 pixels high."
        )
    missing = [number for number in persons if number not in known]
    if missing:
        raise NothingToSwap(
            f"There is no person {missing[0]} in {source.path.name}; there are {', '.join(map(str, known))}.",
            advice=f"See who is who: bianlian people {source.path.name} -o people.png",
        )


def drawing_side(track: TrackReader, appearances: Mapping[int, Appearance]) -> int:
    """Texels along the template's edge that serve both what was learnt and the size of the faces in the footage."""
    return min(max(one.side for one in appearances.values()), side_for(typical_height(track, tuple(appearances))))


def prepared(permitted: Permitted, job: FileSwap, track: TrackReader, album: Album | None = None) -> Render:
    """Study the performers, find the label's place, and lay out what every chunk is drawn with."""
    source, grants = permitted.source, permitted.grants
    appearances = {person: player.appearance for person, player in job.players.items()}
    space = job.space().at(drawing_side(track, appearances))
    performers = {person: study(sampled_faces(source, track, person, album), space) for person in job.players}
    casts = {
        person: Cast(
            grant=grants[person],
            appearance=_as_seen_with(performer, appearances[person], space),
            performer=performer,
        )
        for person, performer in performers.items()
    }
    start = next(iter(track.instants(0, 1)))
    label = plan_label(source.size, track.boxes(), style=job.style, start=start, grants=tuple(grants.values()))
    watermark = FaceWatermark(job.house.code_book(), permitted.job_id)
    return Render(
        source=source,
        track=track.folder,
        casts=casts,
        space=space,
        label=label,
        watermark=watermark,
        encode=job.encode,
    )


def _as_seen_with(performer: Performer, appearance: Appearance, space: FaceSpace) -> Appearance:
    """The appearance as the performer's camera and grade would show it."""
    return in_tones_of(performer, in_contrast_of(performer, at_side(appearance, space.template.side), space))
