"""What a frame's own picture tells about the donor's face.

The performer's face in this frame, over how it usually looks under the same light, is a factor near one: wrinkles, shading of
cheeks, teeth, lids. It is worth more than any number about the expression, and it is relative, so that little of the
performer's own features is in it.
"""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.imaging.colour import threefold
from bianlian.imaging.face_space import SMALL
from bianlian.records.arrays import F32

_FLOOR = np.float32(0.02)
"""Added to both sides of a quotient of coded values: darkness tells little, and what is unseen changes nothing."""
_LEAST, _MOST = 0.5, 1.8
_SOFT = 0.008 * SMALL
"""Texels of blur: finer things do not lie exactly enough on one another from frame to frame, nor from face to face."""
_RIM, _HOLES = np.ones((7, 7)), np.ones((17, 17))
"""Squares of texels: within the first of a face's outline nothing is told, since the landmarks of a turned one may lie on what is
behind it; nostrils and lids, which are no outline, are within the second."""


def surely(seen: F32) -> F32:
    """SMALL x SMALL, 0..1: of what is `seen` of a face, what is not beside its outline."""
    return np.minimum(seen, cv2.erode(cv2.morphologyEx(seen, cv2.MORPH_CLOSE, _HOLES), _RIM))


def change(worn: F32, seen: F32, expected: F32) -> F32:
    """SMALL x SMALL x 3: the factor by which the face differs from the `expected` one; 1 where it is not `seen`.

    `worn` and `seen` are the frame's small texture, `expected` is the performer's usual one under the frame's light.
    """
    factors = (_broad(worn, seen) + _FLOOR) / (_broad(expected, seen) + _FLOOR)
    return np.clip(factors, _LEAST, _MOST).astype(np.float32)


def leading(change: F32, mean: F32, texture: F32, seen: F32) -> F32:
    """SMALL x SMALL x 3: the factor that makes the broad part of a donor's `texture` that of its `mean` under the performer's
    `change`, where that was `seen`, fading to 1 elsewhere."""
    return ((_broad(mean, seen) * change + _FLOOR) / (_broad(texture, seen) + _FLOOR)).astype(np.float32)


def _broad(texture: F32, seen: F32) -> F32:
    return cv2.GaussianBlur(texture * threefold(seen), (0, 0), _SOFT)
