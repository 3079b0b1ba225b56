"""478 landmarks of one face: MediaPipe's face mesh network on a turned square crop around the face.

The region follows MediaPipe (face_detector_graph.cc, face_landmarks_detector_graph.cc): from a detection, its box turned by
the line of the eyes and enlarged 1.5 times; from the landmarks of the frame before, their box, likewise.

Measured against the mediapipe 1.2.2 wheel in IMAGE mode on 240 frames of six clips: landmarks 0.06 to 0.18 % of the face's
height apart on average (0.08 to 0.40 px; the detector's region differs by a little, and the network answers a shift of its
region with as much), expression coefficients from the same landmarks equal to the last bit, from our own landmarks 0.003
to 0.011 apart on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from bianlian.records.arrays import F32, U8, frozen
from bianlian.records.face import LANDMARKS
from bianlian.tracking.detect import Detection, FaceDetector
from bianlian.tracking.sampling import RgbSampler, Sampler, image_from_square
from bianlian.weights.canonical import bundle_member
from bianlian.weights.runtime import LiteSession

SIDE = 256
"""Input of the network, pixels."""
ENLARGED = 1.5
"""Both graphs: scale_x = scale_y = 1.5, square_long."""
RIGHT_EYE_CORNER, LEFT_EYE_CORNER = 33, 263
"""Outer corners of the person's right and left eye."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A turned square of the image in which a face stands upright."""

    centre_x: float
    centre_y: float
    square: float
    """Side, pixels."""
    turn: float
    """Radians, clockwise on screen."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LandmarkResult:
    """What the landmark network says about one region."""

    points_image: F32
    """478x3: x, y in pixels; z in the scale of x, smaller is nearer."""
    presence: float
    """0..1: that there is a face."""
    crop: U8
    """256x256x3 RGB, what the network saw."""
    image_from_crop: F32
    """2x3, where that is (tracking/sampling.py)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "points_image", frozen(self.points_image, "points_image", (LANDMARKS, 3), np.float32))


class FaceLandmarker:
    """Detector and landmark network of one bundle. Not to be shared between threads.

    Args:
        bundle: `face_landmarker.task`.
        threads: of each network.
    """

    def __init__(self, bundle: Path, *, threads: int = 1) -> None:
        self.detector = FaceDetector(bundle, threads=threads)
        self._session = LiteSession(bundle_member(bundle, "face_landmarks_detector.tflite"), threads=threads)

    def detect(self, rgb: U8, *, smallest_px: float = 40.0) -> list[Detection]:
        """Faces in an HxWx3 picture, best first, down to about `smallest_px` high."""
        return self.detector.search(RgbSampler(rgb), smallest_px=smallest_px)

    def landmarks(self, rgb: U8, region: Region) -> LandmarkResult:
        """Landmarks of the face in `region` of an HxWx3 picture."""
        return self.landmarks_of(RgbSampler(rgb), region)

    def landmarks_of(self, picture: Sampler, region: Region) -> LandmarkResult:
        """Landmarks of the face in `region`."""
        image_from_crop = image_from_square(region.centre_x, region.centre_y, region.square, region.turn, SIDE)
        crop = picture.sample(image_from_crop, SIDE)
        outputs = self._session.run(crop[None])
        points_crop = outputs["Identity"].reshape(LANDMARKS, 3)
        points = np.empty((LANDMARKS, 3), np.float32)
        points[:, :2] = points_crop[:, :2] @ image_from_crop[:, :2].T + image_from_crop[:, 2]
        points[:, 2] = points_crop[:, 2] * (region.square / SIDE)
        return LandmarkResult(
            points_image=points,
            presence=float(1 / (1 + np.exp(-outputs["Identity_1"].item()))),
            crop=cv2.convertScaleAbs(crop, alpha=255),
            image_from_crop=image_from_crop,
        )


def region_of_detection(detection: Detection) -> Region:
    """Where to look for landmarks after a detection."""
    box = detection.box
    right_eye, left_eye = detection.keypoints_image[0], detection.keypoints_image[1]
    return Region(
        centre_x=(box.left + box.right) / 2,
        centre_y=(box.top + box.bottom) / 2,
        square=max(box.width, box.height) * ENLARGED,
        turn=_angle(right_eye, left_eye),
    )


def region_of_landmarks(points_image: F32) -> Region:
    """Where to look in the next frame. `points_image` is 478x3 (or Nx2 with the eye corners in their places)."""
    plane = points_image[
        :, :2
    ]  # not by OpenCV: it gives Python's lock away for a microsecond's work, and has to queue for it
    low, high = plane.min(axis=0), plane.max(axis=0)
    centre = (low + high) / 2
    return Region(
        centre_x=float(centre[0]),
        centre_y=float(centre[1]),
        square=float((high - low).max()) * ENLARGED,
        turn=_angle(points_image[RIGHT_EYE_CORNER], points_image[LEFT_EYE_CORNER]),
    )


def _angle(right: F32, left: F32) -> float:
    return float(np.arctan2(left[1] - right[1], left[0] - right[0]))
