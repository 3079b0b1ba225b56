"""The tool that draws a person into their own footage does what its table says, on a performer who is nobody."""

from __future__ import annotations

from tools import self_reconstruction

from bianlian.imaging.face_space import build_face_space
from bianlian.records.progress import Silent
from bianlian.weights.canonical import read_canonical_mesh
from bianlian.weights.catalogue import FACE_LANDMARKER
from tests.material import face_models, weight
from tests.workflows.footage import performer_clip


def test_a_person_drawn_into_their_own_footage_looks_like_themselves(tmp_path):
    clip = performer_clip(tmp_path / "talk.mp4", count=40)
    seen = self_reconstruction.seen_in(clip, face_models(), tmp_path)
    space = build_face_space(read_canonical_mesh(weight(FACE_LANDMARKER)))
    found = self_reconstruction.measured(seen, "draft", space, every=4, reporter=Silent())
    assert len(seen) == 40
    assert found.psnr > 22
    assert found.ssim > 0.7
