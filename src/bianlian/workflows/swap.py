"""Swap: every file of a request, one after another; a bad one is reported and does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

from bianlian.donors.performer import parse_production
from bianlian.errors import BianlianError, CallerError, InternalError, Refusal
from bianlian.marking.label import Corner, LabelStyle, Language
from bianlian.media.encode import EncodeSettings
from bianlian.media.join import check_output
from bianlian.media.publish import cannot_write
from bianlian.records.progress import Reporter
from bianlian.workflows.casting import FileSwap, player_of
from bianlian.workflows.enrol import read_small
from bianlian.workflows.footage import expand, output_names
from bianlian.workflows.forks import local_crew
from bianlian.workflows.house import House
from bianlian.workflows.learn import face_space
from bianlian.workflows.prefetch import aside
from bianlian.workflows.render import Crew
from bianlian.workflows.stopwatch import UNMEASURED, Speed, Stopwatch
from bianlian.workflows.swap_file import is_done, lacking, swap_file

_log = logging.getLogger(__name__)


class Status(Enum):
    """What became of one file."""

    DONE = "done"
    SKIPPED = "skipped"
    """It was done before."""
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapRequest:
    """What the user asks for."""

    footage: tuple[Path, ...]
    """Files and folders."""
    output: Path
    casts: Mapping[int, str]
    """Person number → donor's name."""
    performer: Path
    level: str = "standard"
    resume: bool = False
    suffix: str = ""
    """Of video results; empty: `.mp4`, and `.mov` for `.mov`."""
    codec: str = "h264"
    crf: float = 18.0
    label_language: str = "zh"
    label_corner: str = "auto"
    label_eu: bool = False
    label_opening: float = 0.0
    """Seconds; 0 for the whole duration."""
    report: bool = False
    """Write a page with pictures beside each result; its numbers (JSON) are always written."""
    ray: str = ""
    """Address of a Ray cluster whose workers draw; empty: this machine draws."""
    patches: Path | None = None
    """Folder for the marked face patches of each result, for compositors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """One file's end."""

    file: Path
    output: Path
    status: Status
    sentence: str
    """For people: what happened, and what to do if it did not work."""
    code: str = ""
    """Of a refusal."""
    exit_code: int = 0
    speed: Speed = UNMEASURED
    """Where the time went, of a file that was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapReport:
    """All files' ends, in the order asked."""

    outcomes: tuple[FileOutcome, ...]

    @property
    def exit_code(self) -> int:
        """A refusal weighs most, then a fault."""
        codes = {outcome.exit_code for outcome in self.outcomes}
        return 1 if 1 in codes else max(codes, default=0)

    def as_json(self) -> list[dict[str, Any]]:
        """For `--json`."""
        return [
            {
                "file": str(outcome.file),
                "output": str(outcome.output) if outcome.status in (Status.DONE, Status.SKIPPED) else None,
                "status": outcome.status.value,
                "code": outcome.code,
                "sentence": outcome.sentence,
            }
            for outcome in self.outcomes
        ]


def swap(house: House, request: SwapRequest, reporter: Reporter) -> SwapReport:
    """Replace faces in all footage of a request.

    Raises:
        CallerError: the request as a whole makes no sense: no such file, donor or level; a bad performer file.
        ConsentRefused: the performer file does not allow anything.
    """
    files = expand(request.footage)
    outputs = output_names(files, request.output, suffix=request.suffix)
    outcomes: list[FileOutcome] = []
    with _crew(house, request, reporter) as crew:
        job = replace(file_swap(house, request, reporter), crew=crew)
        for number, (file, output) in enumerate(zip(files, outputs, strict=True), 1):
            if len(files) > 1:
                reporter.say(f"[{number}/{len(files)}] {file.name}")
            outcomes.append(_attempt(job, file, output, reporter))
    return SwapReport(outcomes=tuple(outcomes))


@contextmanager
def _crew(house: House, request: SwapRequest, reporter: Reporter) -> Generator[Crew]:
    if not request.ray:
        yield local_crew(house.settings.workers)
        return
    if request.patches:
        raise CallerError("Patches are signed where they are drawn: here.", advice="Leave out --ray, or --patch.")
    from bianlian.workflows.cluster.crew import joined  # noqa: PLC0415 - for those who have a cluster

    with joined(house, request.ray, reporter) as crew:
        yield crew


def file_swap(house: House, request: SwapRequest, reporter: Reporter) -> FileSwap:
    """What is the same for all files of a request; donors are learnt first if need be. Raises as `swap`."""
    if not request.casts:
        raise CallerError("Nobody is cast.", advice="For example: --cast 1=NAME")
    style, encode = _style(request), EncodeSettings(codec=request.codec, crf=request.crf, threads=1)
    production = parse_production(read_small(request.performer))
    donors = {person: house.donors.find(name) for person, name in sorted(request.casts.items())}
    players = {
        person: player_of(house, donor, level=request.level, reporter=reporter) for person, donor in donors.items()
    }
    return FileSwap(
        house=house, players=players, production=production, space=aside(lambda: face_space(house, reporter)), style=style,
        encode=encode, crew=local_crew(house.settings.workers), resume=request.resume, wants_page=request.report,
        patches=request.patches,
    )  # fmt: skip


def _attempt(job: FileSwap, file: Path, output: Path, reporter: Reporter) -> FileOutcome:
    """One file; whatever goes wrong with it becomes its outcome."""
    watch = Stopwatch(reporter)
    try:
        if output.suffix.lower() in (".mp4", ".mov"):
            check_output(output)
        if is_done(job, file, output):
            sentence = f"{file.name}: done before, skipped: {output}{lacking(job, output)}"
            return FileOutcome(file=file, output=output, status=Status.SKIPPED, sentence=sentence)
        notes = swap_file(job, file, output, watch)
    except BianlianError as error:
        return _failure(file, output, error)
    except OSError as error:
        return _failure(file, output, cannot_write(Path(error.filename or output), error))
    except Exception as error:  # noqa: BLE001 - the job boundary: the next file must not suffer
        _log.debug("swap failed", exc_info=error)
        return _failure(file, output, InternalError(f"a fault of the program: {type(error).__name__}: {error}"))
    said = "".join(f"\n  {note}" for note in notes)
    sentence = f"{file.name}: done: {output}{said}"
    return FileOutcome(file=file, output=output, status=Status.DONE, sentence=sentence, speed=watch.speed())


def _failure(file: Path, output: Path, error: BianlianError) -> FileOutcome:
    is_refusal = isinstance(error, Refusal)
    status = Status.REFUSED if is_refusal else Status.FAILED
    advice = f"\n  {error.advice}" if error.advice else ""
    return FileOutcome(
        file=file, output=output, status=status, sentence=f"{file.name}: {status.value}: {error}{advice}",
        code=error.code if isinstance(error, Refusal) else "", exit_code=error.exit_code,
    )  # fmt: skip


def _style(request: SwapRequest) -> LabelStyle:
    return LabelStyle(
        language=Language(request.label_language),
        corner=Corner(request.label_corner),
        has_eu_mark=request.label_eu,
        opening_seconds=Fraction(request.label_opening).limit_denominator(1000),
    )
