"""A pair of the bench pack, made ready: donor enrolled as live, footage tracked, the yardsticks measured."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bianlian.config import Settings
from bianlian.donors.roll import Donor
from bianlian.donors.scope import example_scope
from bianlian.errors import CallerError
from bianlian.imaging.colour import rgb_from_frame
from bianlian.imaging.metrics import Mask
from bianlian.media.decode import frames
from bianlian.media.probe import describe
from bianlian.records.arrays import F32, U8
from bianlian.records.composite import Composite
from bianlian.records.frame import SourceInfo
from bianlian.records.progress import Reporter
from bianlian.tracking.models import FaceModels
from bianlian.tracking.store import TrackReader
from bianlian.workflows.bench.coding import Coding, coding_for
from bianlian.workflows.bench.performance import Performance, largest, mirror_images, performance_of, seen_in, tracked
from bianlian.workflows.bench.scores import Yardstick, clip_flicker, fidelity
from bianlian.workflows.bench.unrest import TrueSkin
from bianlian.workflows.enrol import EnrolRequest, draw_challenge, enrol
from bianlian.workflows.house import House, open_house
from bianlian.workflows.learn import face_space
from bianlian.workflows.tracks import track_footage

INSIDE = 128
"""Mask codes above this are inside (INDEX of the pack)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """A donor, a performer, and what a perfect swap would look like."""

    name: str
    house: House
    donor: Donor
    footage: SourceInfo
    track: TrackReader
    performance: Performance
    """Of the footage."""
    donor_face: F32
    performer_face: F32
    coding: Coding
    truth: SourceInfo
    skin: TrueSkin
    yardstick: Yardstick

    def true_pictures(self) -> tuple[list[U8], list[Mask]]:
        """The truth, and where it counts."""
        return pictures_of(self.truth), list(self.skin.inside)


def prepared(settings: Settings, pack: Path, name: str, scratch: Path, reporter: Reporter) -> Pair:
    """Enrol the pair's donor in a home of its own, track the footage, measure what results are compared with.

    Raises:
        CallerError: the pack lacks a part.
    """
    reporter.say(f"{name}: enrolling")
    house = open_house(replace(settings, home=scratch / name))
    challenge, capture, scope = (scratch / f"{name}-{part}" for part in ("challenge.json", "capture.mp4", "scope.toml"))
    draw_challenge(house, challenge, language="en")
    _answer(pack, name, challenge, capture)
    scope.write_text(example_scope(datetime.now(UTC)), encoding="utf-8")
    enrolled = enrol(house, EnrolRequest(name=name, capture=capture, challenge=challenge, scope=scope), reporter)
    footage, truth, mask = (describe(pack / f"{name}_{part}.mp4") for part in ("footage", "truth", "truth.mask"))
    track = track_footage(house, footage, reporter)
    coding = coding_for(house, footage, track)
    performance = performance_of(track.faces(0, track.info.frame_count))
    reporter.say(f"{name}: yardsticks")
    models = house.face_models(reporter)
    faces = tracked(frames(truth), models)
    points = [None if face is None else face.points_image for face in largest(faces)]
    skin = TrueSkin(points=points, inside=masks_of(mask), template=face_space(house, reporter).template)
    return Pair(
        name=name, house=house, donor=enrolled.donor, footage=footage, track=track, performance=performance,
        donor_face=enrolled.report.template, performer_face=track.info.persons[0].embedding, coding=coding, truth=truth,
        skin=skin, yardstick=_yardstick(models, footage, truth, performance, performance_of(faces), skin, coding),
    )  # fmt: skip


def pictures_of(source: SourceInfo) -> list[U8]:
    """All frames as HxWx3."""
    return [rgb_from_frame(frame) for frame in frames(source)]


def masks_of(source: SourceInfo) -> list[Mask]:
    """All frames of a mask clip: true inside."""
    return [picture[..., 0] > INSIDE for picture in pictures_of(source)]


def _yardstick(
    models: FaceModels, footage: SourceInfo, truth: SourceInfo, performance: Performance, true_performance: Performance,
    skin: TrueSkin, coding: Coding,
) -> Yardstick:  # fmt: skip
    pictures = pictures_of(truth)
    again = coding.coded(Composite(frame=frame, faces=()) for frame in frames(truth))
    return Yardstick(
        nothing=fidelity(pictures_of(footage), pictures, skin.inside),
        flicker_codec=clip_flicker(again, pictures, skin.inside),
        unrest_codec=skin.unrest(again),
        second_look=seen_in(mirror_images(frames(footage)), models).mirrored.apart(performance),
        truth=true_performance.apart(performance),
    )


def _answer(pack: Path, name: str, challenge: Path, capture: Path) -> None:
    script = next(
        (path for path in (pack / "assemble_capture.py", pack.parent / "assemble_capture.py") if path.is_file()), None
    )
    if script is None:
        raise CallerError(f"{pack} has no assemble_capture.py.", advice="It answers challenges from the pack's clips.")
    acts, talk = pack / f"{name}_acts.mp4", pack / f"{name}_capture.mp4"
    command = [sys.executable, str(script), str(challenge), str(acts), str(talk), "-o", str(capture)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise CallerError(f"{script} failed: {outcome.stderr.strip()[-200:]}", advice="Run it by hand to see why.")
