"""Test material: clips of rendered performers, model files, and frames made of them. What is absent is skipped, in words."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from bianlian.config import settings_from
from bianlian.errors import InstallationError
from bianlian.imaging.colour import rgb_from_frame
from bianlian.media.decode import frames
from bianlian.media.probe import describe
from bianlian.records.arrays import U8
from bianlian.records.frame import ColourSpec, Frame
from bianlian.records.time import Instant
from bianlian.tracking.models import FaceModels, load_models
from bianlian.weights.catalogue import FACE_LANDMARKER, FACE_RECOGNITION, Weight
from bianlian.weights.store import WeightStore

REPOSITORY = Path(__file__).parents[1]
CLIPS = Path(os.environ.get("BIANLIAN_SHARED") or REPOSITORY.parent / "shared") / "clips"
DEMO = REPOSITORY / "demo" / "clips"
TICKS = Fraction(1, 25)


def clip(name: str) -> Path:
    """Path of a clip, `demo/…`, `bench/…` or `real/…`; the demo clips are in the repository."""
    path = DEMO / Path(name).name if name.startswith("demo/") else CLIPS / name
    if not path.is_file():
        pytest.skip(f"the clip {name} is not here (set BIANLIAN_SHARED)")
    return path


def weight(which: Weight) -> Path:
    """Path of a model file that `bianlian models pull` fetched."""
    try:
        return WeightStore(settings_from(os.environ).weights).find(which)
    except InstallationError as error:
        pytest.skip(f"{error}: {error.advice}")


@cache
def face_models() -> FaceModels:
    """The tracking models, loaded once for all tests (they run in one thread)."""
    return load_models(weight(FACE_LANDMARKER), weight(FACE_RECOGNITION))


@cache
def pictures(name: str, count: int, first: int = 0, step: int = 1) -> tuple[U8, ...]:
    """`count` RGB pictures of a clip, every `step`-th from `first` on."""
    stream = islice(frames(describe(clip(name))), first, first + count * step, step)
    return tuple(rgb_from_frame(frame) for frame in stream)


def footage(rgb: Iterable[U8], *, ticks: Fraction = TICKS) -> Iterator[Frame]:
    """4:2:0 frames of pictures with even sides."""
    for index, picture in enumerate(rgb):
        yield frame_of(picture, index, ticks=ticks)


def frame_of(rgb: U8, index: int = 0, *, ticks: Fraction = TICKS) -> Frame:
    """One 8-bit 4:2:0 frame of a picture with even sides."""
    height, width = rgb.shape[:2]
    planar = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    chroma = planar[height:].reshape(2, height // 2, width // 2)
    return Frame(
        index=index,
        instant=Instant(pts=index, time_base=ticks),
        duration=1,
        planes=(planar[:height].copy(), chroma[0].copy(), chroma[1].copy()),
        colour=ColourSpec(),
        bit_depth=8,
    )


def scene(size: tuple[int, int], *placed: tuple[U8, float, tuple[int, int]]) -> U8:
    """A soft random backdrop of (height, width) with pictures placed on it, each (rgb, scale, (left, top))."""
    height, width = size
    coarse = np.random.default_rng(7).integers(60, 190, (9, 16, 3), np.uint8)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for rgb, scale, (left, top) in placed:
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        room = picture[top : top + small.shape[0], left : left + small.shape[1]]
        room[:] = small[: room.shape[0], : room.shape[1]]
    return picture
