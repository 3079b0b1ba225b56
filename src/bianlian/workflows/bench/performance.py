"""What is left of the performance: mouth, blink, gaze, expression and pose of a picture's face against the footage's.

A tracker that looks twice at the same clip does not see the same: a mirrored clip is the same performance, looked at anew.
How far the second look is from the first is the measure for how near two performances can be found to be.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bianlian.imaging.template import LOWER_LIDS, LOWER_LIP, UPPER_LIDS, UPPER_LIP
from bianlian.records.face import EXPRESSION_NAMES, Face, TrackedFace
from bianlian.records.frame import Frame
from bianlian.records.progress import Silent
from bianlian.tracking.models import FaceModels
from bianlian.tracking.observe import ObserveSettings
from bianlian.tracking.stage import track, writer_for

F64 = npt.NDArray[np.float64]
_FOREHEAD, _CHIN = 10, 152
_OPEN_EYE = 90
"""Percentile over a clip of an eye's opening that counts as open: a narrow eye that is open is no blink."""
_FACING = np.diag([-1.0, 1.0, 1.0])
_SWAPPED = [
    EXPRESSION_NAMES.index(name.replace("Left", "?").replace("Right", "Left").replace("?", "Right"))
    for name in EXPRESSION_NAMES
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """Mean absolute differences of two performances over the frames that show both."""

    mouth: float
    """Opening of the lips, share of the face's height."""
    blink: float
    """How far the eyes are closed, 0 open … 1 shut, each against its own open state."""
    gaze: float
    """Degrees, mean of yaw and pitch, relative to the head."""
    expression: float
    """Blendshape coefficients, 0..1, mean of the 51 (without the neutral one)."""
    pose: float
    """Degrees, the angle of the turn that is between the two."""

    def against(self, yardstick: Apart) -> Apart:
        """Each difference over the yardstick's."""
        return Apart(**{
            one.name: getattr(self, one.name) / max(getattr(yardstick, one.name), 1e-9) for one in fields(self)
        })  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Performance:
    """The signals of one face over N frames; NaN in frames that do not show it."""

    mouth: F64
    """N: distance of the inner lips over the height of the face."""
    lids: F64
    """Nx2 (the person's right, left): distance of the lids over the eye's width."""
    gaze: F64
    """Nx2 radians, signs as in `Pose`."""
    expression: F64
    """Nx52."""
    rotation: F64
    """Nx3x3."""

    def apart(self, other: Performance) -> Apart:
        """How far two performances of as many frames are from each other."""
        turns = np.einsum("nij,nij->n", self.rotation, other.rotation)
        angles = np.arccos(np.clip((turns - 1) / 2, -1, 1))
        return Apart(
            mouth=_difference(self.mouth, other.mouth),
            blink=_difference(self.closed, other.closed),
            gaze=float(np.degrees(_difference(self.gaze, other.gaze))),
            expression=_difference(self.expression[:, 1:], other.expression[:, 1:]),
            pose=float(np.degrees(np.nanmean(angles))),
        )

    @property
    def closed(self) -> F64:
        """Nx2: 0 open … 1 shut."""
        return np.clip(1 - self.lids / np.nanpercentile(self.lids, _OPEN_EYE, axis=0), 0, 1)

    @property
    def mirrored(self) -> Performance:
        """The performance of the mirror image."""
        return Performance(
            mouth=self.mouth, lids=self.lids[:, ::-1], gaze=self.gaze * (-1, 1), expression=self.expression[:, _SWAPPED],
            rotation=_FACING @ self.rotation @ _FACING,
        )  # fmt: skip


def seen_in(frames: Iterable[Frame], models: FaceModels) -> Performance:
    """Track frames that show one person and read off the performance."""
    return performance_of(tracked(frames, models))


def tracked(frames: Iterable[Frame], models: FaceModels) -> list[tuple[TrackedFace, ...]]:
    """The faces of each frame, tracked as footage is."""
    with tempfile.TemporaryDirectory(prefix="bianlian-bench-") as scratch:
        settings = ObserveSettings()
        writer = writer_for(Path(scratch) / "seen.track", source_sha256="", model_hashes={}, settings=settings)
        found = track(frames, models, settings, writer, Silent())
        return list(found.faces(0, found.info.frame_count))


def largest(faces: Iterable[tuple[TrackedFace, ...]]) -> list[Face | None]:
    """The largest face of each frame; None where there is none."""
    return [max(found, key=lambda one: one.face.box.height).face if found else None for found in faces]


def performance_of(faces: Iterable[tuple[TrackedFace, ...]]) -> Performance:
    """The performance of the largest face of each frame."""
    rows = [_signals(face) if face else _NOBODY for face in largest(faces)]
    mouth, lids, gaze, expression, rotation = (np.stack(column) for column in zip(*rows, strict=True))
    return Performance(mouth=mouth, lids=lids, gaze=gaze, expression=expression, rotation=rotation)


def mirror_images(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same frames seen in a mirror."""
    for frame in frames:
        first, second, third = (np.ascontiguousarray(plane[:, ::-1]) for plane in frame.planes)
        yield replace(frame, planes=(first, second, third))


def _signals(face: Face) -> tuple[F64, ...]:
    points = face.points_image[:, :2].astype(np.float64)

    def between(one: tuple[int, ...], other: tuple[int, ...]) -> F64:
        return np.linalg.norm(points[list(one)] - points[list(other)], axis=1)

    height = between((_FOREHEAD,), (_CHIN,))[0]
    lids = [
        between(upper, lower).mean() / between(upper[:1], upper[-1:])[0]
        for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True)
    ]
    return (
        np.asarray(between(UPPER_LIP, LOWER_LIP).mean() / height), np.array(lids), face.gaze.astype(np.float64),
        face.expression.astype(np.float64), face.pose.rotation.astype(np.float64),
    )  # fmt: skip


_NOBODY: tuple[F64, ...] = tuple(np.full(shape, np.nan) for shape in ((), (2,), (2,), (52,), (3, 3)))


def _difference(one: F64, other: F64) -> float:
    return float(np.nanmean(np.abs(one - other)))
