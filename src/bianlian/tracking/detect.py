"""BlazeFace, the short-range detector of the face landmarker's bundle: where faces are, with six key points each.

Pre- and post-processing follow MediaPipe's face_detector_graph.cc (Apache-2.0): 128 px letterbox in -1..1, 896 anchors of
fixed size (16x16x2 with stride 8, 8x8x6 with stride 16), weighted non-maximum suppression. The network was trained for
selfies, where a face fills much of the picture, so `FaceDetector.search` looks at overlapping tiles too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
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

_STANDS, _FAINT = 0.85, 0.3
"""Score from which a face stands beyond doubt (none on its head had it), and the least score when two ways are compared."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A square of the image that the detector looks at, pixels."""

    left: float
    top: float
    square: float


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
        return self.look(picture, (whole_view(picture.size),), least_score=least_score)

    def search(self, picture: Sampler, *, smallest_px: float, least_score: float = LEAST_SCORE) -> list[Detection]:
        """Faces in the whole picture and in overlapping tiles, down to a face `smallest_px` high; best first."""
        return self.look(picture, views(picture.size, smallest_px), least_score=least_score)

    def look(self, picture: Sampler, through: Iterable[View], *, least_score: float = LEAST_SCORE) -> list[Detection]:
        """Faces in some views of the picture, in image coordinates, best first."""
        return suppressed(self.sightings(picture, through, least_score=least_score))

    def righted(self, picture: Sampler, face: Detection) -> Detection:
        """`face`, or what it is when the picture is held upside down, if that is the likelier.

        The network takes a face that stands on its head for one that stands, with the eyes at the mouth, and says so with less
        confidence. Of 360 faces that stood none was turned, and all of 344 that did not (docs/tracking.md).
        """
        if face.score >= _STANDS:
            return face
        square = 3 * max(face.box.width, face.box.height)
        view = _centred(face.box, square)
        inverted = _UpsideDown(picture)
        as_seen = self.look(picture, (view,), least_score=_FAINT)
        turned = self.look(inverted, (_centred(inverted.box(face.box), square),), least_score=_FAINT)
        if not turned or (as_seen and as_seen[0].score >= turned[0].score):
            return face
        best = turned[0]
        return Detection(
            box=inverted.box(best.box), keypoints_image=inverted.corner - best.keypoints_image, score=best.score
        )

    def sightings(
        self, picture: Sampler, through: Iterable[View], *, least_score: float = LEAST_SCORE
    ) -> list[Detection]:
        """As `look`, before several sightings of one face are made one (see `suppressed`)."""
        return [face for view in through for face in self._faces(picture, view, least_score)]

    def _faces(self, picture: Sampler, view: View, least_score: float) -> list[Detection]:
        half = view.square / 2
        image_from_crop = image_from_square(view.left + half, view.top + half, view.square, 0.0, SIDE)
        outputs = self._session.run((picture.sample(image_from_crop, SIDE) * 2 - 1)[None])
        logits = np.clip(outputs["classificators"][0, :, 0], -100, 100)
        likely = np.flatnonzero(logits > np.log(least_score / (1 - least_score)))
        # Rows: centre, size, then six key points; all but the size are relative to the anchor.
        raw = outputs["regressors"][0, likely].reshape(-1, 8, 2)
        scale = view.square / SIDE
        points = (raw + self._anchors[likely, None]) * scale + [view.left, view.top]
        low, high = points[:, 0] - raw[:, 1] * scale / 2, points[:, 0] + raw[:, 1] * scale / 2
        scores = 1 / (1 + np.exp(-logits[likely]))
        return [
            Detection(
                box=Box(left=left, top=top, right=right, bottom=bottom),
                keypoints_image=points[i, 2:].astype(np.float32),
                score=float(scores[i]),
            )
            for i, ((left, top), (right, bottom)) in enumerate(zip(low.tolist(), high.tolist(), strict=True))
        ]


@dataclass(frozen=True, slots=True)
class _UpsideDown:
    """A picture held upside down."""

    picture: Sampler

    @property
    def size(self) -> Size:
        return self.picture.size

    @property
    def corner(self) -> F32:
        """2: the last pixel, which comes to lie where the first was."""
        height, width = self.size
        return np.array([width - 1, height - 1], np.float32)

    def sample(self, image_from_crop: F32, side: int) -> F32:
        inverted = -image_from_crop
        inverted[:, 2] += self.corner
        return self.picture.sample(inverted, side)

    def box(self, box: Box) -> Box:
        """Where a box comes to lie."""
        right, bottom = self.corner.tolist()
        return Box(left=right - box.right, top=bottom - box.bottom, right=right - box.left, bottom=bottom - box.top)


def _centred(box: Box, square: float) -> View:
    return View(left=(box.left + box.right - square) / 2, top=(box.top + box.bottom - square) / 2, square=square)


def whole_view(size: Size) -> View:
    """The square around the whole picture."""
    height, width = size
    square = float(max(height, width))
    return View(left=(width - square) / 2, top=(height - square) / 2, square=square)


def views(size: Size, smallest_px: float) -> tuple[View, ...]:
    """Squares through which the network finds every face from `smallest_px` up, the whole picture first.

    It finds all faces of an eighth of its input's height and more, 41 % at a tenth (measured on 26 faces, upright and turned
    by up to 60 degrees; docs/tracking.md). Each level's tiles are 3/8 of the last one's and overlap by a third: a face that
    is too small for one level fits whole into the overlap of the next.
    """
    height, width = size
    found = [whole_view(size)]
    square = found[0].square
    while square > smallest_px * 8:
        square = max(square * 3 / 8, smallest_px * 8)
        columns, rows = (1 + max(0, ceil((length - square) / (square * 2 / 3))) for length in (width, height))
        found += [
            View(left=_spread(width, square, column, columns), top=_spread(height, square, row, rows), square=square)
            for row in range(rows)
            for column in range(columns)
        ]
    return tuple(found)


def _spread(length: int, square: float, number: int, count: int) -> float:
    return (length - square) * (number / (count - 1) if count > 1 else 0.5)


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
        rows.append(np.repeat(centres, repeats, axis=0).astype(np.float32))
    return np.concatenate(rows)
