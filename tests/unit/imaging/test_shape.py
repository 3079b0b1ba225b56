"""Shapes from motion: what is projected is found again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.imaging.seam import anchor_weights
from bianlian.imaging.shape import F64, donor_offset, drawn_points, fit_pose, neutral_shape, place
from bianlian.records.face import Face, Pose, Quality
from tests.faces import space

FLIP = np.diag([1.0, -1.0, -1.0])


def turned(shape: F64, yaw: float, pitch: float, expression: np.ndarray) -> Face:
    """A face of `shape` as an orthographic camera sees it, 12 pixels a centimetre."""
    rotation = cv2.Rodrigues(np.array([pitch, 0.0, 0.0]))[0] @ cv2.Rodrigues(np.array([0.0, yaw, 0.0]))[0]
    moved = shape + np.tensordot(expression[1:].astype(np.float64), space().expressions, 1)
    points = 12 * moved @ rotation.T + (300, 250, 0)
    full = np.concatenate([points, np.repeat(points[:1], 10, axis=0)])
    return Face(
        points_image=full.astype(np.float32), pose=Pose(rotation=(FLIP @ rotation @ FLIP).astype(np.float32)),
        expression=expression, gaze=np.zeros(2, np.float32),
        quality=Quality(size_px=200, sharpness=1, presence=1, covered=0),
    )  # fmt: skip


def person(*, nose: float, width: float) -> F64:
    shape = space().canonical * (width, 1, 1)
    near = np.exp(-((shape[:, 0] / 2) ** 2) - ((shape[:, 1] - 0.5) / 2.5) ** 2)
    shape[:, 2] -= nose * near
    return shape


def performance(shape: F64, count: int = 24) -> list[Face]:
    draw = np.random.default_rng(3)
    return [
        turned(shape, *draw.uniform(-0.5, 0.5, 2), draw.uniform(0, 0.4, 52).astype(np.float32)) for _ in range(count)
    ]


def anchor(seen: float) -> F64:
    """What tells the donor's place on a performer whose chin is seen at rest in that share of the frames."""
    return anchor_weights(space().rim, space().chin, np.full(468, seen))


def test_a_neutral_shape_is_found_under_turns_and_expressions() -> None:
    shape = person(nose=1.0, width=1.08)
    found = neutral_shape(performance(shape), space().canonical, space().expressions, space().pose_weights)
    placement = fit_pose(found, shape[:, :2], space().pose_weights, np.eye(3))
    # The frame in which a shape is told is free: compare it after the best turn, in the image and in depth.
    there = placement.scale * found @ placement.rotation.T
    there += (shape - there).mean(axis=0)
    assert np.abs(there - shape).max() < 0.15


def test_a_single_picture_gives_a_finite_shape() -> None:
    still = [turned(person(nose=0.5, width=1.0), 0.2, 0.0, np.zeros(52, np.float32))]
    found = neutral_shape(still, space().canonical, space().expressions, space().pose_weights)
    assert np.isfinite(found).all()
    assert np.abs(found - space().canonical).max() < 4


def test_a_person_drawn_as_themselves_stays_where_they_are() -> None:
    shape = person(nose=0.8, width=0.95)
    face = turned(shape, 0.3, -0.1, np.full(52, 0.2, np.float32))
    offset = donor_offset(shape, shape, space().share, space().rim, anchor(1))
    placement = place(shape, space().expressions, space().pose_weights, face)
    assert np.abs(drawn_points(face, placement, offset) - face.points_image[:468]).max() < 0.01


def test_a_long_chin_ends_near_the_performers_if_that_is_seen_at_rest() -> None:
    performer, donor = person(nose=0.0, width=1.0), person(nose=0.0, width=1.0)
    chin = space().chin > 0
    donor[chin, 1] += 1
    there, beyond = (donor_offset(donor, performer, space().share, space().rim, anchor(seen)) for seen in (1, 0))
    assert 0 < there[chin, 1].max() < 0.3
    assert there[4, 1] < -0.5  # the nose makes room for it
    assert beyond[chin, 1].max() > 0.6


def test_the_outline_stays_the_performers_and_the_nose_becomes_the_donors() -> None:
    offset = donor_offset(
        person(nose=1.5, width=1.0), person(nose=0.0, width=1.0), space().share, space().rim, anchor(1)
    )
    assert np.abs(offset[space().share == 0]).max() == 0
    assert offset[4, 2] == pytest.approx(-1.5, abs=0.6)
