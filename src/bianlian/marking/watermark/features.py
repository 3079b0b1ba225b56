"""A face of any frame as a row of numbers in which the mark adds up: the band of its levelled canonical picture."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from bianlian.marking.watermark.alignment import SIDE, face_scale
from bianlian.marking.watermark.code import BAND
from bianlian.marking.watermark.texture import local_deviation, luma_levels
from bianlian.records.arrays import F32
from bianlian.records.frame import Frame, Matrix


def _window() -> F32:
    """Soft ellipse over the inner face, where mattes are full."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    radius = np.hypot((x - 127.5) / 92, (y - 120) / 105)
    return np.clip((1 - radius) / 0.15, 0, 1).astype(np.float32)


_WINDOW = _window()
_CORNERS = np.array([(0, 0, 1), (SIDE, 0, 1), (0, SIDE, 1), (SIDE, SIDE, 1)], np.float32).T
_SIGNS = np.where(BAND % SIDE % 2, np.float32(-1), np.float32(1))


def face_row(frame: Frame, matrix: F32) -> F32:
    """The levelled face's DCT coefficients in the band; `matrix` is its `image_from_canonical`, 2x3."""
    face = _canonical_face(frame, matrix)
    small = cv2.resize(face, (SIDE // 4, SIDE // 4), interpolation=cv2.INTER_AREA)
    fine = face - cv2.resize(cv2.GaussianBlur(small, (0, 0), 2.5), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    level = (local_deviation(face) + 1.5) ** 0.7
    return cv2.dct(np.clip(fine / level, -6, 6) * _WINDOW).ravel()[BAND]


def _canonical_face(frame: Frame, matrix: F32) -> F32:
    """Luma of the face in the canonical square, levels of 8 bits; large faces are shrunk by area first, against aliasing."""
    height, width = frame.size
    corners = matrix @ _CORNERS
    left, top = (int(v) for v in np.clip(np.floor(corners.min(axis=1)) - 2, 0, (width - 2, height - 2)))
    right, bottom = (int(v) for v in np.clip(np.ceil(corners.max(axis=1)) + 3, (left + 2, top + 2), (width, height)))
    carriers = frame.planes if frame.colour.matrix == Matrix.RGB else frame.planes[:1]
    luma = luma_levels([plane[top:bottom, left:right] for plane in carriers], frame.bit_depth)
    placed = matrix - np.array([[0, 0, left], [0, 0, top]], np.float32)
    scale = face_scale(matrix)
    if scale > 1.5:
        luma = cv2.resize(luma, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)
        placed = placed / np.float32(scale)
        placed[:, 2] += 0.5 / scale - 0.5  # pixel centres: (x + .5) / scale - .5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(luma, placed, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def mirrored(rows: F32) -> F32:
    """The rows of the mirror image: odd horizontal frequencies change sign."""
    return rows * _SIGNS


def levelled(rows: F32) -> F32:
    """Rows divided by their usual size in each neighbourhood of the spectrum and clipped, so that no strong line rules."""
    spread = np.sqrt(np.maximum(_around(np.mean(rows**2, axis=0)) / _NEIGHBOURS, 1e-9))
    return np.asarray(np.clip(rows / spread, -3, 3), np.float32)


def _around(values: npt.ArrayLike) -> F32:
    """The mean over each neighbourhood of the spectrum, of values in the band and nothing beside it."""
    plane = np.zeros(SIDE * SIDE, np.float32)
    plane[BAND] = values
    return cv2.blur(plane.reshape(SIDE, SIDE), (9, 9)).ravel()[BAND]


_NEIGHBOURS = _around(1.0)


def without_the_face(rows: F32, seconds: F32, span: float) -> F32:
    """Rows less their running mean over `span` seconds: the face stays, the mark hops, so mostly the mark is left."""
    near = (np.abs(seconds[:, None] - seconds[None]) <= span / 2).astype(np.float32)
    return rows - near @ rows / near.sum(axis=1, keepdims=True)
