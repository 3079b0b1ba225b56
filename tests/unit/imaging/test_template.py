"""The flat face: unwrapping and drawing undo each other, and nothing is folded over."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.imaging.mesh import facing
from bianlian.imaging.template import painted, unhidden, unwrap, visibility
from tests.faces import faces_of, space
from tests.material import pictures

CLIP = "demo/demo_footage.mp4"


def test_every_triangle_keeps_its_side() -> None:
    assert (np.sign(space().template.areas) == space().front).all()


def test_no_part_of_the_face_has_too_few_texels() -> None:
    """Lids and lips had a quarter of what skin has, and were drawn as steps."""
    template = space().template
    shown = [np.abs(facing(tracked.face.points_image[:468], template.triangles)) for tracked in faces_of(CLIP, 5, 0, 3)]
    pixels = np.median(shown, axis=0) / np.abs(template.areas)
    inner = (space().share[template.triangles] > 0.5).all(axis=1)
    assert pixels[inner].max() < 3.2 * np.median(pixels[inner])


def test_drawing_an_unwrapped_face_gives_the_picture_back() -> None:
    (picture,), (tracked,) = pictures(CLIP, 1), faces_of(CLIP, 1)
    points = tracked.face.points_image[:468]
    texture = unwrap(picture, points, space().template)
    where, share = space().drawn(points, space().share, picture.shape[:2])
    drawn = cv2.remap(texture, where, None, cv2.INTER_LINEAR)
    inner = share > 0.5
    assert inner.sum() > 2000
    assert np.abs(drawn[inner].astype(float) - picture[inner]).mean() < 6


def test_outside_the_face_nothing_is_drawn() -> None:
    (tracked,) = faces_of(CLIP, 1)
    where, share = space().drawn(tracked.face.points_image[:468] + np.float32(5000), space().share, (64, 64))
    assert not share.any()
    assert (where == -9).all()


def test_the_far_side_of_a_turned_face_is_unseen() -> None:
    turned = max(faces_of("demo/demo_donor_acts.mp4", 4, 8, 4), key=lambda t: abs(t.face.pose.yaw)).face
    assert abs(turned.pose.yaw) > 0.3
    seen = visibility(turned.points_image, space().template) * unhidden(turned.points_image, space().template)
    left, right = seen[:, :40].mean(), seen[:, -40:].mean()
    # Turned to their own left, a person shows the viewer their right cheek, which is on the left of the template.
    assert (left > right) == (turned.pose.yaw > 0)
    assert abs(left - right) > 0.1


def test_the_template_goes_on_beyond_the_face() -> None:
    template = space().template
    assert np.abs(template.spread(np.full(468, 0.7)) - 0.7).max() < 1e-5


def test_a_drawn_face_fades_in_from_its_outline() -> None:
    (tracked,) = faces_of(CLIP, 1)
    points = tracked.face.points_image[:468]
    where, matte = space().drawn(points, np.ones(468), (720, 720))
    face = (where[..., 0] >= 0).astype(np.uint8)
    border = (face - cv2.erode(face, np.ones((3, 3)))) > 0
    deep = cv2.erode(face, np.ones((15, 15))) > 0
    assert matte[border].mean() < 0.35
    assert matte[deep].min() > 0.99


def test_a_small_face_shows_means_of_texels() -> None:
    template = space().template
    fine = np.indices((template.side, template.side)).sum(axis=0) % 2
    texture = np.repeat(fine[..., None], 3, axis=2).astype(np.float32)
    points = np.concatenate([template.uv / 6, np.zeros((468, 1))], axis=1).astype(np.float32)
    where, matte = space().drawn(points, np.ones(468), (48, 48))
    drawn = painted(texture, where, points, template)
    assert np.abs(drawn[matte > 0.99] - 0.5).max() < 0.1


@pytest.mark.parametrize("axis", [0, 1])
def test_a_part_that_stands_before_another_ends_softly_and_lips_do_not(axis: int) -> None:
    """Across: nose before cheek. Down: lip on lip, whose line is dark."""
    template = space().template
    texture = np.ones((template.side, template.side, 3), np.float32)
    dark = template.side // 2
    texture[:, dark] = texture[dark] = 0
    way = np.concatenate([np.linspace(dark - 20, dark - 1, 20), [dark], np.linspace(dark + 30, dark + 48, 19)])
    along, stays = (np.repeat(line[None], 40, axis=0) for line in (way, np.full(40, 10.0)))
    where = np.stack([along, stays] if axis else [stays.T, along.T], axis=-1).astype(np.float32)
    points = np.concatenate([template.uv, np.zeros((468, 1))], axis=1).astype(np.float32)
    line = painted(texture, where, points, template).take(20, axis=axis)
    assert line.min() > 0.4 if axis else line.min() < 0.05
