"""Performances made by code: a solid head of 478 points that does acts and talks, and the tricks that people may try with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from bianlian.donors.acts import MIRRORED
from bianlian.records.donor import FrameSignal
from bianlian.records.face import EXPRESSION_NAMES, Face, Pose, Quality, TrackedFace
from bianlian.records.time import Instant
from bianlian.records.track import Person, TrackInfo

FPS = 15
HEAD = {"turn-left": (32, 0), "turn-right": (-32, 0), "look-up": (0, 20), "look-down": (0, -20)}
FACE = {
    "open-mouth": {"jawOpen": 0.6},
    "close-eyes": {"eyeBlinkLeft": 0.6, "eyeBlinkRight": 0.6},
    "smile": {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7},
    "raise-brows": {"browInnerUp": 0.4, "browOuterUpLeft": 0.4, "browOuterUpRight": 0.4},
}
BROWS = [70, 63, 105, 66, 107, 336, 296, 334, 293, 300]
EYES = [33, 133, 362, 263]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One frame of somebody's performance; angles in degrees."""

    who: int
    yaw: float = 0.0
    pitch: float = 0.0
    face: dict[str, float] = field(default_factory=dict[str, float])
    is_flat: bool = False
    is_gone: bool = False
    other_size: float = 0.0
    repeats: bool = False
    luma: float = 110.0
    scale: float = 1.0


def neutral(who: int, seconds: float = 0.8) -> list[Moment]:
    return [Moment(who=who)] * round(seconds * FPS)


def act(who: int, name: str, *, far: float = 1.0, hold: float = 0.7) -> list[Moment]:
    ramp, count = 0.5, round((1.0 + hold) * FPS) + 4
    moments: list[Moment] = []
    for index in range(count):
        t = (index - 2) / FPS
        x = max(0.0, min(1.0, t / ramp, (2 * ramp + hold - t) / ramp))
        x = far * x * x * (3 - 2 * x)
        yaw, pitch = HEAD.get(name, (0, 0))
        face = {shape: x * value for shape, value in FACE.get(name, {}).items()}
        moments.append(Moment(who=who, yaw=yaw * x, pitch=pitch * x, face=face))
    return moments


def talk(who: int, seconds: float = 12.0, seed: int = 0) -> list[Moment]:
    random = np.random.default_rng(seed)
    count = round(seconds * FPS)
    if not count:
        return []
    wander = np.cumsum(random.normal(size=(count, 3)), axis=0)
    wander = 12 * wander / np.abs(wander).max()
    jaw = np.convolve(random.uniform(size=count + 2), [0.25, 0.5, 0.25], "valid")
    fade = np.minimum(1, np.arange(count) / FPS)
    return [
        Moment(
            who=who,
            yaw=fade[i] * wander[i, 0],
            pitch=fade[i] * wander[i, 1] / 2,
            face={"jawOpen": 0.5 * fade[i] * jaw[i]},
        )
        for i in range(count)
    ]


def take(
    acts: Sequence[str], *, who: int = 1, seconds: float = 12.0, far: float = 1.0, hold: float = 0.7
) -> list[Moment]:
    """A capture that answers a challenge."""
    moments = neutral(who)
    for name in acts:
        moments += act(who, name, far=far, hold=hold)
    return moments + talk(who, seconds)


def mirrored(moments: Sequence[Moment]) -> list[Moment]:
    return [replace(moment, yaw=-moment.yaw) for moment in moments]


def flat(moments: Sequence[Moment]) -> list[Moment]:
    return [replace(moment, is_flat=True) for moment in moments]


def mirror_names(acts: Sequence[str]) -> tuple[str, ...]:
    return tuple(MIRRORED.get(name, name) for name in acts)


