"""What two looks at one person differ by is not taken for what sets two persons apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bianlian.imaging.doubt import apart, credence, shape_doubt
from bianlian.imaging.shape import F64, neutral_shape
from bianlian.records.face import Face
from tests.faces import space
from tests.unit.imaging.test_shape import person, turned

SETTLED = np.ones(468)


def clip(shape: F64, *, seed: int, count: int = 32) -> list[Face]:
    """A face that hardly turns, under landmarks that stray up and down for moments, each part of the face for itself."""
    draw = np.random.default_rng(seed)
    steps = draw.normal(0, 2, (count // 4, 3)).repeat(4, axis=0)
    part = np.digitize(space().canonical[:, 1], (-2.0, 2.0))
    faces = [turned(shape, *draw.uniform(-0.06, 0.06, 2), np.zeros(52, np.float32)) for _ in range(count)]
    return [wandered(face, step[part]) for face, step in zip(faces, steps, strict=True)]


def wandered(face: Face, down: F64) -> Face:
    points = face.points_image.copy()
    points[:468, 1] += down.astype(np.float32)
    return replace(face, points_image=points)


def believed(one: list[Face], other: list[Face]) -> float:
    shapes = [neutral_shape(f, space().canonical, space().expressions, space().pose_weights) for f in (one, other)]
    doubts = shape_doubt(one, space()), shape_doubt(other, space())
    return credence(apart(*shapes, SETTLED, space()), doubts, space())


def test_somebody_who_plays_themselves_is_hardly_moved() -> None:
    shape = person(nose=0.5, width=1.0)
    assert np.mean([believed(clip(shape, seed=seed), clip(shape, seed=seed + 50)) for seed in range(6)]) < 0.4


def test_what_sets_two_persons_apart_is_drawn_whole() -> None:
    one, other = clip(person(nose=0.0, width=0.92), seed=1), clip(person(nose=1.5, width=1.1), seed=2)
    assert believed(one, other) > 0.95


def test_few_pictures_tell_of_no_doubt() -> None:
    faces = clip(person(nose=0.5, width=1.0), seed=3, count=4)
    assert shape_doubt(faces, space()) == 0
    assert believed(faces, clip(person(nose=0.0, width=1.0), seed=4, count=4)) == 1
