"""How well a face is seen: sharpness, and the share of it that something hides."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.records.arrays import F32
from bianlian.tracking.landmarks import Region, region_of_landmarks
from bianlian.tracking.sampling import Sampler, image_from_square

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


def sharpness(picture: Sampler, region: Region) -> float:
    """0 blurred … 1 sharp, from the face's aligned luma."""
    square = region.square / 1.5
    luma = picture.luma(
        image_from_square(region.centre_x, region.centre_y, square, region.turn, SHARPNESS_SIDE), SHARPNESS_SIDE
    )
    variance = float(cv2.Laplacian(luma, cv2.CV_32F).var())
    return variance / (variance + SHARPNESS_HALF)


class CoverEstimate:
    """What one tracklet's skin looks like at chosen landmarks, and how much of it looks like something else now.

    An object that hides the face from the tracklet's first frame on is learnt as part of it; hands and microphones that
    come and go are seen. Turning away changes the far cheek: points that face away are left out.
    """

    def __init__(self) -> None:
        self._known: F32 | None = None

    def update(self, picture: Sampler, points_image: F32) -> float:
        """Covered share of the face, 0..1, in this frame."""
        region = region_of_landmarks(points_image)
        image_from_crop = image_from_square(region.centre_x, region.centre_y, region.square, region.turn, _SKIN_SIDE)
        crop = cv2.blur(picture.sample(image_from_crop, _SKIN_SIDE), (3, 3))
        points_crop = (points_image[_SKIN, :2] - image_from_crop[:, 2]) @ np.linalg.inv(image_from_crop[:, :2]).T
        column, row = np.clip(np.rint(points_crop), 0, _SKIN_SIDE - 1).astype(int).T
        colours = crop[row, column]
        if self._known is None:
            self._known = colours
            return 0.0
        gain = np.median((colours + 0.02) / (self._known + 0.02), axis=0)
        distance = np.linalg.norm(colours - self._known * gain, axis=1)
        depth = points_image[_SKIN, 2] / region.square
        facing = depth < np.median(depth) + 0.12
        different = (distance > _DIFFERENT) & facing
        rate = np.where(different, _LEARN / 5, _LEARN)[:, None]
        self._known = (self._known + rate * (colours / gain - self._known)).astype(np.float32)
        return float(different.sum() / max(1, facing.sum()))
