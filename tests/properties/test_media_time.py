"""Laws of time: whatever the stamps and wherever the cuts, a film comes out with the moments that it went in with."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bianlian.media.decode import frames
from bianlian.media.encode import EncodeSettings, write_chunk
from bianlian.media.join import join
from bianlian.media.probe import describe
from tests.media_factory import Recipe, make_clip, marked

TIME_BASES = st.sampled_from(
    [Fraction(1, 90000), Fraction(1, 30000), Fraction(1, 60000), Fraction(1, 15360), Fraction(1, 1000), Fraction(1, 25)]
)
OPTIONS = st.sampled_from(
    [
        {"preset": "ultrafast"},
        {"preset": "veryfast", "bf": "3", "g": "5"},
        {"x264-params": "open-gop=1:keyint=5:min-keyint=1:scenecut=0:bframes=2", "preset": "veryfast"},
    ]
)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    first = draw(st.integers(0, 10_000))
    gaps = draw(st.lists(st.integers(1, 5000), min_size=0, max_size=24))
    stamps = tuple(accumulate(gaps, initial=first))
    return Recipe(stamps=stamps, time_base=draw(TIME_BASES), size=(32, 32), options=draw(OPTIONS))


@settings(max_examples=40, deadline=None)
@given(recipe=recipes(), length=st.integers(1, 9), preset=st.sampled_from(["ultrafast", "veryfast", "medium"]))
def test_decode_chunk_join_keeps_every_moment(recipe: Recipe, length: int, preset: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = describe(make_clip(folder / "a.mp4", recipe))
        found = list(frames(source))
        assert [frame.instant.pts for frame in found] == list(recipe.stamps)
        encoding = EncodeSettings(preset=preset, threads=1)
        chunks = [
            write_chunk(map(marked, found[first : first + length]), source, encoding, folder / f"{first:03}.mp4").path
            for first in range(0, len(found), length)
        ]
        report = join(chunks, source, folder / "out.mp4", tags={})
        result = describe(folder / "out.mp4")
        assert report.frame_count == len(recipe.stamps)
        assert [frame.instant.pts for frame in frames(result)] == list(recipe.stamps)
        assert result.time_base == recipe.time_base


@settings(max_examples=25, deadline=None)
@given(recipe=recipes(), data=st.data())
def test_seeking_equals_scanning(recipe: Recipe, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        source = describe(make_clip(Path(name) / "a.mp4", recipe))
        whole = list(frames(source))
        first = data.draw(st.integers(0, len(whole) - 1))
        part = list(frames(source, start=whole[first].instant, start_index=first))
    assert [(f.index, f.instant, f.duration) for f in part] == [(f.index, f.instant, f.duration) for f in whole[first:]]
    for one, other in zip(part, whole[first:], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True))


@settings(max_examples=30, deadline=None)
@given(recipe=recipes())
def test_each_picture_lasts_until_the_next(recipe: Recipe) -> None:
    with tempfile.TemporaryDirectory() as name:
        found = list(frames(describe(make_clip(Path(name) / "a.mp4", recipe))))
    for one, following in pairwise(found):
        assert one.instant.pts + one.duration == following.instant.pts
    assert found[-1].duration > 0
