"""A face in one frame: where it is, how it is held, what it does, how well it is seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bianlian.records.arrays import F32, frozen

LANDMARKS = 478
"""MediaPipe face mesh: 468 surface points, then 5 iris points an eye (468..472 the person's right, 473..477 left)."""
EXPRESSIONS = 52
"""Blendshape coefficients in the order of `EXPRESSION_NAMES`."""
EMBEDDING = 128
"""Length of an identity embedding (dlib ResNet)."""

EXPRESSION_NAMES = tuple(
    """_neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
    cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight
    eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight
    jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight
    mouthFunnel mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight
    mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight mouthStretchLeft
    mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft noseSneerRight""".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An axis-aligned box in pixels; right and bottom are exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def around(self, other: Box) -> Box:
        """The smallest box that holds both."""
        return Box(
            left=min(self.left, other.left), top=min(self.top, other.top),
            right=max(self.right, other.right), bottom=max(self.bottom, other.bottom),
        )  # fmt: skip

    def overlap(self, other: Box) -> float:
        """Intersection over union, 0..1."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.width * self.height + other.width * other.height - shared)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pose:
    """Head pose from the canonical face mesh: a similarity fit, weak perspective.

    `rotation` takes canonical axes (x to the viewer's right, y up, z towards the camera) to the same axes of the head as seen.
    Angles in radians. Positive yaw: the person turns to their own left. Positive pitch: looks up. Positive roll: the head
    leans to the person's own left shoulder, i.e. clockwise as the viewer sees it.
    """

    rotation: F32
    """3x3."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rotation", frozen(self.rotation, "rotation", (3, 3), np.float32))

    @property
    def yaw(self) -> float:
        return float(np.arctan2(self.rotation[0, 2], self.rotation[2, 2]))

    @property
    def pitch(self) -> float:
        return float(np.arcsin(np.clip(self.rotation[1, 2], -1.0, 1.0)))

    @property
    def roll(self) -> float:
        return float(-np.arctan2(self.rotation[1, 0], self.rotation[1, 1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How well a face is seen in one frame."""

    size_px: float
    """Height of the landmarks' box."""
    sharpness: float
    """0 blurred … 1 sharp: variance of the Laplacian of the aligned 128 px luma, v / (v + 40)."""
    presence: float
    """0..1, the landmark network's own score that a face is there."""
    covered: float
    """0..1, estimated share of the face that something hides."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Face:
    """One face in one frame."""

    points_image: F32
    """478x3: x, y in pixels; z relative depth in the scale of x, smaller is nearer."""
    pose: Pose
    expression: F32
    """52 coefficients, 0..1."""
    gaze: F32
    """2: (yaw, pitch) of the gaze relative to the head, radians, mean of both eyes; signs as in `Pose`."""
    quality: Quality

    def __post_init__(self) -> None:
        object.__setattr__(self, "points_image", frozen(self.points_image, "points_image", (LANDMARKS, 3), np.float32))
        object.__setattr__(self, "expression", frozen(self.expression, "expression", (EXPRESSIONS,), np.float32))
        object.__setattr__(self, "gaze", frozen(self.gaze, "gaze", (2,), np.float32))

    @property
    def box(self) -> Box:
        """Bounding box of the landmarks."""
        low, high = self.points_image[:, :2].min(axis=0), self.points_image[:, :2].max(axis=0)
        return Box(left=float(low[0]), top=float(low[1]), right=float(high[0]) + 1, bottom=float(high[1]) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedFace:
    """A face that belongs to a person of the track."""

    person: int
    """1-based number of the person in this footage."""
    face: Face
    is_interpolated: bool = False
    """Filled over a gap of a few frames."""
