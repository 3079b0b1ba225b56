"""The grain of the skin comes from single frames, each where it shows the face best."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from bianlian.imaging.face_space import FaceSpace, build_face_space
from bianlian.learning.detail import weighted_mean, with_detail
from bianlian.records.arrays import F32
from bianlian.weights.canonical import read_canonical_mesh
from bianlian.weights.catalogue import FACE_LANDMARKER
from tests.material import weight

SIDE = 256
CHEEKS = slice(128, 148)


@cache
def space() -> FaceSpace:
    return build_face_space(read_canonical_mesh(weight(FACE_LANDMARKER)), side=SIDE)


def skin(random: np.random.Generator) -> F32:
    """Broad patches with fine spots."""
    broad, fine = (cv2.GaussianBlur(random.normal(size=(SIDE, SIDE, 3)), (0, 0), sigma) for sigma in (18.0, 0.9))
    return (0.5 + 4 * broad + 0.08 * fine).clip(0, 1).astype(np.float32)


def shifted(texture: F32, x: float, y: float) -> F32:
    where = np.array([[1, 0, x], [0, 1, y]])
    return cv2.warpAffine(texture, where, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def grain(texture: F32) -> F32:
    """Of the cheeks."""
    return (texture - cv2.GaussianBlur(texture, (0, 0), 1.5))[CHEEKS, 56:-56]


def likeness(one: F32, other: F32) -> float:
    """Correlation of the grain."""
    return float(np.corrcoef(grain(one).ravel(), grain(other).ravel())[0, 1])


def moving(random: np.random.Generator, count: int) -> tuple[F32, F32]:
    """Skin, and `count` textures of it that lie a little off."""
    truth = skin(random)
    return truth, np.stack([shifted(truth, *random.normal(scale=1.5, size=2)) for _ in range(count)])


def test_skin_is_nearly_as_sharp_as_in_single_frames() -> None:
    _, textures = moving(np.random.default_rng(5), 36)
    seen, still = np.ones(textures.shape[:3], np.float32), np.ones(len(textures), np.float32)
    mean = weighted_mean(textures, seen, np.ones(len(textures), np.float32))
    better = with_detail(mean, textures, seen, still, space())
    single = np.mean([grain(texture).std() for texture in textures])
    assert grain(mean).std() < 0.6 * single
    assert 0.7 * single < grain(better).std() < 1.05 * single


def test_learning_the_grain_twice_gives_the_same() -> None:
    _, textures = moving(np.random.default_rng(8), 12)
    seen, still = np.ones(textures.shape[:3], np.float32), np.ones(len(textures), np.float32)
    mean = weighted_mean(textures, seen, np.ones(len(textures), np.float32))
    once, again = (with_detail(mean, textures, seen, still, space()) for _ in range(2))
    assert np.array_equal(once, again)


def test_each_side_comes_from_a_frame_that_shows_it() -> None:
    random = np.random.default_rng(7)
    truth = skin(random)
    smooth = cv2.GaussianBlur(truth, (0, 0), 3.0)
    textures = np.repeat(smooth[None], 12, axis=0)
    seen, still = np.ones(textures.shape[:3], np.float32), np.ones(len(textures), np.float32)
    seen[:6, :, :100] = 0  # turned away to one side
    seen[6:, :, 156:] = 0
    textures[:6, :, 140:] = truth[:, 140:]
    textures[6:, :, :116] = truth[:, :116]
    better = with_detail(smooth, textures, seen, still, space())
    for part in (slice(0, 40), slice(-40, None)):
        assert grain(better)[:, part].std() > 0.7 * grain(truth)[:, part].std()


def test_a_grimace_is_not_where_skin_is_taken_from() -> None:
    random = np.random.default_rng(9)
    truth, grimace = skin(random), skin(random)
    textures = np.stack([truth] * 6 + [grimace] * 6)
    seen, still = np.ones(textures.shape[:3], np.float32), np.repeat(np.array([1, 0.1], np.float32), 6)
    better = with_detail(cv2.GaussianBlur(truth, (0, 0), 3.0), textures, seen, still, space())
    assert likeness(better, truth) > 0.8
    assert abs(likeness(better, grimace)) < 0.3


def test_what_no_frame_shows_stays_the_mean() -> None:
    random = np.random.default_rng(6)
    textures = np.stack([skin(random) for _ in range(12)])
    seen, still = np.ones(textures.shape[:3], np.float32), np.ones(len(textures), np.float32)
    mean = weighted_mean(textures, seen, np.ones(len(textures), np.float32))
    seen[:, :80] = 0
    assert np.abs(with_detail(mean, textures, seen, still, space()) - mean)[:60].max() < 1e-4


def test_noise_of_the_capture_does_not_become_skin() -> None:
    """Of single frames .85 of it would, and half of what looked like grain would be skin."""
    random = np.random.default_rng(5)
    truth = skin(random)
    textures = np.stack([truth + random.normal(scale=8 / 255, size=truth.shape) for _ in range(36)]).astype(np.float32)
    seen, still = np.ones(textures.shape[:3], np.float32), np.ones(len(textures), np.float32)
    mean = weighted_mean(textures, seen, np.ones(len(textures), np.float32))
    learnt = with_detail(mean, textures, seen, still, space())
    assert (grain(learnt) - grain(truth)).std() < 0.4 * (grain(textures[0]) - grain(truth)).std()
    assert likeness(learnt, truth) > 0.8


def test_a_line_in_one_frame_is_no_grain() -> None:
    """Though it makes that frame the sharpest of all; .11 of it would be seen."""
    truth, textures = moving(np.random.default_rng(5), 36)
    textures[7, CHEEKS.start : CHEEKS.stop, 100:102] += np.float32(0.4)
    seen, still = np.ones(textures.shape[:3], np.float32), np.ones(len(textures), np.float32)
    mean = weighted_mean(textures, seen, np.ones(len(textures), np.float32))
    learnt = with_detail(mean, textures, seen, still, space())
    assert np.abs((learnt - truth)[CHEEKS, 99:103]).max() < 0.08
