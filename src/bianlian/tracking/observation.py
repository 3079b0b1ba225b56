"""What is seen in a frame before anybody knows who it is, and how hard to look."""

from __future__ import annotations

from dataclasses import dataclass

from bianlian.records.arrays import F32
from bianlian.records.face import Box, Quality
from bianlian.records.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveSettings:
    """How hard to look."""

    smallest_px: float = 40.0
    """Height of the smallest face to find."""
    look_back: int = 24
    """Frames held, in which every view gets its turn and through which a new face is followed backwards."""
    whole_every: int = 8
    """The whole frame is looked at this often, in frames."""
    first_window: int = 12
    """Frames from which the first identity embedding of a tracklet is chosen; the windows then double."""
    last_window: int = 192
    """Longest window between two embeddings, in frames."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ObservedFace:
    """A face in one frame, not yet somebody."""

    tracklet: int
    points_image: F32
    """478x3, not smoothed."""
    expression: F32
    """52."""
    quality: Quality


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledIdentity:
    """An embedding of a tracklet's face, taken in one of its frames."""

    tracklet: int
    frame: int
    embedding: F32
    """128."""
    worth: float
    """0..1: size, frontality, sharpness and openness of the face it was taken from."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameObservation:
    """What was seen in one frame."""

    index: int
    instant: Instant
    is_cut: bool
    faces: tuple[ObservedFace, ...]
    identities: tuple[SampledIdentity, ...]
    """Embeddings that became known with this frame; they may be of earlier ones."""


def box_of(points_image: F32) -> Box:
    """Bounding box of landmarks."""
    low, high = points_image[:, :2].min(axis=0).tolist(), points_image[:, :2].max(axis=0).tolist()
    return Box(left=low[0], top=low[1], right=high[0] + 1, bottom=high[1] + 1)
