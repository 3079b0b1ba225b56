"""The bench measures what it says: performance kept, flicker against the codec's, what was not to be touched."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.imaging.template import build_template
from bianlian.weights.canonical import read_canonical_mesh
from bianlian.weights.catalogue import FACE_LANDMARKER
from bianlian.workflows.bench.performance import Apart, Performance, mirror_images, seen_in
from bianlian.workflows.bench.scores import (
    BenchResult,
    Fidelity,
    Yardstick,
    clip_flicker,
    fidelity_table,
    performance_table,
    untouched,
)
from bianlian.workflows.bench.unrest import TrueSkin
from tests.material import face_models, footage, pictures, weight


def performance(count: int = 12, seed: int = 1) -> Performance:
    random = np.random.default_rng(seed)
    turns = np.stack([np.linalg.qr(random.normal(size=(3, 3)))[0] for _ in range(count)])
    turns *= np.linalg.det(turns)[:, None, None]
    return Performance(
        mouth=random.random(count), lids=0.2 + 0.1 * random.random((count, 2)), gaze=random.normal(size=(count, 2)),
        expression=random.random((count, 52)), rotation=turns,
    )  # fmt: skip


def test_a_performance_is_not_apart_from_itself_and_its_mirror_image_mirrored_again_is_itself():
    one = performance()
    for other in (one, one.mirrored.mirrored):
        assert one.apart(other) == Apart(mouth=0, blink=0, gaze=0, expression=0, pose=pytest.approx(0, abs=1e-5))
    assert one.apart(one.mirrored).gaze > 0


def test_frames_without_a_face_do_not_count():
    one, other = performance(), performance()
    other.mouth[3], other.rotation[3] = np.nan, np.nan
    assert one.apart(other).mouth == 0


def test_a_narrow_eye_that_is_open_is_no_blink():
    wide, narrow = performance(), performance()
    narrow.lids[:] *= 0.5
    assert wide.apart(narrow).blink == pytest.approx(0, abs=1e-9)


def test_the_tracker_sees_nearly_the_same_performance_in_the_mirror():
    """Which holds only if sides, signs and turns are mirrored rightly."""
    rgb = pictures("demo/demo_performer_acts.mp4", 12, first=16, step=3)
    straight = seen_in(footage(rgb), face_models())
    mirrored = seen_in(mirror_images(footage(rgb)), face_models())
    undone, confused = straight.apart(mirrored.mirrored), straight.apart(mirrored)
    assert undone.pose < 2
    assert undone.pose < confused.pose / 3
    assert undone.gaze < confused.gaze
    assert undone.expression < 0.1


def test_flicker_is_of_changes_not_of_a_steady_difference():
    random = np.random.default_rng(3)
    truth = [random.integers(60, 190, (24, 24, 3), np.uint8) for _ in range(4)]
    inside = [np.ones((24, 24), np.bool_)] * 4
    assert clip_flicker([picture + np.uint8(9) for picture in truth], truth, inside) == 0
    assert clip_flicker([p + np.uint8(9 * (i % 2)) for i, p in enumerate(truth)], truth, inside) == 9


def test_unrest_takes_the_heads_motion_out_and_sees_what_boils_or_swims():
    """A picture glued to landmarks that jolt over a plate is at rest; noise on it, or a texture that lags behind, is not."""
    mesh, random = read_canonical_mesh(weight(FACE_LANDMARKER)), np.random.default_rng(3)
    template = build_template(mesh.triangles, 64)
    still = cv2.GaussianBlur(random.integers(60, 190, (160, 160, 3), np.uint8), (0, 0), 3)
    face = mesh.vertices[:, :2]
    face = (40 + 80 * (face - face.min(axis=0)) / np.ptp(face, axis=0)).astype(np.float32)
    jolts = [(0, 0), (7, 2), (3, 9), (8, 8), (1, 4)]
    skin = TrueSkin(
        points=[face + np.float32(jolt) for jolt in jolts],
        inside=[np.ones((160, 160), np.bool_)] * 5,
        template=template,
    )
    carried = [np.roll(still, (down, right), (0, 1)) for right, down in jolts]
    assert skin.unrest(carried) < 1
    assert skin.unrest([np.roll(one, 2 * (i % 2), 1) for i, one in enumerate(carried)]) > 3 * skin.unrest(carried)
    assert skin.unrest([one + np.uint8(9 * (i % 2)) for i, one in enumerate(carried)]) == pytest.approx(18, abs=2)
    unknown = TrueSkin(points=[None] * 5, inside=skin.inside, template=template)
    assert np.isnan(unknown.unrest(carried))


def test_untouched_looks_only_where_nothing_was_to_be_changed():
    footage_rgb = [np.full((8, 8, 3), 100, np.uint8)]
    changed = np.zeros((8, 8), np.bool_)
    changed[:4] = True
    result = footage_rgb[0].copy()
    result[:4] = 0
    assert untouched([result], footage_rgb, [changed]) == float("inf")
    result[5, 5] += 1
    assert untouched([result], footage_rgb, [changed]) < 70


def test_the_tables_have_a_row_a_result_the_mean_of_each_level_and_both_yardsticks():
    look = Apart(mouth=0.01, blink=0.02, gaze=1, expression=0.03, pose=0.5)
    yardstick = Yardstick(
        nothing=Fidelity(psnr=19, ssim=0.6, flip=0.3), flicker_codec=2.0, unrest_codec=4.0, second_look=look, truth=look
    )
    results = [
        BenchResult(
            pair=pair, level="standard", yardstick=yardstick, swapped=Fidelity(psnr=25, ssim=0.8, flip=0.15),
            fitted_psnr=25, low_psnr=24, flicker=2.6, unrest=3.0, untouched=46, performance=look, identity=1, learn_seconds=9,
            compose_fps=50,
        )
        for pair in ("b1", "b2")
    ]  # fmt: skip
    heads, rows = fidelity_table(results)
    assert [row[0] for row in rows] == ["b1", "b2", "mean"]
    assert dict(zip(heads, rows[-1], strict=True))["gain"] == "+0.200"  # of SSIM, the last of that name
    assert {row[11] for row in rows} == {"1.30"}
    assert {row[13] for row in rows} == {"0.75"}
    heads, rows = performance_table(results)
    assert [row[1] for row in rows] == ["standard"] * 3 + ["two looks", "truth"] * 2
    assert all(len(row) == len(heads) for row in rows)
    assert results[0].as_json()["performance_ratio"]["gaze"] == 1
