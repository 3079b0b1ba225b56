"""Square, turned crops straight from a frame's own planes: the models never see a whole frame in RGB.

A crop is named by `image_from_crop`, a 2x3 matrix: pixel (x, y) of the crop shows point `image_from_crop @ (x, y, 1)` of
the image, as MediaPipe's ImageToTensorCalculator has it. Where a crop shrinks the image twofold or more, the planes are
shrunk by area first, because bilinear sampling alone would alias and make landmarks tremble.
"""

from __future__ import annotations

from typing import Any, Protocol

import cv2
import numpy as np

from bianlian.imaging.colour import rgb_from_yuv_matrix
from bianlian.records.arrays import F32, U8
from bianlian.records.frame import Frame, Matrix, Size


class Sampler(Protocol):
    """A picture that gives crops."""

    @property
    def size(self) -> Size:
        """(height, width) of the picture."""
        ...

    def sample(self, image_from_crop: F32, side: int) -> F32:
        """side x side x 3 coded RGB, 0..1; black outside the picture."""
        ...


class FrameSampler:
    """Crops of a decoded frame, any matrix, range, depth and chroma size."""

    def __init__(self, frame: Frame) -> None:
        self._planes = frame.planes
        self.size: Size = frame.size
        self._shift = frame.chroma_shift
        if frame.colour.matrix == Matrix.RGB:
            self._matrix, self._offset = np.eye(3, dtype=np.float32) / (2**frame.bit_depth - 1), np.zeros(3, np.float32)
        else:
            self._matrix, self._offset = rgb_from_yuv_matrix(
                frame.colour.matrix_for(frame.size), full_range=frame.colour.full_range, bit_depth=frame.bit_depth
            )

    def sample(self, image_from_crop: F32, side: int) -> F32:
        parts = [_warped(self._planes[0], image_from_crop, side, float(self._offset[0]))]
        down, across = self._shift
        # Chroma sample i covers luma pixels 2i and 2i+1: its centre is luma (2i + 0.5).
        chroma_from_image = np.array([[0.5**across, 0, -across / 4], [0, 0.5**down, -down / 4], [0, 0, 1]], np.float32)
        chroma_from_crop = (chroma_from_image @ np.vstack([image_from_crop, [0, 0, 1]]))[:2].astype(np.float32)
        parts += [_warped(plane, chroma_from_crop, side, float(self._offset[1])) for plane in self._planes[1:]]
        rgb = cv2.transform(cv2.merge(parts), np.hstack([self._matrix, (-self._matrix @ self._offset)[:, None]]))
        return np.clip(rgb, 0, 1, out=rgb)


class RgbSampler:
    """Crops of an HxWx3 uint8 picture."""

    def __init__(self, rgb: U8) -> None:
        self._rgb = rgb
        self.size: Size = (rgb.shape[0], rgb.shape[1])

    def sample(self, image_from_crop: F32, side: int) -> F32:
        return _warped(self._rgb, image_from_crop, side, 0.0) / np.float32(255)


def image_from_square(centre_x: float, centre_y: float, square: float, turn: float, side: int) -> F32:
    """2x3 `image_from_crop` of a square of `square` pixels, turned by `turn` radians (clockwise on screen)."""
    scale = square / side
    cosine, sine = np.cos(turn) * scale, np.sin(turn) * scale
    half = side / 2
    return np.array(
        [
            [cosine, -sine, centre_x - half * (cosine - sine)],
            [sine, cosine, centre_y - half * (sine + cosine)],
        ],
        np.float32,
    )


def _warped(plane: Any, image_from_crop: F32, side: int, outside: float) -> F32:
    scale = float(np.hypot(image_from_crop[0, 0], image_from_crop[1, 0]))
    matrix = image_from_crop
    if scale >= 2:
        plane, matrix = _shrunk(plane, image_from_crop, side, int(scale), outside)
    border = (outside,) * 3
    crop = cv2.warpAffine(
        plane, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT, borderValue=border,
    )  # fmt: skip
    return crop.astype(np.float32)


def _shrunk(plane: Any, image_from_crop: F32, side: int, factor: int, outside: float) -> tuple[Any, F32]:
    """The part of the plane under the crop, shrunk by a whole factor, and the matrix that fits it."""
    corners = image_from_crop @ np.array([[0, side, 0, side], [0, 0, side, side], [1, 1, 1, 1]], np.float32)
    height, width = plane.shape[:2]
    left, top = (max(0, int(low) // factor * factor - factor) for low in np.floor(corners.min(axis=1)))
    right, bottom = (int(high) + factor for high in np.ceil(corners.max(axis=1)))
    part = plane[top : min(bottom, height), left : min(right, width)]
    if part.size == 0:
        return np.full((1, 1, *plane.shape[2:]), outside, plane.dtype), image_from_crop
    small = cv2.resize(part, (-(-part.shape[1] // factor), -(-part.shape[0] // factor)), interpolation=cv2.INTER_AREA)
    across, down = part.shape[1] / small.shape[1], part.shape[0] / small.shape[0]
    # Pixel centres are whole numbers: small = (image - corner + 0.5) / factor - 0.5.
    small_from_image = np.array(
        [[1 / across, 0, (0.5 - left) / across - 0.5], [0, 1 / down, (0.5 - top) / down - 0.5], [0, 0, 1]]
    )
    return small, (small_from_image @ np.vstack([image_from_crop, [0, 0, 1]]))[:2].astype(np.float32)
