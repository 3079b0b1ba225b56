"""What a capture must be like. Each number says where it comes from; the measurements are in docs/threat-model.md."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


def _reach() -> Mapping[str, float]:
    return MappingProxyType({
        "turn-left": math.radians(15), "turn-right": math.radians(15), "look-up": math.radians(9), "look-down": math.radians(9),
        "open-mouth": 0.24, "close-eyes": 0.24, "smile": 0.18, "raise-brows": 0.45,
    })  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureRules:
    """Limits for a capture; the defaults are what `donor enrol` uses."""

    reach: Mapping[str, float] = field(default_factory=_reach)
    """How far each act must go from the person's own neutral: radians for the head, blendshape difference for the face."""
    release: float = 0.5
    """An act ends when it is back below this share of its reach."""
    neutral_s: float = 0.5
    """Length of the calm start that the neutral is taken from."""
    neutral_turn: float = math.radians(28)
    """A start that is turned further than this is not neutral; low cameras see a calm face pitched by 15 degrees."""
    slip_s: float = 0.2
    """Window of the median that takes slipping landmarks out."""
    blink_s: float = 0.45
    """Expressions that last shorter are no acts: blinks last 0.1 to 0.4 s, syllables 0.2 to 0.3 s."""
    drift_s: float = 1.0
    """Time constant with which the neutral follows a person between acts."""
    shortest_s: float = 0.3
    """Movements of the head that last shorter are no acts."""
    hold_s: float = 0.95
    """Shortest act; the instructions ask to hold each for about a second (1.1 to 1.5 s on the clips). Faster: sped up."""
    step_s: float = 5.0
    """Longest act, and longest pause before one, as is usual for challenges of this kind."""
    talk_s: tuple[float, float] = (7.5, 45.0)
    """Length of what follows the acts; asked for are 10 to 30 s, and nobody has a clock in the head."""
    head_speed: float = math.radians(150)
    """Fastest turn per second: 82 to 111 degrees in the acts and talk of five performers, 27 to 106 in four clips of people."""
    frame_rate: tuple[float, float] = (14.0, 61.0)
    longest_gap_s: float = 0.35
    """Longest step between two frames: a paused recording shows more."""
    lost_s: float = 0.5
    """How long the face may be out of sight at a time."""
    second_face: float = 0.3
    """Another face of this share of the donor's height is a person, not a picture on the wall."""
    second_face_s: float = 0.2
    smallest_px: float = 96.0
    """Median height of the face, half of what the limits were measured with."""
    luma: tuple[float, float] = (35.0, 225.0)
    """Mean luma of the middle of the picture, 0..255."""
    frozen_difference: float = 1e-5
    """Mean absolute luma difference below which a frame repeats the one before. A calm face leaves 0.15 at CRF 17, 0.001 at
    CRF 28 and 0.0002 at CRF 35; an encoder skips what really stands still."""
    frozen_s: float = 1.0
    """At CRF 30 a small, calm, synthetic face is skipped for half a second."""
    still_share: float = 0.04
    still_s: float = 0.3
    """While somebody talks, no stretch of this length changes less than this share of what is usual: people keep above 0.15,
    a repeated frame that was encoded again falls to 0.001."""
    cut_ratio: float = 8.0
    cut_difference: float = 12.0
    """A frame that differs so many times more than its neighbours, and so many 8-bit steps at least, is a cut."""
    jump: float = 0.06
    """Landmarks that all move by this share of the face's height within one frame, and are calm before and after, jumped."""
    jump_ratio: float = 4.0
    loop_s: float = 1.5
    loop_distance: float = 0.3
    """Movement that comes again for so long, and differs by less than this share of itself, is a loop. Nobody's talk comes
    nearer to itself than 0.6 (five performers, three people)."""
    flat_residual: float = 0.012
    """Landmarks of a turned head differ from every view of a flat picture by more than this share of the face's height."""
    identity: float = 0.45
    """Largest distance between the two groups that embeddings part into: one person 0.19 to 0.37 (5 synthetic, 3 real), two
    people from 0.54 (10 pairs)."""
    stranger: float = 0.6
    """Largest distance of one embedding from the mean: dlib's own limit between two pictures of a person."""
