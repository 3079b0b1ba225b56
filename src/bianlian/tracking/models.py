"""The models that tracking runs, loaded once and passed along."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bianlian.tracking.detect import FaceDetector
from bianlian.tracking.expression import ExpressionModel
from bianlian.tracking.identity import IdentityModel
from bianlian.tracking.landmarks import FaceLandmarker
from bianlian.tracking.pose import PoseFit
from bianlian.weights.canonical import read_canonical_mesh


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceModels:
    """Not to be shared between threads."""

    scout: FaceDetector
    """Another than the landmarker's, because it runs ahead of that."""
    landmarker: FaceLandmarker
    expression: ExpressionModel
    pose: PoseFit
    identity: IdentityModel


def load_models(bundle: Path, recognition: Path, *, threads: int = 1) -> FaceModels:
    """Load all models of tracking (about 0.2 s).

    Args:
        bundle: `face_landmarker.task`.
        recognition: `dlib_face_recognition_resnet_model_v1.dat`.
        threads: of each network.

    Raises:
        InstallationError: a file is not what it should be.
    """
    return FaceModels(
        scout=FaceDetector(bundle, threads=threads),
        landmarker=FaceLandmarker(bundle, threads=threads),
        expression=ExpressionModel(bundle, threads=threads),
        pose=PoseFit(read_canonical_mesh(bundle)),
        identity=IdentityModel(recognition),
    )
