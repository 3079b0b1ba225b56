"""BlazeFace, the short-range detector of the face landmarker's bundle: where faces are, with six key points each.

Pre- and post-processing follow MediaPipe's face_detector_graph.cc (Apache-2.0): 128 px letterbox in -1..1, 896 anchors of
fixed size (16x16x2 with stride 8, 8x8x6 with stride 16), weighted non-maximum suppression. The network was trained for
selfies, where a face fills much of the picture, so `FaceDetector.search` also looks at overlapping tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bianlian.records.arrays import F32, frozen
from bianlian.records.face import Box
from bianlian.records.frame import Size
from bianlian.tracking.sampling import Sampler, image_from_square
from bianlian.weights.canonical import bundle_member
from bianlian.weights.runtime import LiteSession

SIDE = 128
"""Input of the network, pixels."""
LEAST_SCORE = 0.5
"""face_detector_graph.cc, min_detection_confidence."""
LEAST_OVERLAP = 0.3
"""face_detector_graph.cc, min_suppression_threshold."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detection:
    """A face as the detector sees it."""

    box: Box
    keypoints_image: F32
    """6x2: the person's right eye, left eye, nose tip, mouth, right ear, left ear."""
    score: float
    """0..1."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "keypoints_image", frozen(self.keypoints_image, "keypoints_image", (6, 2), np.float32))


class FaceDetector:
    """Args:
    bundle: `face_landmarker.task`.
    threads: of the network.
    """

    def __init__(self, bundle: Path, *, threads: int = 1) -> None:
        self._session = LiteSession(bundle_member(bundle, "face_detector.tflite"), threads=threads)
        self._anchors = _anchors()

    def detect(self, picture: Sampler, *, least_score: float = LEAST_SCORE) -> list[Detection]:
        """Faces in the whole picture, best first; small ones are missed (see `search`)."""
        height, width = picture.size
        found = self._look(picture, width / 2, height / 2, max(width, height), 0.0, least_score)
        return suppressed(found)

    def search(self, picture: Sampler, *, smallest_px: float, least_score: float = LEAST_SCORE) -> list[Detection]:
        """Faces in the whole picture and in overlapping tiles, down to a face of about `smallest_px` high; best first."""
        found = self.detect(picture, least_score=least_score)
        for left, top, square in tiles(picture.size, smallest_px):
            found += self._look(picture, left + square / 2, top + square / 2, square, 0.0, least_score)
        return suppressed(found)

    def _look(
        self, picture: Sampler, centre_x: float, centre_y: float, square: float, turn: float, least_score: float
    ) -> list[Detection]:
        image_from_crop = image_from_square(centre_x, centre_y, square, turn, SIDE)
        crop = picture.sample(image_from_crop, SIDE) * 2 - 1
        outputs = self._session.run(crop[None])
        logits = np.clip(outputs["classificators"][0, :, 0], -100, 100)
        likely = np.flatnonzero(logits > np.log(least_score / (1 - least_score)))
        if likely.size == 0:
            return []
        raw = outputs["regressors"][0, likely]
        points = raw.reshape(-1, 8, 2)
        scale = square / SIDE
        anchors = self._anchors[likely]
        centres = points[:, 0] + anchors
        keypoints = (points[:, 2:] + anchors[:, None]) @ image_from_crop[:, :2].T + image_from_crop[:, 2]
        middle = centres @ image_from_crop[:, :2].T + image_from_crop[:, 2]
        sizes = points[:, 1] * scale
        scores = 1 / (1 + np.exp(-logits[likely]))
        return [
            Detection(
                box=Box(left=x - w / 2, top=y - h / 2, right=x + w / 2, bottom=y + h / 2),
                keypoints_image=keypoints[i].astype(np.float32),
                score=float(scores[i]),
            )
            for i, ((x, y), (w, h)) in enumerate(zip(middle.tolist(), sizes.tolist(), strict=True))
        ]


def tiles(size: Size, smallest_px: float) -> Iterator[tuple[float, float, float]]:
    """(left, top, side) of overlapping squares that cover a picture, each level half the last.

    The network finds a face down to about an eighth of its input (measured, docs/tracking.md), so the smallest tiles are
    eight times `smallest_px`. Neighbours overlap by a third: a face up to that size is whole in one of them.
    """
    height, width = size
    square = max(height, width) / 2
    while square * 2 > smallest_px * 8 and square >= SIDE / 2:
        step = square * 2 / 3
        columns, rows = (1 + max(0, int(np.ceil((length - square) / step))) for length in (width, height))
        for row in range(rows):
            for column in range(columns):
                left = (width - square) * (column / (columns - 1) if columns > 1 else 0.5)
                top = (height - square) * (row / (rows - 1) if rows > 1 else 0.5)
                yield left, top, square
        square /= 2


def suppressed(found: list[Detection]) -> list[Detection]:
    """Weighted non-maximum suppression (MediaPipe's non_max_suppression_calculator.cc): clusters become score-weighted means."""
    left = sorted(found, key=lambda detection: -detection.score)
    kept: list[Detection] = []
    while left:
        best = left[0]
        cluster = [other for other in left if best.box.overlap(other.box) > LEAST_OVERLAP or other is best]
        left = [other for other in left if other not in cluster]
        weights = np.array([other.score for other in cluster])
        weights /= weights.sum()
        boxes = np.array([(o.box.left, o.box.top, o.box.right, o.box.bottom) for o in cluster])
        edges = (weights @ boxes).tolist()
        keypoints = np.tensordot(weights, np.stack([other.keypoints_image for other in cluster]), axes=1)
        kept.append(
            Detection(
                box=Box(left=edges[0], top=edges[1], right=edges[2], bottom=edges[3]),
                keypoints_image=keypoints.astype(np.float32),
                score=best.score,
            )
        )
    return kept


def _anchors() -> F32:
    """896x2 anchor centres in input pixels, the order of the network's rows."""
    rows: list[F32] = []
    for cells, repeats in ((16, 2), (8, 6)):
        y, x = np.mgrid[:cells, :cells].astype(np.float32)
        centres = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) * (SIDE / cells)
        rows.append(np.repeat(centres, repeats, axis=0))
    return np.concatenate(rows)
