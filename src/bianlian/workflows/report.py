"""The report beside a result: what was drawn, how well, on time, with which marks, and where to look first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from bianlian.marking.metadata import AigcLabel
from bianlian.records.donor import stamp
from bianlian.records.frame import SourceInfo
from bianlian.records.track import TrackInfo
from bianlian.records.verdict import Verdict
from bianlian.tracking.associate import ALIKE
from bianlian.workflows.notes import FaceSummary, Passage
from bianlian.workflows.quality import Calm, Likeness, Measures
from bianlian.workflows.stopwatch import Speed

FORMAT, VERSION = "bianlian-report", 1
JSON_SUFFIX, PAGE_SUFFIX = ".report.json", ".report.html"
"""Put behind the whole name of a result, `scene.bianlian.mp4.report.json`: a clip and a picture may share a stem."""
LOOK_FIRST = 12
"""Frames that a person is asked to look at."""
TOLD_PASSAGES = 5
"""Faded passages that are told when a swap ends; the report has them all."""
RESTLESS = 1.3
"""Second difference of the face over the footage's own from which it is worth a look."""
_SQUARE = Fraction(11, 10)
"""Ratio of a pixel's sides up to which it passes for square: at 16:15 the donor was as like as in square pixels (identity
distance .33), at 4:3 and 3:4 less (.37, .36), with cheeks that bulge."""
_JUMP = 0.02
"""Share of the face's height by which landmarks may leave a steady path in 1/25 s: about twice the most that two demo clips show
(0.011 at 25 frames a second; 0.025 at 15, where a frame lasts longer and the square of that counts)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A frame to look at, and why."""

    frame: int
    seconds: float
    person: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """All that a report is made of."""

    job_id: str
    level: str
    source: SourceInfo
    output: Path
    track: TrackInfo
    donors: Mapping[int, str]
    """Pseudonym of each person's donor."""
    summaries: Mapping[int, FaceSummary]
    measures: Measures
    dropped: tuple[str, ...]
    """What could not be carried over, in words."""
    label: AigcLabel
    """The result's metadata label; the page's pictures carry it too."""
    verdict: Verdict
    speed: Speed
    when: datetime


def named_beside(output: Path, suffix: str) -> Path:
    """Where the report of a result lies."""
    return output.with_name(output.name + suffix)


def report_json(facts: Facts) -> dict[str, Any]:
    """The report as JSON."""
    timing, source = facts.measures.timing, facts.source
    return {
        "format": FORMAT,
        "version": VERSION,
        "made": stamp(facts.when),
        "job": facts.job_id,
        "result": facts.output.name,
        "level": facts.level,
        "footage": {"name": source.path.name, "sha256": source.sha256, "size": source.size, "frames": facts.track.frame_count},
        "persons": [_person(facts, person) for person in facts.summaries],
        "timing": {
            "is_exact": timing.is_exact,
            "frames_footage": timing.frames_footage,
            "frames_result": timing.frames_result,
            "largest_shift_s": float(timing.largest_shift),
            "end_footage_s": float(timing.end_footage),
            "end_result_s": float(timing.end_result),
        },
        "streams": {
            "footage": [f"{one.kind} {one.codec} {one.language}".strip() for one in source.streams],
            "result": [f"{one.kind} {one.codec} {one.language}".strip() for one in facts.measures.result.streams],
            "dropped": list(facts.dropped),
        },
        "verdict": facts.verdict.state.value,
        "marks": [
            {"check": finding.check, "outcome": finding.outcome.value, "sentence": finding.sentence}
            for finding in facts.verdict.findings
        ],
        "speed": facts.speed.as_json(),
        "look_first": [asdict(look) for look in looks(facts)],
    }  # fmt: skip


def report_bytes(facts: Facts) -> bytes:
    """The report as a file."""
    return json.dumps(report_json(facts), ensure_ascii=False, indent=1).encode() + b"\n"


def told(facts: Facts) -> tuple[str, ...]:
    """Sentences on what faded and what was lost from sight, for the end of a swap."""
    summaries = facts.summaries
    sentences = [
        f"Person {person} {sentence_of(passage)}"
        for person, summary in summaries.items()
        for passage in summary.passages
    ]
    rest = sum(summary.passage_count for summary in summaries.values()) - TOLD_PASSAGES
    more = [f"{rest} more passages fade: see the report."] if rest > 0 else []
    brinks = ((person, _brinks(summary, facts.track)) for person, summary in summaries.items())
    lost = [
        f"Person {person} comes into sight or goes out of it within a shot, beside {_few(frames)}: look there, because a face of "
        "which less than half is to be seen is neither found nor replaced."
        for person, frames in brinks
        if frames
    ]
    return (*_oblong(facts.source), *sentences[:TOLD_PASSAGES], *more, *lost, *_doubles(facts))


def _doubles(facts: Facts) -> Iterator[str]:
    """Who looks like somebody who is replaced, and stays: a mirror, a screen or a photograph shows a performer twice."""
    known = [person for person in facts.track.persons if person.embedding.any()]
    for other in known:
        alike = (
            person.number
            for person in known
            if person.number in facts.donors and np.linalg.norm(person.embedding - other.embedding) < ALIKE
        )
        if other.number not in facts.donors and (number := next(alike, 0)):
            yield (
                f"Person {other.number}, who is not cast, looks like person {number}. If that is a mirror or a screen, "
                "cast both: the performer is still to be seen in it."
            )


