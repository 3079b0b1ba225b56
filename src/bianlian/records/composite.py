"""Frames on their way out: with a donor's face in them, then with the marks on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from bianlian.records.arrays import U8, frozen
from bianlian.records.frame import Frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedFace:
    """Where a donor's face stands in a composite."""

    person: int
    donor_id: str
    left: int
    top: int
    matte: U8
    """HxW, 0..255: the donor's share of each pixel. Zero everywhere when the face faded out."""
    points_image: np.ndarray
    """478x3 float32, the landmarks of the face as drawn; anchor of the face watermark."""
    confidence: float
    """0..1: how well the donor's capture covers this pose and expression; the opacity is drawn from it."""
    fade_reason: str
    """Empty while the face is fully drawn."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "matte", frozen(self.matte, "matte", (None, None), np.uint8))
        object.__setattr__(self, "points_image", frozen(self.points_image, "points_image", (478, 3), np.float32))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Composite:
    """A frame with donors' faces in it; `faces` is empty where nobody cast is to be seen. Not yet marked."""

    frame: Frame
    faces: tuple[PlacedFace, ...]


@final
class MarkedFrame:
    """A frame that carries its visible label and watermark: the only thing that the encoder takes.

    Made in `marking/stage.py` alone; a test reads the syntax tree to keep it so.
    """

    __slots__ = ("composite", "label_is_visible")

    def __init__(self, *, composite: Composite, label_is_visible: bool) -> None:
        object.__setattr__(self, "composite", composite)
        object.__setattr__(self, "label_is_visible", label_is_visible)

    composite: Composite
    label_is_visible: bool
    """False only outside the opening seconds of the `opening` profile."""

    @property
    def frame(self) -> Frame:
        return self.composite.frame

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a marked frame cannot be changed")

    def __init_subclass__(cls) -> None:
        raise TypeError("a marked frame cannot be subclassed")
