"""Footage for the main way: the demo performer in clips of every kind, made by code."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np

from tests.material import DEMO
from tests.media_factory import Recipe, make_clip


@cache
def performance(clip: str = "demo_footage.mp4", side: int = 288) -> tuple[np.ndarray, ...]:
    """The frames of a demo clip, side x side x 3."""
    with av.open(DEMO / clip) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return tuple(cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in frames)


def performer_clip(
    path: Path, recipe: Recipe | None = None, *, count: int = 20, clip: str = "demo_footage.mp4"
) -> Path:
    """`count` frames of the performer, upright after the recipe's rotation."""
    pictures = performance(clip)
    recipe = recipe or Recipe(stamps=tuple(range(0, count * 512, 512)), size=pictures[0].shape[:2])

    def picture(number: int, size: tuple[int, int]) -> np.ndarray:
        upright = cv2.resize(pictures[number % len(pictures)], size[::-1])
        return np.ascontiguousarray(
            np.rot90(upright, recipe.rotation // 90)
        )  # counter-clockwise: the player turns it back

    return make_clip(path, recipe, picture)


def two_persons(path: Path, *, count: int = 20) -> Path:
    """Two performers side by side."""
    left, right = performance(), performance("demo_donor_talk.mp4")

    def picture(number: int, size: tuple[int, int]) -> np.ndarray:
        return np.ascontiguousarray(np.hstack([left[number], right[number]]))

    side = left[0].shape[0]
    return make_clip(path, Recipe(stamps=tuple(range(0, count * 512, 512)), size=(side, 2 * side)), picture)