def _oblong(source: SourceInfo) -> tuple[str, ...]:
    aspect = source.sample_aspect
    if 1 / _SQUARE < aspect < _SQUARE:
        return ()
    return (
        f"The footage's pixels are not square ({aspect.numerator}:{aspect.denominator}), and faces are drawn as if they were: "
        "the donor comes out less like. Scale the footage to square pixels first where that matters.",
    )


def _few(frames: Mapping[int, float]) -> str:
    named = ", ".join(f"{seconds:.2f} s" for seconds in list(frames.values())[:TOLD_PASSAGES])
    rest = len(frames) - TOLD_PASSAGES
    return f"{named} and {rest} more moments" if rest > 0 else named


def _brinks(summary: FaceSummary, track: TrackInfo) -> dict[int, float]:
    """Frames just before and after those that show somebody, where no cut is the reason, each with the seconds of the one beside
    it: there a part of a face may be in the picture that is too small to be found."""
    shots = {0, *track.cuts, track.frame_count}
    brinks: dict[int, float] = {}
    for run in summary.runs:
        if run.first not in shots:
            brinks[run.first - 1] = run.begin
        if run.last + 1 not in shots:
            brinks[run.last + 1] = run.end
    return brinks


def sentence_of(passage: Passage) -> str:
    """What happened in a passage."""
    how = "to the original" if passage.least <= 0 else f"in part (down to {passage.least:.0%})"
    count = passage.last - passage.first + 1
    when = f"{passage.begin:.2f} s to {passage.end:.2f} s, {count} frames" if count > 1 else f"{passage.begin:.2f} s"
    return f"fades {how}: {passage.reason} ({when})."


def looks(facts: Facts) -> list[Look]:
    """Frames to look at first, the likeliest faults before the rest, then by time; each frame once."""
    found: list[tuple[float, Look]] = []
    limit = _JUMP / min(1.0, float(facts.source.average_rate or 25) / 25) ** 2
    for person, summary in facts.summaries.items():
        for passage in summary.passages:
            # Half the donor and half the performer is the worst picture; wholly faded is plain footage.
            severity = 2.0 + 4 * passage.least * (1 - passage.least)
            found.append((severity, _look(passage.deepest, _middle(passage), person, passage.reason)))
        found += [
            (1 + jump, _look(frame, seconds, person, f"the face jumps by {jump:.1%} of its height"))
            for jump, frame, seconds in summary.jumps
            if jump > limit
        ]
        for likeness in facts.measures.likeness[person]:
            if 0 <= likeness.to_performer < likeness.to_donor:
                why = "the face is nearer to the performer than to the donor"
                found.append((4.0, _look(likeness.frame, likeness.seconds, person, why)))
        found += [
            (3.5, _look(frame, seconds, person, "the person comes into sight or goes out of it"))
            for frame, seconds in _brinks(summary, facts.track).items()
        ]
        found += _restless(facts.measures.calm[person], facts.measures.likeness[person], person)
    found.sort(key=lambda one: (-one[0], one[1].seconds))
    once: dict[int, Look] = {}
    for _, look in found:
        once.setdefault(look.frame, look)
    return list(once.values())[:LOOK_FIRST]


def _restless(calm: Calm, likeness: Sequence[Likeness], person: int) -> list[tuple[float, Look]]:
    if calm.ratio <= RESTLESS or not calm.frames or not likeness:
        return []
    why = f"the face is {calm.ratio:.1f} times as restless as the footage"
    return [(1.5, _look(likeness[0].frame, likeness[0].seconds, person, why))]


def _look(frame: int, seconds: float, person: int, why: str) -> Look:
    return Look(frame=frame, seconds=seconds, person=person, why=why)


def _middle(passage: Passage) -> float:
    """About when a passage's deepest frame is shown."""
    span = max(1, passage.last - passage.first)
    return passage.begin + (passage.end - passage.begin) * (passage.deepest - passage.first) / span


def _person(facts: Facts, person: int) -> dict[str, Any]:
    summary, calm = facts.summaries[person], facts.measures.calm[person]
    likeness = facts.measures.likeness[person]
    tracked = next(one.frame_count for one in facts.track.persons if one.number == person)
    return {
        "person": person,
        "donor": facts.donors[person],
        "frames": {
            "tracked": tracked, "drawn": summary.drawn, "faded": summary.faded, "gone": summary.gone,
            "not_placed": tracked - summary.placed,
        },
        "coverage": round(summary.drawn / tracked, 4) if tracked else 0.0,
        "confidence_per_second": [[one.second, round(one.mean, 3), round(one.least, 3)] for one in summary.seconds],
        "faded": [asdict(passage) for passage in summary.passages],
        "faded_count": summary.passage_count,
        "identity": {
            "samples": [asdict(one) for one in likeness],
            "to_donor": round(fmean(one.to_donor for one in likeness), 4) if likeness else None,
            "to_performer": round(fmean(one.to_performer for one in likeness), 4) if likeness else None,
            "nearer_to_donor": sum(one.to_donor < one.to_performer or one.to_performer < 0 for one in likeness),
        },
        "flicker": {
            "result": round(calm.result, 3), "footage": round(calm.footage, 3), "samples": calm.frames,
            "ratio": round(calm.ratio, 3) if calm.frames else None,
        },
    }  # fmt: skip
