"""What stays in front of the donor's face: whatever does not fit the performer's own appearance over the clip."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.compositing.performer import Performer, stray
from bianlian.imaging.face_space import FaceSpace
from bianlian.imaging.light import factor
from bianlian.imaging.performance import soft_step
from bianlian.records.arrays import F32

_FITS, _FOREIGN = 0.2, 0.4
"""Log difference beyond the performer's usual one at which a texel starts and ends to count as something in front. With .35 and
.6, a hand of the performer's own skin colour was mostly painted over."""
_USUAL = 1.5
"""How many times the usual deviation is let pass."""
_AROUND, _LIKE = 4.0, 2.0
"""Eyes and lids count as hidden no more than what is around them, within this many texels, times this: they change by themselves
in a blink, but a hand does not end at their edges."""
_GAP = 11
"""Texels: what is narrower between two strange places belongs to them (the plain back of a hand between its edges)."""


def occlusion(worn: F32, seen: F32, light: F32, performer: Performer, space: FaceSpace) -> F32:
    """COARSE x COARSE, 0..1: where something hides the performer's face.

    `worn` and `seen` are the frame's coarse texture, `light` what lies between it and the performer's reference. Small spots
    (a glint, a wrinkle) do not count: the difference must fill about a twelfth of the template's width.
    """
    expected = np.minimum(performer.reference * factor(space.light, light), np.float32(1))  # as the plate clips
    strange = stray(worn, expected) - np.float32(_USUAL) * performer.tolerance
    strange *= seen > 0.3
    core = cv2.erode(cv2.GaussianBlur(np.maximum(strange, 0), (0, 0), 1.0), np.ones((3, 3)))
    hidden = _as_around(soft_step(cv2.dilate(core, np.ones((7, 7))), _FITS, _FOREIGN), space.lids)
    closing = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_GAP, _GAP))
    return cv2.GaussianBlur(cv2.morphologyEx(hidden, cv2.MORPH_CLOSE, closing), (0, 0), 0.8)


def _as_around(hidden: F32, lids: F32) -> F32:
    still = 1 - lids
    around = cv2.GaussianBlur(hidden * still, (0, 0), _AROUND) / np.maximum(
        cv2.GaussianBlur(still, (0, 0), _AROUND), 1e-3
    )
    return hidden - lids * np.maximum(hidden - np.float32(_LIKE) * around, 0)
