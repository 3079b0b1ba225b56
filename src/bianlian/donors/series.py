"""A capture as series over time: what the checks of liveness and acts work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bianlian.errors import ConsentRefused
from bianlian.records.arrays import F32, frozen
from bianlian.records.face import EXPRESSIONS, LANDMARKS, TrackedFace
from bianlian.records.time import Instant
from bianlian.records.track import Track

_BLOCK = 256
"""Frames read from the track at a time."""
_BROWS = [70, 63, 105, 66, 107, 336, 296, 334, 293, 300]
"""Upper rims of both brows."""
_EYES = [33, 133, 362, 263]
"""Corners of both eyes; the outer ones first and last."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """The donor's performance, frame by frame; rows of frames without the donor are NaN. Angles as in `records.face.Pose`."""

    seconds: np.ndarray
    """N float64, from the first frame."""
    is_present: np.ndarray
    """N bool: the donor's face was really seen, not filled in."""
    second_face: np.ndarray
    """N float32: height of the largest other face over the donor's; 0 without one."""
    yaw: F32
    pitch: F32
    size_px: F32
    expression: F32
    """N x 52."""
    brows: F32
    """Height of the brows over the eyes, over the distance of the eyes' outer corners; in depth too, so that it holds under
    every pose."""
    points_image: F32
    """N x 468 x 2, pixels; without the irises, which move by themselves."""
    person: int
    """Number of the donor in the track."""

    def __post_init__(self) -> None:
        count = len(self.seconds)
        for name in ("yaw", "pitch", "size_px", "brows"):
            object.__setattr__(self, name, frozen(getattr(self, name), name, (count,), np.float32))
        object.__setattr__(self, "expression", frozen(self.expression, "expression", (count, EXPRESSIONS), np.float32))
        shape = (count, LANDMARKS - 10, 2)
        object.__setattr__(self, "points_image", frozen(self.points_image, "points_image", shape, np.float32))


def read_series(track: Track, instants: Sequence[Instant]) -> Series:
    """Read the performance of whoever is seen in most frames.

    Raises:
        ConsentRefused: code capture-no-face.
    """
    info = track.info
    if not info.persons or info.frame_count != len(instants) or not instants:
        raise ConsentRefused(
            "No face was found in the capture.",
            code="capture-no-face",
            advice="Face the camera, in good light, so near that the face fills a third of the picture's height.",
        )
    donor = max(info.persons, key=lambda person: person.frame_count).number
    count = info.frame_count
    yaw, pitch, size, brows = (np.full(count, np.nan, np.float32) for _ in range(4))
    expression = np.full((count, EXPRESSIONS), np.nan, np.float32)
    points = np.full((count, LANDMARKS - 10, 2), np.nan, np.float32)
    present, second = np.zeros(count, bool), np.zeros(count, np.float32)
    index = 0
    for start in range(0, count, _BLOCK):
        for faces in track.faces(start, min(start + _BLOCK, count)):
            for tracked in faces:
                if tracked.person == donor:
                    face = tracked.face
                    present[index] = not tracked.is_interpolated
                    yaw[index], pitch[index], size[index] = face.pose.yaw, face.pose.pitch, face.quality.size_px
                    brows[index] = brow_height(face.points_image)
                    expression[index], points[index] = face.expression, face.points_image[: LANDMARKS - 10, :2]
            second[index] = _largest_other(faces, donor)
            index += 1
    seconds = np.array([float(instant.exact - instants[0].exact) for instant in instants])
    return Series(
        seconds=seconds, is_present=present, second_face=second, yaw=yaw, pitch=pitch, size_px=size, brows=brows,
        expression=expression,
        points_image=points, person=donor,
    )  # fmt: skip


def brow_height(points_image: F32) -> float:
    """Brows over eyes for one face, 478x3: their middles' distance over that of the eyes' outer corners."""
    apart = np.linalg.norm(points_image[_BROWS].mean(axis=0) - points_image[_EYES].mean(axis=0))
    return float(apart / np.linalg.norm(points_image[_EYES[-1]] - points_image[_EYES[0]]))


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """(first, stop) of each run of True in a 1-D mask."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(first), int(stop)) for first, stop in edges.reshape(-1, 2)]


def _largest_other(faces: Sequence[TrackedFace], donor: int) -> float:
    own = [tracked.face.quality.size_px for tracked in faces if tracked.person == donor]
    others = [
        tracked.face.quality.size_px for tracked in faces if tracked.person != donor and not tracked.is_interpolated
    ]
    if not others:
        return 0.0
    return max(others) / own[0] if own else np.inf
