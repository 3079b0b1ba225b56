"""Tracked faces of demo clips for tests of learning and composing, without the whole tracker: one face a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache

import numpy as np

from bianlian.imaging.colour import rgb_from_frame
from bianlian.imaging.face_space import FaceSpace, build_face_space
from bianlian.learning.interface import Identity
from bianlian.learning.levels import draft_learner
from bianlian.learning.samples import collect
from bianlian.records.appearance import Appearance
from bianlian.records.arrays import F32, U8
from bianlian.records.face import Face, Pose, Quality, TrackedFace
from bianlian.records.frame import Frame
from bianlian.records.grant import Grant
from bianlian.records.progress import Silent
from bianlian.tracking.expression import ExpressionModel
from bianlian.tracking.gaze import gazes
from bianlian.tracking.landmarks import FaceLandmarker, region_of_detection, region_of_landmarks
from bianlian.tracking.pose import PoseFit
from bianlian.weights.canonical import read_canonical_mesh
from bianlian.weights.catalogue import FACE_LANDMARKER
from tests.material import footage, frame_of, pictures, weight

DONOR_ID, COMMITMENT = "donor-one", "commitment-one"


@cache
def space() -> FaceSpace:
    """A small face space, so that tests are quick."""
    return build_face_space(read_canonical_mesh(weight(FACE_LANDMARKER)), side=128)


@cache
def faces_of(name: str, count: int, first: int = 0, step: int = 1) -> tuple[TrackedFace, ...]:
    """The one face of each of `pictures(name, count, first, step)`, as person 1."""
    bundle = weight(FACE_LANDMARKER)
    landmarker, expression, fit = FaceLandmarker(bundle), ExpressionModel(bundle), PoseFit(read_canonical_mesh(bundle))

    def face(picture: U8) -> Face:
        region = region_of_detection(landmarker.detect(picture)[0])
        result = landmarker.landmarks(picture, region_of_landmarks(landmarker.landmarks(picture, region).points_image))
        points = result.points_image.copy()
        rotation = fit.rotations(points[None])
        return Face(
            points_image=points, pose=Pose(rotation=rotation[0]), expression=expression.coefficients(points),
            gaze=gazes(points[None], rotation)[0].astype(np.float32),
            quality=Quality(size_px=float(np.ptp(points[:, 1])), sharpness=0.5, presence=1.0, covered=0.0),
        )  # fmt: skip

    return tuple(TrackedFace(person=1, face=face(picture)) for picture in pictures(name, count, first, step))


def tracked(name: str, count: int, first: int = 0, step: int = 1) -> list[tuple[Frame, TrackedFace]]:
    """Frames of a clip, each with its face."""
    return list(zip(footage(pictures(name, count, first, step)), faces_of(name, count, first, step), strict=True))


def changed(clip: Iterable[tuple[Frame, TrackedFace]], change: Callable[[F32], F32]) -> list[tuple[Frame, TrackedFace]]:
    """A clip with its pictures (HxWx3, 0..255) changed, and the faces where they were."""

    def shown(frame: Frame) -> Frame:
        values = change(rgb_from_frame(frame).astype(np.float32))
        return frame_of(np.rint(np.clip(values, 0, 255)).astype(np.uint8), frame.index)

    return [(shown(frame), face) for frame, face in clip]


def learnt(capture: Iterable[tuple[Frame, TrackedFace]], *, limit: int = 24) -> Appearance:
    """A donor at level draft, learnt from at most so many frames with their face."""
    identity = Identity(donor_id=DONOR_ID, template_commitment=COMMITMENT)
    return draft_learner(space()).fit(collect(capture, space(), limit=limit), identity, seed=0, reporter=Silent())


def grant(*, donor_id: str = DONOR_ID, commitment: str = COMMITMENT, person: int = 1) -> Grant:
    """A grant for tests of the stages under the workflows."""
    return Grant(
        donor_id=donor_id, receipt_id="receipt", receipt_sha256="0" * 64, template_commitment=commitment, job_id="job",
        source_sha256="0" * 64, person=person, purpose="test", permits_opening_label=False,
        expires=datetime(2100, 1, 1, tzinfo=UTC),
    )  # fmt: skip