class MadeTrack:
    """A `Track` of moments, as a tracker would give it; everybody who is seen has a number by order of appearance."""

    def __init__(
        self, moments: Sequence[Moment], *, fps: float = FPS, numbered: bool = False, cuts: Sequence[int] = ()
    ) -> None:
        self._moments = moments
        rate = Fraction(fps).limit_denominator(1000)
        self.instants = [Instant(pts=index, time_base=1 / rate) for index in range(len(moments))]
        order = list(dict.fromkeys(moment.who for moment in moments))
        self._number = {who: order.index(who) + 1 if numbered else 1 for who in order}
        people = [self._person(number) for number in sorted(set(self._number.values()))]
        self.info = TrackInfo(
            source_sha256="ab" * 32, frame_count=len(moments), cuts=tuple(cuts), persons=tuple(people)
        )
        self.signals = [
            FrameSignal(
                index=index, instant=self.instants[index], luma_mean=moment.luma,
                mean_abs_difference=np.inf if index == 0 else 0.0 if moment.repeats else 1.0,
            )
            for index, moment in enumerate(moments)
        ]  # fmt: skip

    def faces(self, first: int, stop: int) -> Iterator[tuple[TrackedFace, ...]]:
        for index in range(first, stop):
            moment = self._moments[index]
            found = [] if moment.is_gone else [TrackedFace(person=self._number[moment.who], face=_face(moment))]
            if moment.other_size:
                found.append(TrackedFace(person=9, face=_face(replace(moment, scale=moment.other_size))))
            yield tuple(found)

    def _person(self, number: int) -> Person:
        frames = [
            i for i, moment in enumerate(self._moments) if self._number[moment.who] == number and not moment.is_gone
        ]
        sampled = frames[:: FPS // 2]
        embeddings = np.stack([_embedding(self._moments[i].who, i) for i in sampled])
        return Person(
            number=number, frame_count=len(frames), first=self.instants[frames[0]], last=self.instants[frames[-1]],
            best_frame=frames[0], embeddings=embeddings, embedding_frames=tuple(sampled),
        )  # fmt: skip


def _embedding(who: int, frame: int) -> np.ndarray:
    """Unit vectors of different people are about 0.65 apart, of one person 0.3, as dlib's are."""
    common = np.random.default_rng(99).normal(size=128)
    own = np.random.default_rng(who).normal(size=128)
    now = np.random.default_rng(1000 + frame).normal(size=128)
    vector = common / np.linalg.norm(common) + 0.55 * own / np.linalg.norm(own) + 0.2 * now / np.linalg.norm(now)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _face(moment: Moment) -> Face:
    yaw, pitch = np.radians(moment.yaw), np.radians(moment.pitch)
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    rotation = np.array([[cy, 0, sy], [-sy * sp, cp, cy * sp], [-sy * cp, -sp, cy * cp]], np.float32)
    expression = np.zeros(52, np.float32)
    for name, value in moment.face.items():
        expression[EXPRESSION_NAMES.index(name)] = value
    points = _points(moment.face.get("browInnerUp", 0.0))
    if moment.is_flat:
        points[:, 2] = 0
    points = (points @ rotation.T * 100 * moment.scale) * [1, -1, -1] + [256, 256, 0]
    return Face(
        points_image=points.astype(np.float32), pose=Pose(rotation=rotation), expression=expression,
        gaze=np.zeros(2, np.float32),
        quality=Quality(size_px=200 * moment.scale, sharpness=0.9, presence=1.0, covered=0.0),
    )  # fmt: skip


def _points(brows: float) -> np.ndarray:
    """478x3 on half an ellipsoid, x to the viewer's right, y up, z to the camera; one is half the face's height."""
    random = np.random.default_rng(7)
    points = random.uniform(-0.7, 0.7, size=(478, 3))
    points[:, 1] *= 1.4
    for index, x in zip(EYES, (-0.6, -0.2, 0.2, 0.6), strict=True):
        points[index, :2] = x, 0.2
    for index, x in zip(BROWS, np.linspace(-0.6, 0.6, len(BROWS)), strict=True):
        points[index, :2] = x, 0.5 + 0.1 * brows
    points[:, 2] = np.sqrt(np.maximum(0, 1 - points[:, 0] ** 2 - 0.6 * points[:, 1] ** 2))
    return points
