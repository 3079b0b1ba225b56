"""Learning a donor: bounded samples, the same result every time, a file that survives and refuses damage."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from functools import cache
from io import BytesIO

import cv2
import numpy as np
import pytest

from bianlian.errors import NothingToSwap, UnreadableMedia
from bianlian.learning.interface import Identity, Lesson, Sample
from bianlian.learning.levels import LinearLearner, draft_learner, standard_learner
from bianlian.learning.samples import collect
from bianlian.records.appearance import Appearance
from bianlian.records.progress import Silent
from tests.faces import COMMITMENT, DONOR_ID, space, tracked

IDENTITY = Identity(donor_id=DONOR_ID, template_commitment=COMMITMENT)
CLIP = "demo/demo_donor_talk.mp4"


@cache
def lesson() -> Lesson:
    return collect(tracked(CLIP, 30, 0, 5), space(), limit=16)


@cache
def learnt() -> Appearance:
    return draft_learner(space()).fit(lesson(), IDENTITY, seed=1, reporter=Silent())


def test_samples_are_bounded_and_spread() -> None:
    everything = collect(tracked(CLIP, 30, 0, 5), space(), limit=100).samples
    assert len(everything) == 30
    assert len(lesson().samples) == 16
    assert len(lesson().faces) == 30

    def spread(chosen: tuple[Sample, ...]) -> float:
        expressions = np.stack([sample.face.expression for sample in chosen])
        apart = np.linalg.norm(expressions[:, None] - expressions[None], axis=2)
        return float(np.sort(apart, axis=1)[:, 1].mean())

    assert spread(lesson().samples) > spread(everything[:16])


def test_every_frame_counts_for_one_sample() -> None:
    counts = [sample.frames for sample in lesson().samples]
    assert sum(counts) == len(lesson().faces)
    assert max(counts) > 1 <= min(counts)


def test_the_mean_is_the_face_as_it_mostly_is() -> None:
    """The sample that stands for nearly all of the capture is nearly all of the mean."""
    samples = [replace(sample, frames=1) for sample in lesson().samples]
    usual = replace(samples[0], frames=10_000)
    learner = draft_learner(space())
    of_all, of_one = (
        learner.fit(replace(lesson(), samples=tuple(chosen)), IDENTITY, seed=1, reporter=Silent()).mean
        for chosen in (samples, [usual, *samples[1:]])
    )
    seen = space().template.spread(space().share) > 0.5
    picture = cv2.GaussianBlur(usual.texture.astype(np.float32) / 255, (0, 0), 4.0)[seen]
    away = [np.abs(cv2.GaussianBlur(mean, (0, 0), 4.0)[seen] - picture).mean() for mean in (of_all, of_one)]
    assert away[1] < 0.5 * away[0]


def test_learning_twice_gives_the_same_bytes() -> None:
    again = draft_learner(space()).fit(lesson(), IDENTITY, seed=1, reporter=Silent())
    assert again.to_bytes() == learnt().to_bytes()


def test_an_appearance_of_an_older_version_is_refused_in_words() -> None:
    content = BytesIO(learnt().to_bytes())
    with zipfile.ZipFile(content) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    older = BytesIO()
    with zipfile.ZipFile(older, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member.replace(b'"version": ', b'"version": -'))
    with pytest.raises(UnreadableMedia) as refused:
        Appearance.from_bytes(older.getvalue())
    assert "learn the donor" in refused.value.advice


def test_an_appearance_survives_its_file() -> None:
    read = Appearance.from_bytes(learnt().to_bytes())
    assert (read.donor_id, read.template_commitment, read.level) == (DONOR_ID, COMMITMENT, "draft")
    assert np.abs(read.mean - learnt().mean).max() < 1e-4
    assert np.array_equal(read.basis, learnt().basis)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not an archive", b"\x80\x04pickle"])
def test_another_file_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(UnreadableMedia) as refused:
        Appearance.from_bytes(content)
    assert refused.value.advice


def test_a_truncated_file_is_refused() -> None:
    with pytest.raises(UnreadableMedia):
        Appearance.from_bytes(learnt().to_bytes()[:-400])


def test_a_capture_without_a_clear_face_is_refused() -> None:
    with pytest.raises(NothingToSwap):
        draft_learner(space()).fit(replace(lesson(), samples=lesson().samples[:3]), IDENTITY, seed=0, reporter=Silent())


def test_every_level_names_itself() -> None:
    learners: list[LinearLearner] = [draft_learner(space()), standard_learner(space())]
    assert [learner.level for learner in learners] == ["draft", "standard"]
