"""The eight acts that a challenge is made of, how to ask for them, and which sequences are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

ACTS = ("turn-left", "turn-right", "look-up", "look-down", "open-mouth", "close-eyes", "smile", "raise-brows")
"""Left and right are the donor's own."""
TURNS = frozenset({"turn-left", "turn-right"})
FACE_ACTS = frozenset({"open-mouth", "close-eyes", "smile", "raise-brows"})
ACTS_PER_CHALLENGE = 5
MIRRORED = {"turn-left": "turn-right", "turn-right": "turn-left"}

ENGLISH = {
    "turn-left": "turn your head to your own left",
    "turn-right": "turn your head to your own right",
    "look-up": "tilt your head up",
    "look-down": "tilt your head down",
    "open-mouth": "open your mouth wide",
    "close-eyes": "close your eyes",
    "smile": "smile broadly, with lips closed or open",
    "raise-brows": "raise your eyebrows",
}
CHINESE = {
    "turn-left": "把头转向您自己的左边",
    "turn-right": "把头转向您自己的右边",
    "look-up": "抬头",
    "look-down": "低头",
    "open-mouth": "张大嘴",
    "close-eyes": "闭上眼睛",
    "smile": "咧嘴笑",
    "raise-brows": "扬起眉毛",
}


def is_legal(acts: Sequence[str]) -> bool:
    """Whether a challenge may ask for these acts.

    Five known acts, none twice in a row; at least one turn, without which a mirrored take would pass, and at least one act
    of the face itself, which a photo moved about cannot do. 15,136 such sequences exist (counted in the tests).
    """
    return (
        len(acts) == ACTS_PER_CHALLENGE
        and all(act in ACTS for act in acts)
        and all(first != second for first, second in pairwise(acts))
        and not TURNS.isdisjoint(acts)
        and not FACE_ACTS.isdisjoint(acts)
    )


def draw(rng: Random) -> tuple[str, ...]:
    """A legal sequence, each as likely as any other; `rng` must not be predictable (`random.SystemRandom`)."""
    while True:
        acts = tuple(rng.choice(ACTS) for _ in range(ACTS_PER_CHALLENGE))
        if is_legal(acts):
            return acts
