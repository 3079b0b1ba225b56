"""The levels of learning: one linear model, with more of everything from level to level (docs/engine.md has the measurements)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bianlian.errors import NothingToSwap
from bianlian.imaging.black import sunk
from bianlian.imaging.doubt import shape_doubt
from bianlian.imaging.face_space import FaceSpace, plain_skin
from bianlian.imaging.lids import shut, with_shut
from bianlian.imaging.light import coarse, light_between, relit
from bianlian.imaging.performance import POSE, performance
from bianlian.imaging.shape import F64, neutral_shape, place, resting_expression
from bianlian.imaging.template import unhidden, visibility
from bianlian.learning.burnt import unburnt
from bianlian.learning.detail import weighted_mean, with_detail
from bianlian.learning.eyes import eyes_of, looks_of
from bianlian.learning.front import uncovered
from bianlian.learning.glasses import without_glasses
from bianlian.learning.interface import Identity, Lesson
from bianlian.learning.ridge import ridge
from bianlian.learning.unseen import with_sides
from bianlian.records.appearance import Appearance, coded
from bianlian.records.arrays import F32
from bianlian.records.face import Face
from bianlian.records.progress import Progress, Reporter

LEAST_SAMPLES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearLearner:
    """Mean texture and a few components of change, predicted from the performance by ridge regression."""

    space: FaceSpace
    level: str
    components: int
    ridge: float
    whole_capture: bool
    """Whether the shape is solved from faces all along the capture, or from the samples' alone."""
    sample_limit: int
    """How many samples it wants from `samples.collect`."""

    def fit(self, lesson: Lesson, identity: Identity, *, seed: int, reporter: Reporter) -> Appearance:
        """See `interface.Learner`."""
        samples, space = lesson.samples, self.space
        if len(samples) < LEAST_SAMPLES:
            raise NothingToSwap(
                f"the capture shows the face clearly in {len(samples)} frames only",
                advice="record a longer capture in better light, with the face larger",
            )
        steps = Progress(stage="learn", done=0, total=4, unit="steps")
        reporter.progress(steps)
        faces = [sample.face for sample in samples]
        shown = lesson.faces if self.whole_capture else faces
        neutral = neutral_shape(shown, space.canonical, space.expressions, space.pose_weights)
        rotations = [place(neutral, space.expressions, space.pose_weights, face).rotation for face in faces]
        rest = resting_expression(shown)
        features = np.stack([performance(face, turn, rest) for face, turn in zip(faces, rotations, strict=True)])
        reporter.progress(Progress(stage="learn", done=1, total=4, unit="steps"))
        seen = np.stack([_seen(face, space) for face in faces])
        textures = np.stack([sample.texture for sample in samples]).astype(np.float32) / np.float32(255)
        textures = sunk(textures, lesson.black)
        textures = unburnt(textures, seen, space)
        usual = np.array([sample.frames for sample in samples], np.float32)
        mean = even_light(textures, seen, usual, space)
        mean = without_glasses(textures, seen, usual, mean, space)
        mean, seen, clear = uncovered(textures, seen, usual, mean, space)
        mean = with_sides(mean, seen, space)
        face = with_detail(mean, textures, seen, _still(features) * clear, space)
        looks = with_shut(looks_of(faces), np.stack([shut(texture, mean, space) for texture in textures]))
        eyes, eyes_seen = eyes_of(textures, seen, looks, features[:, POSE], space)
        reporter.progress(Progress(stage="learn", done=2, total=4, unit="steps"))
        basis, scales, scores = components(textures, seen, mean, self.components, space)
        reporter.progress(Progress(stage="learn", done=3, total=4, unit="steps"))
        centre = np.average(features, axis=0, weights=usual).astype(np.float32)
        spread = np.maximum(features.std(axis=0), 0.02)
        regressor, doubt = ridge(((features - centre) / spread).astype(np.float64), scores, self.ridge)
        reporter.progress(Progress(stage="learn", done=4, total=4, unit="steps"))
        return Appearance(
            donor_id=identity.donor_id, template_commitment=identity.template_commitment, level=self.level, seed=seed,
            neutral=neutral.astype(np.float32), shape_doubt=np.array([shape_doubt(shown, space)], np.float32), rest=rest,
            mean=np.clip(face, 0, 1), basis=basis, scales=scales, centre=centre, spread=spread,
            regressor=regressor, doubt=doubt, covered=features.astype(np.float32),
            looks=looks, eyes=eyes, eyes_seen=eyes_seen,
        )  # fmt: skip


def draft_learner(space: FaceSpace) -> LinearLearner:
    """Seconds: enough for blinks, the mouth and the grain of the skin."""
    return LinearLearner(space=space, level="draft", components=8, ridge=10.0, whole_capture=False, sample_limit=60)


def standard_learner(space: FaceSpace) -> LinearLearner:
    """Under a minute on two cores, tracking of the capture apart: more frames, components and views of the skin, and a shape from
    the whole capture."""
    return LinearLearner(
        space=space, level="standard", components=24, ridge=200.0, whole_capture=True, sample_limit=240
    )


def _still(features: F32) -> F32:
    """N, 0..1: how near each of `features` (NxFEATURES) is to a face at rest, however it is turned."""
    return np.exp(-(features[:, :51] ** 2).sum(axis=1) / 2)


def _seen(face: Face, space: FaceSpace) -> F32:
    points = face.points_image
    return visibility(points, space.template) * unhidden(points, space.template)


def even_light(textures: F32, seen: F32, weights: F32, space: FaceSpace, *, rounds: int = 2) -> F32:
    """Bring all `textures` (NxSxSx3, changed in place) to their mean light; returns their mean over what was `seen` (NxSxS).

    `weights` (N) says how much each counts in it: as the frames it stands for, so that the mean is the face as it mostly is.
    """
    mean = weighted_mean(textures, seen, weights)
    small_seen = [coarse(part) for part in seen]
    for _ in range(rounds):
        small_mean = coarse(mean)
        skin = plain_skin(space, small_mean)
        for texture, visible in zip(textures, small_seen, strict=True):
            light = light_between(space.light, small_mean, coarse(texture), skin * visible)
            texture[:] = relit(texture, space.light, light)
        mean = weighted_mean(textures, seen, weights)
    return np.clip(mean, 0, 1)


def components(textures: F32, seen: F32, mean: F32, count: int, space: FaceSpace) -> tuple[np.ndarray, F32, F64]:
    """Principal components of the change from `mean`; unseen texels count as the mean's.

    Returns:
        (KxSxSx3 int8 basis, K scales, NxK scores in units of basis * scale).
    """
    side = mean.shape[0]
    weight = (space.template.spread(space.share) > 0)[..., None]
    change = textures
    for index in range(len(change)):
        change[index] = (change[index] - mean) * seen[index][..., None] * weight
    rows = change.reshape(len(change), -1)
    values, vectors = np.linalg.eigh((rows @ rows.T).astype(np.float64))
    order = np.argsort(values)[::-1][: min(count, len(rows) - 1)]
    order = order[values[order] > 1e-6 * values.max()]
    vectors = vectors[:, order]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(order))])
    full = (vectors / np.sqrt(values[order])).T.astype(np.float32) @ rows
    basis, scales = coded(full)
    scores = vectors * np.sqrt(values[order])
    return basis.reshape(-1, side, side, 3), scales, scores
