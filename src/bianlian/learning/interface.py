"""What a level of learning is: the lesson of a donor's capture in, an appearance out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bianlian.records.appearance import Appearance
from bianlian.records.arrays import U8, frozen
from bianlian.records.face import Face
from bianlian.records.progress import Reporter


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """One frame of the capture, unwrapped."""

    texture: U8
    """SxSx3 coded RGB in template space."""
    face: Face
    frames: int = 1
    """How many frames of the capture it stands for, itself among them."""

    def __post_init__(self) -> None:
        side = self.texture.shape[0]
        object.__setattr__(self, "texture", frozen(self.texture, "texture", (side, side, 3), np.uint8))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """What a capture teaches."""

    samples: tuple[Sample, ...]
    """In order of time, spread over the poses and expressions seen."""
    faces: tuple[Face, ...]
    """Of clear frames all along the capture: what a shape is solved from wants number, not variety."""
    black: float
    """0..1: what all coded values of the capture are raised by, see `black.black_level`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose appearance it becomes; goes into it and is compared with the grant when it is drawn."""

    donor_id: str
    template_commitment: str


class Learner(Protocol):
    """One level. The same lesson and seed give the same appearance, to the bit, on the same machine."""

    @property
    def level(self) -> str:
        """draft, standard or fine."""
        ...

    @property
    def sample_limit(self) -> int:
        """How many samples it wants from `samples.collect`."""
        ...

    def fit(self, lesson: Lesson, identity: Identity, *, seed: int, reporter: Reporter) -> Appearance:
        """Learn the donor's shape and texture.

        Raises:
            NothingToSwap: too few usable samples.
        """
        ...
