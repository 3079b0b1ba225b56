"""Head pose: a weighted similarity fit of the canonical mesh to the landmarks.

The landmark network gives depth in the scale of x, so the fit is a closed form (Kabsch 1976, Umeyama 1991) on the 33
landmarks that MediaPipe weights for its own pose (they hardly move with expression).
"""

from __future__ import annotations

import numpy as np

from bianlian.records.arrays import F32
from bianlian.records.face import Pose
from bianlian.weights.canonical import CanonicalMesh


class PoseFit:
    """Fits the head's rotation; made once from the canonical mesh."""

    def __init__(self, mesh: CanonicalMesh) -> None:
        self._chosen = np.flatnonzero(mesh.pose_weights)
        weights = mesh.pose_weights[self._chosen].astype(np.float64)
        self._weights = weights / weights.sum()
        vertices = mesh.vertices[self._chosen].astype(np.float64)
        self._centred = vertices - self._weights @ vertices

    def rotations(self, points_image: F32) -> F32:
        """Nx3x3 rotations for Nx478x3 landmarks, canonical axes as in `Pose`."""
        seen = points_image[:, self._chosen].astype(np.float64) * [1, -1, -1]
        seen -= np.einsum("v,nvd->nd", self._weights, seen)[:, None]
        covariance = np.einsum("v,nvd,ve->nde", self._weights, seen, self._centred)
        left, _, right = np.linalg.svd(covariance)
        mirrored = np.linalg.det(left @ right) < 0
        left[mirrored, :, 2] *= -1
        return (left @ right).astype(np.float32)

    def pose(self, points_image: F32) -> Pose:
        """Pose of one face, 478x3 landmarks."""
        return Pose(rotation=self.rotations(points_image[None])[0])
