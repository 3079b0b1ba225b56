"""What an open mouth shows - teeth, tongue, dark - stays the performer's own, carried to where the donor's lips are.

A capture of half a minute does not hold every mouth, and a mean of mouths is a grey blur. The performer's picture has the one
that belongs to the words.
"""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.imaging.face_space import FaceSpace
from bianlian.imaging.performance import soft_step
from bianlian.imaging.template import LOWER_LIP, UPPER_LIP, Part
from bianlian.records.arrays import F32

_SHUT, _OPEN = 0.004, 0.02
"""Heights of the face that the lips are apart: up to the first there is nothing between them, from the second all of it shows."""
_CROWN, _CHIN = 10, 152


def with_open_mouth(texture: F32, rgb: F32, points: F32, space: FaceSpace) -> F32:
    """`texture` (SxSx3, under the frame's light, changed in place) with the mouth of the face whose landmarks lie in `rgb`."""
    part = _part(space.mouth)
    share = (space.mouth[part] * _openness(points))[..., None]
    worn = cv2.remap(
        rgb, space.template.coordinates(points, part), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    texture[part] += share * (worn - texture[part])
    return texture


def _openness(points: F32) -> F32:
    """0..1: how far the lips are apart, as the height of the face measures it."""
    gap = np.linalg.norm(points[list(UPPER_LIP)] - points[list(LOWER_LIP)], axis=1).max()
    return soft_step(gap / np.linalg.norm(points[_CROWN] - points[_CHIN]), _SHUT, _OPEN)


def _part(mask: F32) -> Part:
    """Rows and columns that hold all of `mask`."""
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
