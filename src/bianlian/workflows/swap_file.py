"""Swap one file: grants, track, study, chunks, join, seal, check, release. A picture's rights travel with it.

::

    Receipt → Grant → Composite → MarkedFrame → chunks → draft → sealed draft → Verdict → release
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bianlian.compositing.performer import study
from bianlian.compositing.stage import Cast
from bianlian.donors.book import Donor
from bianlian.donors.papers import TEMPLATE
from bianlian.donors.performer import Production
from bianlian.errors import CallerError, ConsentRefused, MediaError, NothingToSwap, Refusal
from bianlian.imaging.face_space import FaceSpace
from bianlian.marking.label import LabelStyle, plan_label
from bianlian.marking.manifest import SourceType
from bianlian.marking.metadata import tags
from bianlian.marking.reading import xmp_of
from bianlian.marking.watermark.embedder import FaceWatermark
from bianlian.marking.xmp import xmp_packet
from bianlian.media.encode import EncodeSettings
from bianlian.media.images import write_image
from bianlian.media.join import join
from bianlian.media.probe import describe, require_unchanged, sha256_of
from bianlian.records.appearance import Appearance
from bianlian.records.arrays import F32
from bianlian.records.donor import Use
from bianlian.records.face import Box
from bianlian.records.frame import SourceInfo
from bianlian.records.grant import Grant
from bianlian.records.progress import Reporter
from bianlian.tracking.store import TrackReader
from bianlian.workflows.beside import Beside
from bianlian.workflows.house import House
from bianlian.workflows.job import JobFolder, chunks_of
from bianlian.workflows.learn import appearance_of
from bianlian.workflows.notes import noted, summed_up
from bianlian.workflows.patches import INDEX as PATCH_INDEX
from bianlian.workflows.patches import Patches
from bianlian.workflows.quality import measured
from bianlian.workflows.render import Render, marked_frames, render_chunks
from bianlian.workflows.report import JSON_SUFFIX, PAGE_SUFFIX, Facts, named_beside, report_bytes, told
from bianlian.workflows.report_page import report_page
from bianlian.workflows.sealing import Result, Sealing, checked, released, sealed
from bianlian.workflows.tracks import sampled_faces, track_footage

AMPLE_FACE_PX, AMPLE_SECONDS = 160.0, 3
"""A face of this height for this long always gives its mark back from an unharmed file (docs/watermark.md)."""
PATCHES = "patches"
"""Folder within the job's in which patches wait."""
STUDY_FRAMES = 48
"""Frames of the performer that are studied in long footage."""


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
    space: FaceSpace
    style: LabelStyle
    encode: EncodeSettings
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


def is_done(job: FileSwap, file: Path, output: Path) -> bool:
    """Whether `output` is the released result of this very request.

    Raises:
        CallerError: something else has that name; it is not overwritten.
    """
    if not output.exists():
        return False
    digest = sha256_of(output)
    job_id = job_id_of(job, sha256_of(file))
    if any(made.sha256 == digest and made.job_id == job_id for made in job.house.registry.outputs()):
        JobFolder(output=output, job_id=job_id, request={}).tidy()
        return True
    raise CallerError(
        f"{output} exists already and is not the result of this request.",
        advice="Move it away, or choose another folder.",
    )


def lacking(job: FileSwap, output: Path) -> str:
    """What was not asked for when the result was made, in words; empty when nothing lacks."""
    wanted = {"page": named_beside(output, PAGE_SUFFIX)} if job.wants_page else {}
    if job.patches:
        wanted["patches"] = job.patches / output.name / PATCH_INDEX
    missing = [name for name, path in wanted.items() if not path.exists()]
    return f"\n  It has no {' and no '.join(missing)}: move it away to have it made again." if missing else ""


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


def swap_file(job: FileSwap, file: Path, output: Path, reporter: Reporter) -> tuple[str, ...]:
    """Swap one file and release the result.

    Returns:
        Sentences that the user should read: dropped streams, faded passages.

    Raises:
        Refusal: consent, content or marks; noted in the ledger.
        MediaError: the footage cannot be used, or a person who is cast is not in it.
        InstallationError: the disk is full, a folder may not be written.
    """
    house, source = job.house, describe(file)
    job_id = job_id_of(job, source.sha256)
    folder = JobFolder(output=output, job_id=job_id, request=request_of(job, source.sha256))
    folder.open(resume=job.resume)
    is_done = False
    try:
        with noting_refusals(house, folder, source), naming_changes(source, folder):
            notes = _run(permission(job, job_id, source), job, folder, reporter)
        is_done = True
    finally:
        folder.close(is_done=is_done)
    return notes


@contextmanager
def noting_refusals(house: House, folder: JobFolder, source: SourceInfo) -> Generator[None]:
    """Write a refusal that passes through into the ledger, and leave nothing of the job."""
    try:
        yield
    except Refusal as refusal:
        if not isinstance(refusal, ConsentRefused):  # the donors' book notes its own refusals
            house.donors.note_refusal(refusal, house.clock(), job=folder.path.name, source_sha256=source.sha256)
        folder.discard()
        raise


@contextmanager
def naming_changes(source: SourceInfo, folder: JobFolder) -> Generator[None]:
    """When a run fails because somebody changed the footage, say that, and keep nothing that was drawn from it."""
    try:
        yield
    except MediaError:
        try:
            require_unchanged(source)
        except MediaError:
            folder.discard()
            raise
        raise


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


