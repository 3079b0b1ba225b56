"""What tracking leaves behind: who is in the footage, and each person's performance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bianlian.records.arrays import F32, frozen
from bianlian.records.face import EMBEDDING, TrackedFace
from bianlian.records.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Person:
    """Somebody in the footage, followed through gaps and cuts."""

    number: int
    """1-based, in order of first appearance, left to right within a frame."""
    frame_count: int
    first: Instant
    last: Instant
    best_frame: int
    """Index of the frame where the face is seen best, for the contact sheet."""
    embeddings: F32
    """Nx128 identity embeddings, sampled over the track; N may be 0 when the face is too small."""
    embedding_frames: tuple[int, ...]
    """Frame index of each embedding."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "embeddings", frozen(self.embeddings, "embeddings", (None, EMBEDDING), np.float32))
        if len(self.embedding_frames) != len(self.embeddings):
            raise ValueError("one frame index per embedding")

    @property
    def embedding(self) -> F32:
        """Mean embedding, 128; zeros when there is none."""
        return self.embeddings.mean(axis=0) if len(self.embeddings) else np.zeros(EMBEDDING, np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackInfo:
    """The track as a whole."""

    source_sha256: str
    frame_count: int
    """Frames that were really decoded."""
    cuts: tuple[int, ...]
    """Indices of the first frame after each hard cut, ascending."""
    persons: tuple[Person, ...]


class Track(Protocol):
    """Random access to a track without holding it in memory (see tracking/store.py)."""

    @property
    def info(self) -> TrackInfo: ...

    def faces(self, first: int, stop: int) -> Iterator[tuple[TrackedFace, ...]]:
        """Smoothed faces of frames first..stop-1, one tuple a frame, empty when nobody is there."""
        ...
