"""Write a job's watermark into the luma of the placed faces: a `FrameMark`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from bianlian.marking.watermark.alignment import SIDE, face_scale, image_from_canonical
from bianlian.marking.watermark.code import BAND, BITS, SHAPE, CodeBook, weights_at
from bianlian.marking.watermark.features import face_row, levelled
from bianlian.marking.watermark.texture import local_deviation, luma_levels
from bianlian.records.arrays import F32, Plane
from bianlian.records.composite import Composite, PlacedFace
from bianlian.records.frame import Frame, Matrix

_BLACK, _LEAST = 16.0, 0.2
"""Luma of black in video, and the share of the change that is left there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """How visible the mark may be. Levels are those of 8-bit luma."""

    rms: float = 1.8
    """Root mean square of the change inside the matte, levels: 1.8 is 43 dB."""
    dusk: float = 64.0
    """Mean luma of a face, levels, below which the change shrinks with the light, to a fifth at black: in a fade the full change
    is coarser than the face itself."""
    floor: float = 1.5
    """Local standard deviation, levels, that perfectly smooth skin counts as."""
    masking: float = 0.7
    """Exponent of the local standard deviation: 0 spreads the change evenly, 1 hides it in texture."""
    balance: float = 0.4
    """How much stronger the bits are written that this very face would get wrong, and how much weaker the others."""


class FaceWatermark:
    """Marks the faces of one job's composites. Frames are independent of each other: only their time picks the pattern."""

    def __init__(self, book: CodeBook, job_id: str, strength: Strength | None = None) -> None:
        self._signs = (book.chips * book.word(job_id)[book.bit_of]).astype(np.float32)
        self._bit_of = book.bit_of
        self._strength = strength or Strength()

    def embed(self, composite: Composite) -> Composite:
        """Return the composite with the mark in luma (in R, G and B of an RGB picture) inside each face's matte."""
        faces = [face for face in composite.faces if face.matte.any()]
        if not faces:
            return composite
        frame = composite.frame
        signs = weights_at(frame.instant) @ self._signs
        carriers = range(3 if frame.colour.matrix == Matrix.RGB else 1)
        planes: list[Plane] = [plane.copy() if i in carriers else plane for i, plane in enumerate(frame.planes)]
        for face in faces:
            matrix = image_from_canonical(face.points_image)
            pattern = self._pattern(face_row(frame, matrix), signs)
            rows, columns, matte = _visible(face, frame)
            matrix[:, 2] -= columns.start, rows.start
            parts = [planes[i][rows, columns] for i in carriers]
            change = self._change(luma_levels(parts, frame.bit_depth), matte, matrix, pattern) * (
                1 << (frame.bit_depth - 8)
            )
            for part in parts:
                part[...] = np.clip(np.rint(part + change), 0, (1 << frame.bit_depth) - 1).astype(part.dtype)
        return replace(composite, frame=replace(frame, planes=(planes[0], planes[1], planes[2])))

    def _pattern(self, row: F32, signs: F32) -> F32:
        """The canonical pattern for a face (256 x 256): the signs, louder in the bits that the face itself speaks against."""
        host = np.bincount(self._bit_of, levelled(row[None])[0] * signs, BITS)
        gain = 1 - self._strength.balance * np.clip(host / max(float(host.std()), 1e-9), -2, 2)
        spectrum = np.zeros(SIDE * SIDE, np.float32)
        spectrum[BAND] = signs * SHAPE * gain[self._bit_of]
        return cv2.idct(spectrum.reshape(SIDE, SIDE))

    def _change(self, luma: F32, matte: F32, matrix: F32, pattern: F32) -> F32:
        """What to add to a face's box: the pattern laid on the face, shaped by texture, brought to the chosen power."""
        height, width = matte.shape
        deviation = local_deviation(luma, face_scale(matrix))
        shaped = cv2.warpAffine(pattern, matrix, (width, height), flags=cv2.INTER_LINEAR)
        shaped *= (deviation + self._strength.floor) ** self._strength.masking * matte
        power = float(np.vdot(shaped, shaped) / max(np.vdot(matte, matte), 1e-6))
        mean = float(np.vdot(luma, matte) / max(matte.sum(), 1e-6))
        light = np.clip((mean - _BLACK) / (self._strength.dusk - _BLACK), _LEAST, 1)
        return shaped * np.float32(light * self._strength.rms / max(power, 1e-12) ** 0.5)


def _visible(face: PlacedFace, frame: Frame) -> tuple[slice, slice, F32]:
    """The part of a face's box that lies in the picture: rows, columns, and its matte from 0 to 1."""
    height, width = frame.size
    top, left = max(face.top, 0), max(face.left, 0)
    bottom, right = min(face.top + face.matte.shape[0], height), min(face.left + face.matte.shape[1], width)
    matte = face.matte[top - face.top : bottom - face.top, left - face.left : right - face.left]
    return slice(top, bottom), slice(left, right), matte.astype(np.float32) / np.float32(255)
