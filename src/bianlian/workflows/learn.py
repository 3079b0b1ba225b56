"""Learn a donor's face from the capture in the vault; what is learnt goes back into the vault."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from bianlian.donors.papers import CAPTURE
from bianlian.donors.roll import Donor
from bianlian.errors import CallerError, ConsentRefused, NothingToSwap, UnreadableMedia
from bianlian.imaging.face_space import SIDE, FaceSpace, build_face_space, side_for
from bianlian.learning.interface import Identity, Learner
from bianlian.learning.levels import draft_learner, standard_learner
from bianlian.learning.samples import collect
from bianlian.media.decode import frames
from bianlian.media.probe import describe
from bianlian.records.appearance import Appearance
from bianlian.records.progress import Reporter
from bianlian.tracking.store import TrackReader
from bianlian.weights.canonical import read_canonical_mesh
from bianlian.weights.catalogue import FACE_LANDMARKER
from bianlian.workflows.house import House
from bianlian.workflows.tracks import borrowed_track, faces_of, typical_height

_LEARNERS = {"draft": draft_learner, "standard": standard_learner}


_LARGE_SAMPLES = 60
"""Samples of large faces: as much memory as four times as many ordinary ones (749 and 799 MB at the peak of learning)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What was learnt, in numbers."""

    donor_id: str
    level: str
    sample_count: int
    size_bytes: int

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {"donor": self.donor_id, "level": self.level, "samples": self.sample_count, "bytes": self.size_bytes}


def learn(house: House, name: str, *, level: str, seed: int, reporter: Reporter) -> Learnt:
    """Learn a donor at a level; learning again replaces what was there.

    Raises:
        CallerError: no such donor or level.
        ConsentRefused: the consent has ended.
        NothingToSwap: the capture shows too little.
    """
    donor = house.donors.find(name)
    if donor.receipt.scope.until < house.clock():
        raise ConsentRefused(
            f"The consent of {donor.name} has ended.", code="scope-expired", advice="Ask the donor for a new consent."
        )
    require_level(level)
    with house.donors.vault.borrowed(donor.id, CAPTURE) as path:
        source = describe(path)
        with borrowed_track(house, source, reporter) as track:
            person = _only_person(track)
            space = face_space(house, reporter).at(side_for(typical_height(track, (person,))))
            learner, stream = learner_of(level, space), faces_of(track, person, frames(source))
            most = learner.sample_limit if space.template.side == SIDE else min(learner.sample_limit, _LARGE_SAMPLES)
            lesson = collect(stream, space, limit=most)
    identity = Identity(donor_id=donor.id, template_commitment=donor.receipt.evidence.template_commitment)
    content = learner.fit(lesson, identity, seed=seed, reporter=reporter).to_bytes()
    house.donors.vault.write(donor.id, _file_name(level), content)
    return Learnt(donor_id=donor.id, level=level, sample_count=len(lesson.samples), size_bytes=len(content))


def appearance_of(house: House, donor: Donor, *, level: str, reporter: Reporter) -> tuple[Appearance, str]:
    """A donor's appearance at a level, and the SHA-256 of its file.

    Learnt first if it is not, or by another version of the program.
    """
    name = _file_name(level)
    if house.donors.vault.holds(donor.id, name):
        content = house.donors.vault.read(donor.id, name)
        try:
            return Appearance.from_bytes(content), hashlib.sha256(content).hexdigest()
        except UnreadableMedia:
            reporter.say(
                f"{donor.name} was learnt at level {level} by another version of this program: learning again."
            )
    else:
        require_level(level)
        reporter.say(f"{donor.name} has not been learnt at level {level} yet: learning now.")
    learn(house, donor.id, level=level, seed=0, reporter=reporter)
    content = house.donors.vault.read(donor.id, name)
    return Appearance.from_bytes(content), hashlib.sha256(content).hexdigest()


def face_space(house: House, reporter: Reporter) -> FaceSpace:
    """The canonical face that learning and composing share."""
    return build_face_space(read_canonical_mesh(house.weights.fetch(FACE_LANDMARKER, reporter=reporter)))


def learner_of(level: str, space: FaceSpace) -> Learner:
    """The learner of a level.

    Raises:
        CallerError: there is no such level.
    """
    require_level(level)
    return _LEARNERS[level](space)


def require_level(level: str) -> None:
    """Raises CallerError unless there is a learner of this level."""
    if level not in _LEARNERS:
        raise CallerError(f"There is no level {level!r}.", advice=f"There are: {', '.join(_LEARNERS)}.")


def _only_person(track: TrackReader) -> int:
    if not track.info.persons:
        raise NothingToSwap("The capture shows no face.", advice="Enrol the donor again with a better capture.")
    return max(track.info.persons, key=lambda person: person.frame_count).number


def _file_name(level: str) -> str:
    return f"appearance-{level}"
