"""How well a face is seen: sharpness, and the share of it that something hides."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.records.arrays import F32
from bianlian.tracking.landmarks import ENLARGED, SIDE, LandmarkResult

SHARPNESS_SIDE = 128
SHARPNESS_HALF = 40.0
"""Variance of the Laplacian (luma 0..255) at which the sharpness is a half (records.face.Quality)."""
_SKIN_SIDE = 48
"""Side of the crop that colours are read from; one pixel is then some 3 % of the face, so noise and pores do not count."""
_LEARN = 0.05
"""Share of each new frame in what a face is known to look like: some 20 frames of memory."""
_DIFFERENT = 0.16
"""Colour distance (RGB 0..1, after the gain of the light is taken out) that counts as something else; docs/tracking.md."""

# Forehead, cheeks, nose, chin and jaw: what neither blinking nor speech changes much.
# fmt: off
_SKIN = np.array([
    10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 67, 69, 108, 109, 297, 299, 337, 338, 103, 104, 332, 333, 54, 284,
    50, 101, 118, 117, 123, 147, 187, 205, 36, 203, 206, 207, 216, 280, 330, 347, 346, 352, 376, 411, 425, 266, 423, 426,
    427, 436, 48, 278, 115, 344, 2, 164, 167, 393, 92, 322, 212, 432, 214, 434, 192, 416, 213, 433, 135, 364, 169, 394,
    140, 369, 171, 396, 175, 199, 200, 18, 83, 313, 201, 421, 208, 428, 32, 262, 210, 430,
])
# fmt: on


def size_px(points_image: F32) -> float:
    """Height of the landmarks' box, pixels."""
    return float(np.ptp(points_image[:, 1]))


def sharpness(result: LandmarkResult) -> float:
    """0 blurred … 1 sharp, from the face's aligned luma."""
    side = round(SHARPNESS_SIDE * ENLARGED)
    luma = cv2.resize(cv2.cvtColor(result.crop, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA)
    edge = (side - SHARPNESS_SIDE) // 2
    luma = luma[edge : edge + SHARPNESS_SIDE, edge : edge + SHARPNESS_SIDE]
    variance = float(cv2.Laplacian(luma, cv2.CV_32F).var())
    return variance / (variance + SHARPNESS_HALF)


class CoverEstimate:
    """What one tracklet's skin looks like at chosen landmarks, and how much of it looks like something else now.

    An object that hides the face from the tracklet's first frame on is learnt as part of it; hands and microphones that
    come and go are seen. Turning away changes the far cheek: points that face away are left out.
    """

    def __init__(self) -> None:
        self._known: F32 | None = None

    def update(self, result: LandmarkResult) -> float:
        """Covered share of the face, 0..1, in this frame."""
        small = cv2.resize(result.crop, (_SKIN_SIDE, _SKIN_SIDE), interpolation=cv2.INTER_AREA)
        small = cv2.blur(small.astype(np.float32) / 255, (3, 3))
        points, matrix = result.points_image[_SKIN], result.image_from_crop
        points_crop = (points[:, :2] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        column, row = np.clip(np.rint(points_crop * _SKIN_SIDE / SIDE), 0, _SKIN_SIDE - 1).astype(int).T
        colours = small[row, column]
        if self._known is None:
            self._known = colours
            return 0.0
        gain = _median((colours + 0.02) / (self._known + 0.02))
        distance = np.linalg.norm(colours - self._known * gain, axis=1)
        depth = points[:, 2] / (SIDE * np.hypot(matrix[0, 0], matrix[1, 0]))
        facing = depth < _median(depth) + 0.12
        different = (distance > _DIFFERENT) & facing
        rate = np.where(different, _LEARN / 5, _LEARN)[:, None]
        self._known = (self._known + rate * (colours / gain - self._known)).astype(np.float32)
        return float(different.sum() / max(1, facing.sum()))


def _median(values: F32) -> F32:
    """Along the first axis; of small arrays in a fifth of the time of `np.median`."""
    ordered, count = np.sort(values, axis=0), len(values)
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / np.float32(2)
