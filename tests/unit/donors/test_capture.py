"""The attack table, as far as a performance shows it; the same attacks as encoded clips are in docs/threat-model.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from bianlian.donors.capture import CaptureReport, check_capture
from bianlian.donors.challenge import Challenge
from bianlian.errors import ConsentRefused
from tests.unit.donors.performances import (
    FPS,
    MadeTrack,
    Moment,
    act,
    flat,
    mirror_names,
    mirrored,
    neutral,
    take,
    talk,
)

ASKED = ("turn-left", "smile", "look-up", "open-mouth", "turn-right")
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def challenge(acts: Sequence[str] = ASKED) -> Challenge:
    return Challenge(id="c", issued=NOW, expires=NOW, nonce="00", acts=tuple(acts), signature="")


def check(moments: Sequence[Moment], *, fps: float = FPS, **track: object) -> CaptureReport:
    made = MadeTrack(moments, fps=fps, **track)  # pyright: ignore[reportArgumentType]
    return check_capture(challenge(), made, made.signals)


def alternating() -> list[Moment]:
    return neutral(1) + [m for i, name in enumerate(ASKED) for m in act(1 + i % 2, name)] + talk(1)


def second_face() -> list[Moment]:
    moments = take(ASKED)
    return moments[:200] + [replace(m, other_size=0.6) for m in moments[200:230]] + moments[230:]


def frozen() -> list[Moment]:
    moments = take(ASKED)
    return moments[:250] + [replace(moments[250], repeats=True)] * 10 + moments[250:]


def hidden() -> list[Moment]:
    moments = take(ASKED)
    return moments[:250] + [replace(m, is_gone=True) for m in moments[250:265]] + moments[265:]


def jumping() -> list[Moment]:
    calm = [Moment(who=1, yaw=2.0)] * 30
    return take(ASKED)[:-60] + calm + [Moment(who=1, yaw=30.0)] * 60


ATTACKS: dict[str, tuple[Callable[[], list[Moment]], str]] = {
    "wrong order": (lambda: take((ASKED[1], ASKED[0], *ASKED[2:])), "capture-wrong-act"),
    "missing act": (lambda: take((*ASKED[:2], *ASKED[3:])), "capture-wrong-act"),
    "last act missing, calm talk": (lambda: [*take(ASKED[:4], seconds=0), *neutral(1, 12)], "capture-missing-act"),
    "older challenge": (
        lambda: take(("raise-brows", "turn-right", "close-eyes", "look-down", "smile")),
        "capture-wrong-act",
    ),
    "photo with moving mouth, turned about": (lambda: flat(take(ASKED)), "capture-flat"),
    "still photo": (lambda: [replace(neutral(1)[0], repeats=True)] * 400, "capture-frozen"),
    "looped talk": (lambda: take(ASKED, seconds=0) + talk(1, 4) * 3, "capture-looped"),
    "talk played forth and back": (lambda: take(ASKED, seconds=0) + talk(1, 6) + talk(1, 6)[::-1], "capture-looped"),
    "two people taking turns": (alternating, "capture-other-person"),
    "splice of two people": (lambda: take(ASKED, seconds=0) + talk(2), "capture-other-person"),
    "mirrored": (lambda: mirrored(take(ASKED)), "capture-mirrored"),
    "second face enters": (second_face, "capture-second-face"),
    "freeze": (frozen, "capture-frozen"),
    "face hidden": (hidden, "capture-face-lost"),
    "jump": (jumping, "capture-jump"),
    "no calm start": (lambda: take(ASKED)[20:], "capture-no-neutral"),
    "acts too small": (lambda: take(ASKED, far=0.2), "capture-missing-act"),
    "an act of seven seconds": (lambda: take(ASKED, hold=6.0), "capture-act-slow"),
    "long pause": (lambda: neutral(1, 7) + take(ASKED), "capture-act-late"),
    "no talk": (lambda: take(ASKED, seconds=3), "capture-talk-length"),
    "dark": (lambda: [replace(m, luma=15.0) for m in take(ASKED)], "capture-light"),
    "tiny": (lambda: [replace(m, scale=0.3) for m in take(ASKED)], "capture-too-small"),
}


def test_an_honest_take_is_accepted_and_described() -> None:
    report = check(take(ASKED))
    assert [seen.act for seen in report.acts] == list(ASKED)
    assert report.acts[0].start == pytest.approx(1.1, abs=0.2)
    assert np.degrees(report.coverage.yaw[1]) > 20
    assert "raise the eyebrows" in report.coverage.missing
    assert report.identity_spread < 0.35


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused_with_their_code_a_second_and_advice(name: str) -> None:
    made, code = ATTACKS[name]
    with pytest.raises(ConsentRefused) as refusal:
        check(made())
    assert refusal.value.code == code
    assert refusal.value.advice


@pytest.mark.parametrize("speed", [1.5, 2.0, 3.0])
def test_sped_up_takes_are_refused(speed: float) -> None:
    with pytest.raises(ConsentRefused) as refusal:
        check(take(ASKED, seconds=30), fps=FPS * speed)
    assert refusal.value.code in {"capture-act-fast", "capture-sped-up", "capture-wrong-act", "capture-no-neutral"}


def test_two_tracked_people_who_are_never_seen_together_are_refused() -> None:
    with pytest.raises(ConsentRefused) as refusal:
        check(alternating(), numbered=True)
    assert refusal.value.code in {"capture-other-person", "capture-face-lost", "capture-second-face"}


def test_a_cut_is_refused_where_it_is() -> None:
    with pytest.raises(ConsentRefused, match=r"cut at 20\.0 s") as refusal:
        check(take(ASKED), cuts=(300,))
    assert refusal.value.code == "capture-cut"


def test_our_own_output_is_refused() -> None:
    made = MadeTrack(take(ASKED))
    with pytest.raises(ConsentRefused, match="watermark") as refusal:
        check_capture(challenge(), made, made.signals, marks=("watermark",))
    assert refusal.value.code == "capture-own-output"


def test_no_face_at_all_is_refused() -> None:
    made = MadeTrack(take(ASKED))
    made.info = replace(made.info, persons=())
    with pytest.raises(ConsentRefused) as refusal:
        check_capture(challenge(), made, made.signals)
    assert refusal.value.code == "capture-no-face"


def test_the_sentence_names_the_act_and_its_second() -> None:
    with pytest.raises(ConsentRefused, match=r"Act 2 should be .smile.*seen at 3\.\d s was .tilt your head up"):
        check(take((ASKED[0], "look-up", *ASKED[2:])))


def test_a_mirrored_take_of_a_mirrored_challenge_is_no_way_round() -> None:
    """Mirroring exchanges the turns, so it only answers another challenge."""
    moments = mirrored(take(mirror_names(ASKED)))
    assert [seen.act for seen in check(moments).acts] == list(ASKED)
