"""What an open mouth shows is the performer's own; a shut one shows nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bianlian.compositing.mouth import with_open_mouth
from bianlian.imaging.template import LOWER_LIP, UPPER_LIP
from bianlian.records.arrays import F32
from tests.faces import space, tracked

GREEN = np.array([0.1, 0.8, 0.2], np.float32)


def lips_apart(share: float) -> F32:
    """Landmarks of a face whose lips are that share of its height apart."""
    points = tracked("demo/demo_footage.mp4", 1)[0][1].face.points_image.copy()
    middle = (points[list(UPPER_LIP)] + points[list(LOWER_LIP)]) / 2
    points[list(UPPER_LIP)] = points[list(LOWER_LIP)] = middle
    height = np.linalg.norm(points[10] - points[152])
    points[list(LOWER_LIP[1:-1]), 1] += np.float32(share * height)
    return points


def shown(share: float) -> F32:
    """The middle of the mouth in a grey texture, the performer's picture being all green."""
    texture = np.full((space().template.side, space().template.side, 3), 0.5, np.float32)
    drawn = with_open_mouth(texture, np.full((720, 1280, 3), GREEN, np.float32), lips_apart(share), space())
    assert np.allclose(drawn[space().mouth == 0], 0.5)  # nothing but the mouth
    return drawn[space().mouth > 0.95].mean(axis=0)


def test_an_open_mouth_is_the_performers_own() -> None:
    assert np.allclose(shown(0.1), GREEN, atol=0.02)


def test_a_shut_mouth_keeps_the_donors_lips() -> None:
    assert np.allclose(shown(0.0), 0.5)


def test_it_opens_little_by_little() -> None:
    green = [shown(share)[1] for share in (0.004, 0.008, 0.012, 0.016, 0.02)]
    assert all(0 < later - earlier < 0.15 for earlier, later in pairwise(green))
