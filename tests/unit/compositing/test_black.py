"""Haze, a flat grade or a faded copy: the donor is drawn behind it, and learnt without it."""

from __future__ import annotations

import numpy as np

from bianlian.records.arrays import F32
from tests.faces import changed, learnt, space, tracked
from tests.unit.compositing.test_stage import CAPTURE, FOOTAGE, drawn_into

HAZE = 0.2


def veiled(picture: F32) -> F32:
    return 255 * HAZE + (1 - HAZE) * picture


def test_a_face_in_haze_is_the_clear_face_behind_it() -> None:
    """Drawn as if nothing was hazy it would be 7 codes off, and 35 in brows and nostrils. Making frames of pictures costs 2."""
    clip = tracked(FOOTAGE, 12, 0, 10)
    (clear, share), (hazy, _) = drawn_into(clip), drawn_into(changed(clip, veiled))
    away = np.abs(hazy - veiled(clear))[share > 0.5].mean(axis=1)
    assert away.mean() < 4
    assert np.percentile(away, 99) < 8


def test_a_hazy_capture_teaches_the_clear_face() -> None:
    """With the haze learnt the face would be .10 paler."""
    shown = space().template.spread(space().share) > 0.5
    clear, hazy = learnt(tracked(*CAPTURE)).mean, learnt(changed(tracked(*CAPTURE), veiled)).mean
    assert np.abs(hazy - clear)[shown].mean() < 0.015
