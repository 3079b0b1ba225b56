"""Glasses that somebody wears all through stay on, and nobody else gets any."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np
import pytest

from bianlian.compositing.performer import study
from bianlian.compositing.stage import Cast, compose
from bianlian.imaging.colour import rgb_from_frame
from bianlian.imaging.template import EYES
from bianlian.records.arrays import F32, U8
from bianlian.records.frame import Frame
from tests.faces import faces_of, grant, space
from tests.material import footage, pictures
from tests.occluders import BLACK, FILLED, WIRE, with_glasses
from tests.unit.compositing.test_stage import FOOTAGE, appearance, performer


@cache
def scene(colour: tuple[int, int, int], width: float) -> tuple[tuple[Frame, ...], tuple[U8, ...]]:
    shown, faces = pictures(FOOTAGE, 12, 0, 10), faces_of(FOOTAGE, 12, 0, 10)
    worn = [with_glasses(one, each.face.points_image, colour, width) for one, each in zip(shown, faces, strict=True)]
    return tuple(footage(tuple(picture for picture, _ in worn))), tuple(rims for _, rims in worn)


def worn_and_composed(colour: tuple[int, int, int], width: float) -> Iterator[tuple[F32, U8, U8]]:
    """Of each frame how far its pixels are changed, the mask of the rims and that of the eyes between the lids."""
    frames, rims = scene(colour, width)
    faces = faces_of(FOOTAGE, 12, 0, 10)
    wearer = study(zip(frames, faces, strict=True), space())
    assert wearer.wears_glasses()
    casts = {1: Cast(grant=grant(), appearance=appearance(), performer=wearer)}
    composites = compose(((frame, (face,)) for frame, face in zip(frames, faces, strict=True)), casts, space())
    for frame, rim, tracked, composite in zip(frames, rims, faces, composites, strict=True):
        change = np.abs(rgb_from_frame(composite.frame).astype(np.float32) - rgb_from_frame(frame)).mean(axis=2)
        between = np.zeros_like(rim)
        for eye in EYES:
            cv2.fillPoly(between, [np.rint(tracked.face.points_image[list(eye), :2]).astype(np.int32)], 255)
        yield change, rim, between


@pytest.mark.parametrize(("colour", "width"), [(BLACK, 0.2), (BLACK, 0.1), (WIRE, 0.12)])
def test_glasses_that_are_worn_all_through_stay_on(colour: tuple[int, int, int], width: float) -> None:
    """The rims are not painted over, and the eyes behind the glass are the donor's."""
    shown = [
        (change[rim > 200].mean(), change[(between > 0) & (rim == 0)].mean())
        for change, rim, between in worn_and_composed(colour, width)
    ]
    rims, eyes = np.mean(shown, axis=0)
    assert rims < 0.5 * eyes
    assert eyes > 10


def test_dark_panes_stay_dark() -> None:
    shown = [change[between > 0].mean() for change, _, between in worn_and_composed(BLACK, FILLED)]
    assert np.mean(shown) < 3


def test_nobody_gets_glasses_who_wears_none() -> None:
    assert not performer().wears_glasses()
