"""Another tone curve than the capture's: the donor's features stand out as the performer's do."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from bianlian.compositing.contrast import in_contrast_of
from bianlian.compositing.performer import study
from bianlian.records.appearance import Appearance
from bianlian.records.arrays import F32
from bianlian.records.face import TrackedFace
from bianlian.records.frame import Frame
from tests.faces import changed, space, tracked
from tests.unit.compositing.test_stage import FOOTAGE, appearance, drawn_into, performer, without_basis

Curve = Callable[[F32], F32]


def through(curve: Curve) -> list[tuple[Frame, TrackedFace]]:
    """The footage through a curve of coded values, 0..1."""
    return changed(tracked(FOOTAGE, 24, 0, 5), lambda picture: 255 * curve(picture / 255))


def away(curve: Curve, drawn: Appearance) -> float:
    """Codes between the face drawn into footage through a curve, and the face drawn into the footage and then through it."""
    plain, share = drawn_into(tracked(FOOTAGE, 24, 0, 5))
    curved, _ = drawn_into(through(curve), drawn)
    return float(np.abs(curved - 255 * curve(plain / 255))[share > 0.5].mean())


@pytest.mark.parametrize(("power", "share"), [(0.6, 0.5), (0.7, 0.7), (1.5, 0.92)])
def test_the_donor_goes_through_the_same_curve(power: float, share: float) -> None:
    def curve(values: F32) -> F32:
        return values ** np.float32(power)

    curved = in_contrast_of(study(through(curve), space()), appearance(), space())
    assert away(curve, curved) < share * away(curve, appearance())


def test_the_same_camera_changes_nothing() -> None:
    assert in_contrast_of(performer(), appearance(), space()) is appearance()


def test_a_photograph_tells_no_curve() -> None:
    """An open mouth in it would pass for contrast."""
    for frame in through(lambda values: values**0.7)[::6]:
        assert in_contrast_of(study([frame], space()), appearance(), space()) is appearance()


@pytest.mark.parametrize("spread", [2.0, 3.0])
def test_blur_does_not_pass_for_a_flat_curve(spread: float) -> None:
    """A power of .7 leaves .93 of the deviation."""
    clip = through(lambda values: cv2.GaussianBlur(values, (0, 0), spread))
    mean = in_contrast_of(study(clip, space()), appearance(), space()).mean
    assert mean.std() > 0.95 * appearance().mean.std()


def test_a_donor_without_basis_goes_through_it_too() -> None:
    flat, bare = study(through(lambda values: values**0.6), space()), without_basis(appearance())
    assert np.array_equal(in_contrast_of(flat, bare, space()).mean, in_contrast_of(flat, appearance(), space()).mean)
