"""The gate refuses drawn nude figures, lets dressed ones and single odd frames pass, and fails closed."""

from fractions import Fraction
from importlib.resources import files

import numpy as np
import pytest

from bianlian.errors import ContentRefused, InstallationError
from bianlian.records.frame import ColourSpec, Frame, Matrix
from bianlian.records.time import Instant
from bianlian.screening.detector import NudeNet
from bianlian.screening.gate import ContentGate, GateSettings

from .figures import mannequin


@pytest.fixture(scope="module")
def nudenet():
    return NudeNet(files("nudenet") / "320n.onnx")


def clip(pictures, fps=10):
    for index, rgb in enumerate(pictures):
        yield Frame(
            index=index,
            instant=Instant(pts=index, time_base=Fraction(1, fps)),
            duration=1,
            planes=tuple(np.ascontiguousarray(rgb[..., c]) for c in range(3)),
            colour=ColourSpec(matrix=Matrix.RGB, full_range=True),
            bit_depth=8,
        )


def gate_over(detector, pictures, settings=None):
    settings = settings or GateSettings()
    return list(ContentGate(detector, settings, what="footage").passing(clip(pictures)))


@pytest.mark.parametrize("skin", [(222, 178, 150), (150, 100, 75), (240, 205, 185)])
def test_a_drawn_nude_is_refused_at_any_skin_tone(nudenet, skin):
    with pytest.raises(ContentRefused) as refusal:
        gate_over(nudenet, [mannequin(dressed=False, skin=skin, seed=seed) for seed in range(6)])
    assert refusal.value.code == "content-sexual"


def test_a_dressed_figure_passes(nudenet):
    assert len(gate_over(nudenet, [mannequin(dressed=True, seed=seed) for seed in range(12)])) == 12


def test_a_single_picture_is_enough_when_it_is_all_there_is(nudenet):
    with pytest.raises(ContentRefused):
        gate_over(nudenet, [mannequin(dressed=False)])


def test_a_small_nude_figure_is_found_by_the_fine_look(nudenet):
    wide = np.full((720, 1280, 3), 110, np.uint8)
    wide[:245, 300:545] = mannequin(dressed=False, size=245)
    with pytest.raises(ContentRefused):
        gate_over(nudenet, [wide] * 6)


class Scripted:
    """Scores by frame brightness: the test decides what is seen."""

    def exposure(self, rgb, *, side):
        del side
        return float(rgb[0, 0, 0]) / 255, "scripted"


def pictures_of(scores):
    return [np.full((8, 8, 3), round(score * 255), np.uint8) for score in scores]


def test_one_odd_frame_does_not_refuse_but_a_run_does():
    quiet, odd = [0.1] * 20, [0.1] * 5 + [0.9] + [0.1] * 14
    assert len(gate_over(Scripted(), pictures_of(quiet))) == 20
    assert len(gate_over(Scripted(), pictures_of(odd))) == 20
    with pytest.raises(ContentRefused):
        gate_over(Scripted(), pictures_of([0.1] * 5 + [0.9] * 6 + [0.1] * 9))


@pytest.mark.parametrize("start", range(20))
def test_a_passage_longer_than_the_sampling_is_found_wherever_it_stands(start):
    scores = [0.9 if start <= index < start + 8 else 0.1 for index in range(40)]
    with pytest.raises(ContentRefused):
        gate_over(Scripted(), pictures_of(scores))


def test_without_its_model_there_is_no_gate(tmp_path):
    broken = tmp_path / "320n.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(InstallationError, match="content gate"):
        NudeNet(broken)
