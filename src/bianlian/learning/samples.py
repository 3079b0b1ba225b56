"""Choose the frames of a capture that teach most, in one pass and bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from bianlian.imaging.black import black_level, darkest
from bianlian.imaging.colour import PixelBox, rgb_from_frame
from bianlian.imaging.face_space import FaceSpace
from bianlian.imaging.performance import POSE, performance
from bianlian.imaging.shape import start_rotation
from bianlian.imaging.template import unwrap
from bianlian.learning.interface import Lesson, Sample
from bianlian.records.appearance import FEATURES
from bianlian.records.face import Face, TrackedFace
from bianlian.records.frame import Frame

_FACES = 800
"""More say no more about a shape."""
_NO_REST = np.zeros(51, np.float32)
_WEIGHT = np.ones(FEATURES, np.float32)
_WEIGHT[POSE] = 3.0
_WEIGHT[53:55] = 0.0
"""How much each feature counts in the distance between two frames: a radian of pose as three coefficients."""


def collect(
    frames: Iterable[tuple[Frame, TrackedFace]], space: FaceSpace, *, limit: int, least_presence: float = 0.5
) -> Lesson:
    """At most `limit` samples that spread over the poses and expressions seen, and up to `_FACES` faces evenly over time.

    When the set is full, the newcomer takes the place of whichever sample lies nearest to another one: memory stays bounded
    by `limit` textures however long the capture is. A frame that is not kept counts for the sample nearest to it. Faces that
    are interpolated, hidden or hardly a face are left out.
    """
    kept: list[tuple[int, Sample]] = []
    stands_for = np.ones(limit, np.intp)
    faces, stride = list[Face](), 1
    blacks = list[float]()
    features = np.zeros((limit + 1, FEATURES), np.float32)
    distances = np.full((limit + 1, limit + 1), np.inf, np.float32)
    for number, (frame, tracked) in enumerate(frames):
        face = tracked.face
        if tracked.is_interpolated or face.quality.presence < least_presence or face.quality.covered > 0.3:
            continue
        if number % stride == 0:
            faces.append(face)
            blacks.append(darkest(frame))
            if len(faces) == _FACES:
                faces, stride = faces[::2], 2 * stride
        place = len(kept)
        features[place] = performance(face, start_rotation(face), _NO_REST) * _WEIGHT
        apart = np.linalg.norm(features[:place] - features[place], axis=1)
        if place == limit:
            pair = np.unravel_index(np.argmin(distances[:limit, :limit]), (limit, limit))
            if apart.min() <= distances[pair]:
                stands_for[np.argmin(apart)] += 1
                continue
            place = int(max(pair))
            stands_for[min(pair)] += stands_for[place]
            stands_for[place] = 1
            features[place] = features[limit]
            apart = np.linalg.norm(features[:limit] - features[place], axis=1)
            kept[place] = (number, _sample(frame, face, space))
        else:
            kept.append((number, _sample(frame, face, space)))
        distances[place, : len(apart)] = distances[: len(apart), place] = apart
        distances[place, place] = np.inf
    counted = [
        (number, replace(sample, frames=int(count))) for (number, sample), count in zip(kept, stands_for, strict=False)
    ]
    samples = tuple(sample for _, sample in sorted(counted, key=lambda entry: entry[0]))
    return Lesson(samples=samples, faces=tuple(faces), black=black_level(blacks))


def _sample(frame: Frame, face: Face, space: FaceSpace) -> Sample:
    texture, _ = face_texture(frame, face, space)
    return Sample(texture=texture, face=face)


def face_texture(frame: Frame, face: Face, space: FaceSpace) -> tuple[np.ndarray, PixelBox]:
    """The unwrapped texture (SxSx3 uint8) of a face in a frame, and the box that was read."""
    box = face.box
    margin = 0.05 * box.height
    read = PixelBox(
        left=int(box.left - margin), top=int(box.top - margin),
        right=int(box.right + margin) + 1, bottom=int(box.bottom + margin) + 1,
    ).clipped(frame.size)  # fmt: skip
    rgb = rgb_from_frame(frame, read)
    corner = np.array([read.left, read.top, 0], np.float32)
    return unwrap(rgb, face.points_image - corner, space.template).astype(np.uint8), read
