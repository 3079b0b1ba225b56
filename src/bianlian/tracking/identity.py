"""Identity embeddings: dlib's ResNet (Davis King, dlib_face_recognition_resnet_model_v1; LFW 99.38 %).

Two embeddings of one person are less than 0.6 apart (Euclidean), as the network was trained. It sees faces as dlib's own
five-point aligner shows them, so the chip is built from our landmarks in that alignment (dlib, image_transforms/
interpolation.h, get_face_chip_details).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bianlian.records.arrays import F32, U8
from bianlian.tracking.resnet import SIDE, FaceResNet
from bianlian.tracking.sampling import RgbSampler, Sampler

SAME_PERSON = 0.6
"""Distance below which two embeddings are the same person (the network's training margin)."""
_PADDING = 0.25
_FIVE_POINTS = np.array([263, 362, 33, 133, 2])
"""Outer and inner corner of the person's left eye, of the right eye, base of the nose."""
_FIVE_IN_CHIP = np.array(
    [
        (0.8595674595992, 0.2134981538014),
        (0.6460604764104, 0.2289674387677),
        (0.1205750620789, 0.2137274526848),
        (0.3340850613712, 0.2290642403242),
        (0.4901123135679, 0.6277975316475),
    ]
)
"""The same in dlib's mean face, 0..1 without padding."""


def chip(picture: Sampler, points_image: F32) -> U8:
    """150x150x3 RGB, the face aligned as dlib would."""
    wanted = (_PADDING + _FIVE_IN_CHIP) / (2 * _PADDING + 1) * SIDE
    image_from_chip = _similarity(wanted, points_image[_FIVE_POINTS, :2].astype(np.float64))
    return (picture.sample(image_from_chip, SIDE) * 255 + 0.5).astype(np.uint8)


class IdentityModel:
    """Args:
    weights: `dlib_face_recognition_resnet_model_v1.dat`.

    Raises:
        InstallationError: it is not that file.
    """

    def __init__(self, weights: Path) -> None:
        self._network = FaceResNet(weights)

    def embed(self, rgb: U8, points_image: F32) -> F32:
        """128-D embedding of the face with these 478x3 landmarks in an HxWx3 picture."""
        return self.embed_chip(chip(RgbSampler(rgb), points_image))

    def embed_chip(self, face: U8) -> F32:
        """128-D embedding of a 150x150x3 chip (some 25 ms of one core)."""
        return self._network.embed(face)


def _similarity(source: np.ndarray, target: np.ndarray) -> F32:
    """2x3 least-squares similarity that takes Nx2 `source` to `target` (complex regression)."""
    z, w = source @ [1, 1j], target @ [1, 1j]
    turn = np.vdot(z - z.mean(), w - w.mean()) / np.vdot(z - z.mean(), z - z.mean())
    shift = w.mean() - turn * z.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]], np.float32)
