"""Swap one file: grants, track, study, chunks, join, seal, check, release. A picture's rights travel with it.

::

    Receipt → Grant → Composite → MarkedFrame → chunks → draft → sealed draft → Verdict → release
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bianlian.errors import CallerError, ConsentRefused, MediaError, Refusal
from bianlian.marking.manifest.facts import SourceType
from bianlian.marking.metadata import tags
from bianlian.marking.reading import xmp_of
from bianlian.marking.xmp import xmp_packet
from bianlian.media.images import write_image
from bianlian.media.join import join
from bianlian.media.probe import describe, require_unchanged, sha256_of
from bianlian.records.frame import SourceInfo
from bianlian.tracking.album import Album
from bianlian.tracking.store import TrackReader
from bianlian.workflows.beside import Beside
from bianlian.workflows.casting import (
    FileSwap,
    Permitted,
    job_id_of,
    permission,
    prepared,
    request_of,
    require_persons,
    sealing_of,
)
from bianlian.workflows.house import House
from bianlian.workflows.job import JobFolder, chunks_of
from bianlian.workflows.memory import give_back
from bianlian.workflows.notes import noted, summed_up
from bianlian.workflows.patches import INDEX as PATCH_INDEX
from bianlian.workflows.patches import Patches
from bianlian.workflows.prefetch import aside
from bianlian.workflows.quality import measured
from bianlian.workflows.render import Crew, Render, marked_frames, render_chunks
from bianlian.workflows.report import JSON_SUFFIX, PAGE_SUFFIX, Facts, named_beside, report_bytes, told
from bianlian.workflows.report_page import report_page
from bianlian.workflows.sealing import Result, Sealing, checked, released, sealed
from bianlian.workflows.stopwatch import Stopwatch
from bianlian.workflows.tracks import track_footage

PATCHES = "patches"
"""Folder within the job's in which patches wait."""


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
        reports = (named_beside(output, suffix) for suffix in (JSON_SUFFIX, PAGE_SUFFIX))
        waiting = {report.name: report for report in reports}
        if job.patches:
            waiting[PATCHES] = job.patches / output.name
        JobFolder(output=output, job_id=job_id, request={}).tidy(waiting)
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


def swap_file(job: FileSwap, file: Path, output: Path, reporter: Stopwatch) -> tuple[str, ...]:
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


def _run(permitted: Permitted, job: FileSwap, folder: JobFolder, reporter: Stopwatch) -> tuple[str, ...]:
    house, source = job.house, permitted.source
    track, render = _studied(permitted, job, reporter)
    house.registry.issue(permitted.job_id, key_id=house.code_book().key_id, now=house.clock())
    sealing = sealing_of(permitted, job, track)
    _note_opening_label(permitted, job)
    if job.patches:
        job.patches.mkdir(parents=True, exist_ok=True)
        patches = Patches(folder.path / PATCHES, sealing.label, house.donors.installation, language=job.style.language)
        render = replace(render, patches=patches)
    give_back()
    draft, dropped = _draw(render, sealing, track, folder, job.crew, reporter)
    give_back()
    reporter.begin("seal")
    finished = folder.path / f"sealed{folder.output.suffix}"
    sealed(house, sealing, draft, finished)
    templates = {person: player.template for person, player in job.players.items()}
    # Side by side, each with a landmarker of its own: together they need less memory than drawing did.
    measuring = aside(
        lambda: measured(
            source, track.folder, finished, templates, house.landmarker(reporter), house.identity_model(reporter)
        )
    )
    seen = checked(house, sealing, finished, house.landmarker(reporter), reporter)
    measures = measuring()
    give_back()
    reporter.begin("release")
    begin = next(iter(track.instants(0, 1))).exact
    summaries = summed_up(folder.all_notes(), job.players, begin)
    donors = {person: player.donor.id for person, player in job.players.items()}
    facts = Facts(
        job_id=permitted.job_id, level=sealing.level, source=source, output=folder.output, track=track.info, donors=donors,
        summaries=summaries, measures=measures, dropped=dropped, label=sealing.label, verdict=seen.verdict,
        when=house.clock(), speed=reporter.speed(),
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
    return (*dropped, *told(facts))


def _studied(permitted: Permitted, job: FileSwap, reporter: Stopwatch) -> tuple[TrackReader, Render]:
    """Who is to be seen where, and all that drawing needs to know."""
    album = Album()
    reporter.begin("track")
    track = track_footage(job.house, permitted.source, reporter, album=album)
    reporter.frames = track.info.frame_count
    require_persons(track, permitted.source, tuple(job.players))
    give_back()
    reporter.begin("study")
    return track, prepared(permitted, job, track, album)


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
    render: Render, sealing: Sealing, track: TrackReader, folder: JobFolder, crew: Crew, reporter: Stopwatch
) -> tuple[Path, tuple[str, ...]]:
    """Draw all that is missing and put it together; returns the draft and what could not be carried over, in words."""
    source, draft = render.source, folder.path / f"draft{folder.output.suffix}"
    if source.is_image:
        (marked,) = noted(render.patches.through(marked_frames(render), 0), folder.notes(0))
        packet = xmp_packet(sealing.label, SourceType.TRAINED.value, xmp_of(source.path))
        return draft, write_image(marked, draft, xmp=packet, source=source)
    chunks = chunks_of(track.info.frame_count)
    whole = set(chunks).difference(folder.missing(chunks))
    missing = tuple(chunk for chunk in chunks if chunk not in whole or not render.patches.holds(chunk.number))
    if len(missing) < len(chunks):
        reporter.say(f"Going on: {len(chunks) - len(missing)} of {len(chunks)} chunks were done.")
    render_chunks(render, missing, folder, crew=crew, reporter=reporter)
    reporter.begin("join")
    report = join([folder.chunk(chunk.number) for chunk in chunks], source, draft, tags=tags(sealing.label))
    return draft, report.dropped
