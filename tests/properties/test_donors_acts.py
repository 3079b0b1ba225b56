"""Any legal challenge is accepted when it is answered, by anybody, at any camera's rate; nothing else is."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bianlian.donors.acts import draw
from bianlian.donors.capture import check_capture
from bianlian.donors.movements import check_acts, find_movements, find_neutral
from bianlian.donors.rules import CaptureRules
from bianlian.donors.series import read_series
from bianlian.errors import ConsentRefused
from bianlian.records.donor import ActSeen
from tests.unit.donors.performances import MadeTrack, take
from tests.unit.donors.test_capture import challenge

RULES = CaptureRules()
LEGAL = st.integers(0, 1 << 32).map(lambda seed: draw(Random(seed)))


def seen(acts: Sequence[str], *, far: float = 1.0, hold: float = 0.7) -> tuple[ActSeen, ...]:
    made = MadeTrack(take(acts, seconds=2, far=far, hold=hold))
    series = read_series(made, made.instants)
    return find_movements(series, find_neutral(series, RULES), RULES)


def is_accepted(acts: Sequence[str], movements: Sequence[ActSeen]) -> bool:
    try:
        check_acts(acts, movements, RULES)
    except ConsentRefused:
        return False
    return True


@settings(max_examples=40, deadline=None)
@given(acts=LEGAL, far=st.floats(0.75, 1.3), hold=st.floats(0.5, 3.0))
def test_any_legal_challenge_is_accepted_when_answered(acts: tuple[str, ...], far: float, hold: float) -> None:
    assert is_accepted(acts, seen(acts, far=far, hold=hold))


@settings(max_examples=30, deadline=None)
@given(acts=LEGAL, order=st.permutations(range(5)), other=LEGAL)
def test_any_permutation_and_any_other_challenge_is_refused(
    acts: tuple[str, ...], order: list[int], other: tuple[str, ...]
) -> None:
    permuted = tuple(acts[index] for index in order)
    movements = seen(acts)
    for asked in (permuted, other):
        assert is_accepted(asked, movements) == (asked == acts)


@settings(max_examples=20, deadline=None)
@given(acts=LEGAL, left_out=st.integers(0, 4))
def test_a_missing_act_is_refused(acts: tuple[str, ...], left_out: int) -> None:
    done = acts[:left_out] + acts[left_out + 1 :]
    assume(done != acts[:4])
    assert not is_accepted(acts, seen(done))


@settings(max_examples=8, deadline=None)
@given(acts=LEGAL, fps=st.sampled_from([14.5, 15, 15.9]))
def test_the_whole_check_accepts_any_legal_challenge(acts: tuple[str, ...], fps: float) -> None:
    made = MadeTrack(take(acts, seconds=14), fps=fps)
    report = check_capture(challenge(acts), made, made.signals)
    assert tuple(movement.act for movement in report.acts) == acts
