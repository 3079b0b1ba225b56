"""Tone: black and white footage gets a black and white face, colour stays colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bianlian.compositing.perform import cast_role
from bianlian.compositing.performer import study
from bianlian.compositing.stage import Cast, compose
from bianlian.compositing.tone import in_tones_of
from bianlian.imaging.colour import LUMA, rgb_from_frame
from bianlian.records.arrays import F32
from bianlian.records.face import TrackedFace
from bianlian.records.frame import Frame
from tests.faces import changed, grant, space, tracked
from tests.unit.compositing.test_stage import FOOTAGE, appearance, drawn_into, performer, without_basis

GREY, SEPIA = (1.0, 1.0, 1.0), (1.0, 0.88, 0.7)


def toned(tone: tuple[float, float, float]) -> list[tuple[Frame, TrackedFace]]:
    """The footage in one tone."""
    return changed(tracked(FOOTAGE, 12, 0, 10), lambda picture: (picture @ LUMA)[..., None] * np.float32(tone))


def spread(rgb: F32) -> float:
    """How many colours there are: standard deviation of the log quotients of the channels."""
    return float(np.log((rgb[..., ::2] + 8) / (rgb[..., 1:2] + 8)).std(axis=(0, 1)).max())


@pytest.mark.parametrize("tone", [GREY, SEPIA])
def test_footage_of_one_tone_stays_of_one_tone(tone: tuple[float, float, float]) -> None:
    footage = toned(tone)
    worn = study(footage, space())
    cast = {1: Cast(grant=grant(), appearance=in_tones_of(worn, appearance()), performer=worn)}
    frame, face = footage[0]
    (composite,) = compose([(frame, (face,))], cast, space())
    before, after = (rgb_from_frame(one).astype(np.float32) for one in (frame, composite.frame))
    assert np.abs(after - before).max() > 40
    assert spread(after) < spread(before) + 0.01


def washed_out(share: float) -> list[tuple[Frame, TrackedFace]]:
    """The footage with that share of its colours."""

    def printed(picture: F32) -> F32:
        grey = picture.mean(axis=2, keepdims=True)
        return grey + share * (picture - grey)

    return changed(tracked(FOOTAGE, 12, 0, 10), printed)


def test_the_paler_the_footage_the_paler_the_donor() -> None:
    colours = [
        float(np.ptp(in_tones_of(study(washed_out(share), space()), appearance()).mean, axis=2).mean())
        for share in (0.0, 0.3, 0.6, 1.0)
    ]
    assert colours[0] < 1e-3
    assert colours[0] < colours[1] < colours[2] <= colours[3]


def test_a_face_in_colour_keeps_every_colour() -> None:
    assert in_tones_of(performer(), appearance()) is appearance()


def test_a_donor_without_basis_is_toned_too() -> None:
    mean = in_tones_of(study(toned(GREY), space()), without_basis(appearance())).mean
    assert np.ptp(mean, axis=2).max() < 1e-3


def test_make_up_of_the_performer_does_not_make_the_donor_darker() -> None:
    """Neither painted lips and brows nor a fifth of the skin in deep colour are the tone of a skin."""
    plain = performer()
    painted = plain.reference.copy()
    painted[20:30] *= np.float32(0.4)
    made_up = replace(plain, reference=painted)
    before, after = (cast_role(appearance(), who, space()).light[0] for who in (plain, made_up))
    assert np.abs(after - before).max() < 0.03


@pytest.mark.parametrize("gain", [1.5, 1.8])
def test_a_burnt_out_face_gets_a_burnt_out_donor(gain: float) -> None:
    """Burnt-out skin must not pass for skin of that tone: red would be 10 and 16 codes too dark, and the face 5 and 9 off."""

    def brighter(picture: F32) -> F32:
        return np.minimum(gain * picture, 255)

    clip = tracked(FOOTAGE, 12, 0, 10)
    (plain, share), (bright, _) = drawn_into(clip), drawn_into(changed(clip, brighter))
    assert np.abs(bright - brighter(plain))[share > 0.5].mean() < 4.5 * gain - 2
