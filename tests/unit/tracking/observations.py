"""Observations made by code: a stylised face that moves, speaks and blinks, with known tremble, and no network."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from bianlian.records.face import EXPRESSIONS, Quality
from bianlian.records.time import Instant
from bianlian.tracking.observation import FrameObservation, ObservedFace, SampledIdentity
from bianlian.weights.canonical import read_canonical_mesh
from bianlian.weights.catalogue import FACE_LANDMARKER
from tests.material import weight

TICKS = Fraction(1, 30)
LIDS = (
    *zip((246, 161, 160, 159, 158, 157, 173), (7, 163, 144, 145, 153, 154, 155), strict=True),
    *zip((466, 388, 387, 386, 385, 384, 398), (249, 390, 373, 374, 380, 381, 382), strict=True),
)
"""Landmarks of the upper and the lower lid."""
PIXELS_PER_CM = 12.0
"""Makes a face some 200 px high."""


def neutral() -> np.ndarray:
    """478x3 landmarks around the origin: the canonical mesh, and irises between the corners of the eyes."""
    vertices = read_canonical_mesh(weight(FACE_LANDMARKER)).vertices * np.array([1, -1, -1], np.float32)
    rings = [vertices[[33, 133]].mean(axis=0), vertices[[263, 362]].mean(axis=0)]
    irises = np.concatenate([ring + 0.5 * np.eye(5, 3, dtype=np.float32) for ring in rings])
    return np.concatenate([vertices, irises]).astype(np.float32) * PIXELS_PER_CM


def moving(frames: int, *, tremble: float = 0.0, seed: int = 0, at=(300.0, 250.0)) -> np.ndarray:
    """frames x 478 x 3: slow head movement, speech, and a blink of 5 frames every 40."""
    time = np.arange(frames)
    shape = np.repeat(neutral()[None], frames, axis=0)
    shape[:, [14, 17, 152, 87, 317], 1] += (9 * np.abs(np.sin(time / 5)))[:, None]
    closing = np.maximum(0, 1 - np.abs((time % 40) - 20) / 3)
    for upper, lower in LIDS:
        shape[:, upper, 1] += closing * (shape[:, lower, 1] - shape[:, upper, 1])
    turn = 0.1 * np.sin(time / 40)
    plane = (shape[..., 0] + 1j * shape[..., 1]) * np.exp(1j * turn)[:, None]
    shape[..., 0] = plane.real + (at[0] + 40 * np.sin(time / 30))[:, None]
    shape[..., 1] = plane.imag + at[1]
    return (shape + np.random.default_rng(seed).normal(0, tremble, shape.shape)).astype(np.float32)


def instant(index: int) -> Instant:
    return Instant(pts=index, time_base=TICKS)


def face(tracklet: int, points: np.ndarray, presence: float = 1.0) -> ObservedFace:
    quality = Quality(size_px=float(np.ptp(points[:, 1])), sharpness=0.5, presence=presence, covered=0.0)
    expression = np.linspace(0, 1, EXPRESSIONS, dtype=np.float32)
    return ObservedFace(tracklet=tracklet, points_image=points, expression=expression, quality=quality)


def identity(tracklet: int, frame: int, person: int) -> SampledIdentity:
    """An embedding of one of several persons who are 1 apart."""
    embedding = np.zeros(128, np.float32)
    embedding[person] = 0.7071
    embedding[-1] = 0.01 * (frame % 7)
    return SampledIdentity(tracklet=tracklet, frame=frame, embedding=embedding, worth=0.5)


def observation(index: int, *faces: ObservedFace, is_cut=False, identities=()) -> FrameObservation:
    return FrameObservation(index=index, instant=instant(index), is_cut=is_cut, faces=faces, identities=identities)


def one_person(frames: int, *, missing: range = range(0), tremble: float = 0.0) -> Iterator[FrameObservation]:
    """One person, tracklet 1 before the missing frames and 2 after them."""
    points = moving(frames, tremble=tremble)
    for index in range(frames):
        if index in missing:
            yield observation(index)
            continue
        tracklet = 1 if not missing or index < missing.start else 2
        is_sampled = index in (0, missing.stop if missing else 0)
        sampled = (identity(tracklet, index, 3),) if is_sampled else ()
        yield observation(index, face(tracklet, points[index]), identities=sampled)
