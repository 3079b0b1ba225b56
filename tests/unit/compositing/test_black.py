"""Haze, a flat grade or a faded copy: the donor is drawn behind it, and learnt without it."""

from __future__ import annotations

import numpy as np

from bianlian.imaging.colour import rgb_from_frame
from bianlian.records.face import TrackedFace
from bianlian.records.frame import Frame
from tests.faces import learnt, space, tracked
from tests.material import frame_of
from tests.unit.compositing.test_stage import CAPTURE, FOOTAGE, drawn_into

HAZE = 0.2
Clip = list[tuple[Frame, TrackedFace]]


def hazy(clip: Clip) -> Clip:
    def veiled(frame: Frame) -> Frame:
        picture = 255 * HAZE + (1 - HAZE) * rgb_from_frame(frame).astype(np.float32)
        return frame_of(np.rint(picture).astype(np.uint8), frame.index)

    return [(veiled(frame), face) for frame, face in clip]


def test_a_face_in_haze_is_the_clear_face_behind_it() -> None:
    """Drawn as if nothing was hazy it would be 7 codes off, and 35 in brows and nostrils. Making frames of pictures costs 2."""
    clip = tracked(FOOTAGE, 12, 0, 10)
    (clear, share), (veiled, _) = drawn_into(clip), drawn_into(hazy(clip))
    away = np.abs(veiled - (255 * HAZE + (1 - HAZE) * clear))[share > 0.5].mean(axis=1)
    assert away.mean() < 4
    assert np.percentile(away, 99) < 8


def test_a_hazy_capture_teaches_the_clear_face() -> None:
    """With the haze learnt the face would be .10 paler."""
    shown = space().template.spread(space().share) > 0.5
    clear, veiled = learnt(tracked(*CAPTURE)).mean, learnt(hazy(tracked(*CAPTURE))).mean
    assert np.abs(veiled - clear)[shown].mean() < 0.015