def _run(permitted: Permitted, job: FileSwap, folder: JobFolder, reporter: Reporter) -> tuple[str, ...]:
    house, source = job.house, permitted.source
    track = track_footage(house, source, reporter)
    require_persons(track, source, tuple(job.players))
    house.registry.issue(permitted.job_id, key_id=house.code_book().key_id, now=house.clock())
    sealing = sealing_of(permitted, job, track)
    render = prepared(permitted, job, track)
    _note_opening_label(permitted, job)
    if job.patches:
        job.patches.mkdir(parents=True, exist_ok=True)
        patches = Patches(folder.path / PATCHES, sealing.label, house.donors.installation, language=job.style.language)
        render = replace(render, patches=patches)
    draft, dropped = _draw(render, sealing, track, folder, house, reporter)
    finished = folder.path / f"sealed{folder.output.suffix}"
    sealed(house, sealing, draft, finished)
    templates = {person: player.template for person, player in job.players.items()}
    with ThreadPoolExecutor(1, thread_name_prefix="measure") as pool:
        measuring = pool.submit(measured, source, track.folder, finished, templates, house.face_models(reporter))
        seen = checked(house, sealing, finished, reporter)
        measures = measuring.result()
    begin = next(iter(track.instants(0, 1))).exact
    summaries = summed_up(folder.all_notes(), job.players, begin)
    donors = {person: player.donor.id for person, player in job.players.items()}
    facts = Facts(
        job_id=permitted.job_id, level=sealing.level, source=source, output=folder.output, track=track.info, donors=donors,
        summaries=summaries, measures=measures, dropped=dropped, label=sealing.label, verdict=seen.verdict,
        when=house.clock(),
    )  # fmt: skip
    pairs = [(permitted.grants[person], permitted.uses[person]) for person in permitted.uses]
    with Beside(folder.path) as beside:
        beside.write(report_bytes(facts), named_beside(folder.output, JSON_SUFFIX))
        if job.wants_page:
            beside.write(report_page(facts, track.folder).encode(), named_beside(folder.output, PAGE_SUFFIX))
        if job.patches:
            render.patches.finish(permitted.job_id, folder.output.name, render.label)
            beside.hold(folder.path / PATCHES, job.patches / folder.output.name)
        require_unchanged(source)
        released(house, sealing, pairs, Result(file=finished, output=folder.output, prints=seen.prints))
        beside.publish()
    return (*dropped, *told(summaries))


def _note_opening_label(permitted: Permitted, job: FileSwap) -> None:
    """Write down why the visible label may leave after the opening; `plan_label` has asked the grants already."""
    if job.style.opening_seconds:
        facts = {
            "job": permitted.job_id,
            "profile": "opening",
            "seconds": str(job.style.opening_seconds),
            "reason": "artistic work",
        }
        job.house.donors.ledger.append("label", facts, job.house.clock())


def _draw(
    render: Render, sealing: Sealing, track: TrackReader, folder: JobFolder, house: House, reporter: Reporter
) -> tuple[Path, tuple[str, ...]]:
    """Draw all that is missing and put it together; returns the draft and what could not be carried over, in words."""
    source, draft = render.source, folder.path / f"draft{folder.output.suffix}"
    if source.is_image:
        (marked,) = noted(render.patches.through(marked_frames(render, 0, 1), 0), folder.notes(0))
        packet = xmp_packet(sealing.label, SourceType.TRAINED.value, xmp_of(source.path))
        return draft, write_image(marked, draft, xmp=packet, source=source)
    chunks = chunks_of(track.info.frame_count)
    whole = set(chunks).difference(folder.missing(chunks))
    missing = tuple(chunk for chunk in chunks if chunk not in whole or not render.patches.holds(chunk.number))
    if len(missing) < len(chunks):
        reporter.say(f"Going on: {len(chunks) - len(missing)} of {len(chunks)} chunks were done.")
    render_chunks(render, missing, folder, workers=house.settings.workers, reporter=reporter)
    report = join([folder.chunk(chunk.number) for chunk in chunks], source, draft, tags=tags(sealing.label))
    return draft, report.dropped


def sealing_of(permitted: Permitted, job: FileSwap, track: TrackReader) -> Sealing:
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
    large = sum(box.height >= AMPLE_FACE_PX for box in _boxes(track, persons))
    return large >= AMPLE_SECONDS * source.average_rate > 0


def _region_of(track: TrackReader, person: int) -> tuple[Box, ...]:
    """The box around all places where a person's face was, if anywhere."""
    union: Box | None = None
    for box in _boxes(track, (person,)):
        union = box if union is None else union.around(box)
    return () if union is None else (union,)


def _boxes(track: TrackReader, persons: Sequence[int]) -> Iterator[Box]:
    for found in track.faces(0, track.info.frame_count):
        for tracked in found:
            if tracked.person in persons:
                yield tracked.face.box


def require_persons(track: TrackReader, source: SourceInfo, persons: Sequence[int]) -> None:
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


def prepared(permitted: Permitted, job: FileSwap, track: TrackReader) -> Render:
    source, grants = permitted.source, permitted.grants
    casts = {
        person: Cast(
            grant=grants[person],
            appearance=player.appearance,
            performer=study(sampled_faces(source, track, person, count=STUDY_FRAMES), job.space),
        )
        for person, player in job.players.items()
    }
    boxes = (tracked.face.box for found in track.faces(0, track.info.frame_count) for tracked in found)
    start = next(iter(track.instants(0, 1)))
    label = plan_label(source.size, boxes, style=job.style, start=start, grants=tuple(grants.values()))
    watermark = FaceWatermark(job.house.code_book(), permitted.job_id)
    return Render(
        source=source,
        track=track.folder,
        casts=casts,
        space=job.space,
        label=label,
        watermark=watermark,
        encode=job.encode,
    )
