"""A person becomes a donor: draw a challenge, look at the capture, check it, store it with a signed receipt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bianlian.donors.book import Enrolment
from bianlian.donors.capture import CaptureReport, check_capture
from bianlian.donors.challenge import Challenge, instructions, parse_challenge
from bianlian.donors.files import write_whole
from bianlian.donors.liveness import SignalMeter
from bianlian.donors.notices import Controller, notice
from bianlian.donors.roll import Donor
from bianlian.donors.scope import parse_scope
from bianlian.errors import CallerError, InstallationError, Refusal
from bianlian.media.probe import describe
from bianlian.records.donor import FrameSignal
from bianlian.records.frame import Frame, SourceInfo
from bianlian.records.progress import Reporter
from bianlian.workflows.house import House
from bianlian.workflows.tracks import borrowed_track
from bianlian.workflows.verify import marks_of_ours

LARGEST_TEXT = 1 << 16
"""Bytes of the longest challenge or TOML file that is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnChallenge:
    """A challenge, and what to tell the donor."""

    challenge: Challenge
    instructions: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolRequest:
    """What a donor brings."""

    name: str
    capture: Path
    challenge: Path
    scope: Path
    language: str = "en"
    """Of the notice that the donor was shown."""
    controller: str = Controller().name
    contact: str = Controller().contact
    jurisdiction: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Enrolled:
    """A new donor, and what the check saw."""

    donor: Donor
    report: CaptureReport

    def as_json(self) -> dict[str, Any]:
        """For `--json`; without the template."""
        coverage = self.report.coverage
        return {
            "donor": self.donor.id,
            "receipt": self.donor.receipt.id,
            "acts": [
                {"act": act.act, "start": act.start, "end": act.end, "peak": act.peak} for act in self.report.acts
            ],
            "identity_spread": self.report.identity_spread,
            "coverage": {
                "yaw": coverage.yaw,
                "pitch": coverage.pitch,
                "expressions": coverage.expressions,
                "missing": coverage.missing,
            },
        }


def draw_challenge(house: House, output: Path, *, language: str) -> DrawnChallenge:
    """Draw a challenge and write it to `output`.

    Raises:
        ConsentRefused: too many were drawn within the hour.
        InstallationError: the file cannot be written.
    """
    challenge = house.donors.new_challenge(house.clock())
    try:
        write_whole(output, challenge.document, mode=0o644)
    except OSError as error:
        raise InstallationError(f"{output} cannot be written: {error.strerror or error}.") from error
    return DrawnChallenge(challenge=challenge, instructions=instructions(challenge, language))


def enrol(house: House, request: EnrolRequest, reporter: Reporter) -> Enrolled:
    """Check a capture against its challenge and store the donor.

    Raises:
        ConsentRefused: the capture or the scope does not prove consent; the ledger notes it.
        ContentRefused: the capture shows sexual content.
        MediaError: the capture cannot be read.
    """
    challenge = parse_challenge(read_small(request.challenge))
    scope_text = read_small(request.scope).decode("utf-8", errors="replace")
    scope = parse_scope(scope_text)
    shown = notice(request.language, Controller(name=request.controller, contact=request.contact))
    source = describe(request.capture)
    house.donors.check_enrolment(request.name, challenge, source.sha256, house.clock())
    try:
        report = _look(house, source, challenge, reporter)
    except Refusal as refusal:
        house.donors.note_refusal(refusal, house.clock(), challenge=challenge.id)
        raise
    enrolment = Enrolment(
        name=request.name, capture=request.capture, challenge=challenge, report=report, scope=scope,
        scope_text=scope_text, notice=shown, jurisdiction=request.jurisdiction,
    )  # fmt: skip
    return Enrolled(donor=house.donors.enrol(enrolment, house.clock()), report=report)


def read_small(path: Path) -> bytes:
    """The content of a small text file.

    Raises:
        CallerError: it is not there, may not be read, or is far too large to be what it should be.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_TEXT + 1)
    except OSError as error:
        raise CallerError(f"{path} cannot be read: {error.strerror or error}.", advice="Check the name.") from error
    if len(content) > LARGEST_TEXT:
        raise CallerError(f"{path} is too large to be a challenge or TOML file.", advice="Check the name.")
    return content


def _look(house: House, source: SourceInfo, challenge: Challenge, reporter: Reporter) -> CaptureReport:
    meter = SignalMeter()
    signals: list[FrameSignal] = []

    def metered(frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            signals.append(meter.measure(frame))
            yield frame

    with borrowed_track(house, source, reporter, passing=metered) as track:
        return check_capture(challenge, track, signals, marks=marks_of_ours(house, source, reporter))
