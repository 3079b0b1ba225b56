"""The check of a capture (docs/consent.md): does it answer the challenge, alive, in one take, by one person?

A pure function over the tracked performance; what it cannot see (an injected camera feed, coercion, a twin) is said in
docs/threat-model.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bianlian.donors import liveness
from bianlian.donors.challenge import Challenge
from bianlian.donors.coverage import measure_coverage
from bianlian.donors.movements import check_acts, find_movements, find_neutral, measure
from bianlian.donors.rules import CaptureRules
from bianlian.donors.series import Series, read_series
from bianlian.errors import ConsentRefused
from bianlian.records.arrays import F32, frozen
from bianlian.records.donor import ActSeen, Coverage, FrameSignal
from bianlian.records.face import EMBEDDING
from bianlian.records.track import Track

_TURNED = 0.9
"""Share of a turn's reach from which on the head counts as turned."""
_ROUNDS = 10
"""Of 2-means; it settles within five on all clips."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaptureReport:
    """A capture that passed."""

    challenge: str
    """Id of the challenge that it answers."""
    capture_sha256: str
    person: int
    """Number of the donor in the track."""
    acts: tuple[ActSeen, ...]
    talk_from: float
    """Second at which the acts are over."""
    seconds: float
    template: F32
    """128: the mean identity embedding, little-endian float32."""
    identity_spread: float
    """Distance between the two groups that the sampled embeddings part into best; small for one person."""
    coverage: Coverage

    def __post_init__(self) -> None:
        object.__setattr__(self, "template", frozen(self.template, "template", (EMBEDDING,), "<f4"))


def check_capture(
    challenge: Challenge, track: Track, signals: Sequence[FrameSignal], *, marks: Sequence[str] = (),
    rules: CaptureRules | None = None,
) -> CaptureReport:  # fmt: skip
    """Check a capture against its challenge.

    Args:
        challenge: whose signature, time and freshness were checked (`check_challenge`).
        track: of the whole capture.
        signals: one for each frame of the capture, in order (`SignalMeter`).
        marks: marks of this program that were found in the file, in words; any refuses.
        rules: limits; the defaults are those of `CaptureRules`.

    Raises:
        ConsentRefused: the sentence says what is wrong at which second, the advice what to do; codes begin with "capture-".
    """
    rules = rules or CaptureRules()
    if marks:
        raise ConsentRefused(
            f"The capture was made by this program: {', '.join(marks)}.",
            code="capture-own-output",
            advice="A swapped face cannot give consent. Record yourself.",
        )
    series = read_series(track, [signal.instant for signal in signals])
    liveness.check_clock(series, rules)
    liveness.check_presence(series, rules)
    liveness.check_light(signals, rules)
    liveness.check_unbroken(series, signals, track.info.cuts, rules)
    template, spread = _one_person(track, series, rules)
    neutral = find_neutral(series, rules)
    acts = check_acts(challenge.acts, find_movements(series, neutral, rules), rules)
    liveness.check_speed(series, rules)
    channels = measure(series, neutral, rules)
    within = (series.seconds >= acts[0].start) & (series.seconds <= acts[-1].end) & series.is_present
    turned = within & (np.maximum(channels["turn-left"], channels["turn-right"]) >= _TURNED)
    liveness.check_solid(series, turned, series.is_present & (series.seconds <= rules.neutral_s), rules)
    _check_talk(series, acts[-1].end, rules)
    talk = int(np.searchsorted(series.seconds, acts[-1].end))
    liveness.check_moving(series, signals, talk, rules)
    liveness.check_unrepeated(series, talk, rules)
    return CaptureReport(
        challenge=challenge.id,
        capture_sha256=track.info.source_sha256,
        person=series.person,
        acts=acts,
        talk_from=acts[-1].end,
        seconds=float(series.seconds[-1]),
        template=template,
        identity_spread=spread,
        coverage=measure_coverage(series),
    )


def _one_person(track: Track, series: Series, rules: CaptureRules) -> tuple[F32, float]:
    """The face template, once all samples agree with it."""
    donor = next(person for person in track.info.persons if person.number == series.person)
    if len(donor.embeddings) < 3:
        raise ConsentRefused(
            "The face is too small or too blurred to tell whether it is one person all along.",
            code="capture-identity-unclear",
            advice="Go nearer to the camera, and see that the picture is sharp.",
        )
    template = donor.embedding.astype("<f4")
    distances = np.linalg.norm(donor.embeddings - template, axis=1)
    apart, is_second = part(donor.embeddings)
    if apart > rules.identity or distances.max() > rules.stranger:
        first = int(is_second.argmax()) if apart > rules.identity else int(distances.argmax())
        raise liveness.another_person(float(series.seconds[donor.embedding_frames[first]]))
    return template, apart


def part(embeddings: F32) -> tuple[float, np.ndarray]:
    """Part embeddings into the two groups that are furthest apart (2-means from the two most distant samples).

    Args:
        embeddings: Nx128, N at least 2.

    Returns:
        Distance of the groups' means, and N bool: belongs to the group that the first sample does not belong to.
    """
    distance = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=2)
    one, two = (embeddings[index] for index in np.unravel_index(distance.argmax(), distance.shape))
    is_two = np.zeros(len(embeddings), bool)
    for _ in range(_ROUNDS):
        is_two = np.linalg.norm(embeddings - two, axis=1) < np.linalg.norm(embeddings - one, axis=1)
        if is_two.all() or not is_two.any():
            return 0.0, np.zeros(len(embeddings), bool)
        one, two = embeddings[~is_two].mean(axis=0), embeddings[is_two].mean(axis=0)
    return float(np.linalg.norm(one - two)), is_two ^ is_two[0]


def _check_talk(series: Series, start: float, rules: CaptureRules) -> None:
    length = float(series.seconds[-1]) - start
    if not rules.talk_s[0] <= length <= rules.talk_s[1]:
        raise ConsentRefused(
            f"After the acts, {length:.1f} s follow; asked for are 10 to 30 s of talk.",
            code="capture-talk-length",
            advice="After the last act, talk for 10 to 30 seconds and move your head slowly.",
        )
