"""52 expression coefficients from the landmarks: MediaPipe's blendshape network (face_blendshapes_graph.cc)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bianlian.records.arrays import F32
from bianlian.records.face import EXPRESSIONS
from bianlian.weights.canonical import bundle_member
from bianlian.weights.runtime import LiteSession

# fmt: off
LANDMARKS_READ = np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153,
    154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251,
    263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
])
# fmt: on
"""The landmarks that the network reads (kLandmarksSubsetIdxs there)."""


class ExpressionModel:
    """Args:
    bundle: `face_landmarker.task`.
    threads: of the network.
    """

    def __init__(self, bundle: Path, *, threads: int = 1) -> None:
        self._session = LiteSession(bundle_member(bundle, "face_blendshapes.tflite"), threads=threads)

    def coefficients(self, points_image: F32) -> F32:
        """52 coefficients, 0..1, of 478x3 landmarks in pixels (the network itself normalises place and size)."""
        outputs = self._session.run(np.ascontiguousarray(points_image[None, LANDMARKS_READ, :2], np.float32))
        (coefficients,) = outputs.values()
        return np.clip(coefficients.reshape(EXPRESSIONS), 0, 1)
