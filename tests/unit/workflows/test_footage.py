"""Folders stand for their footage; no two results share a name, and no result replaces its source."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bianlian.errors import CallerError
from bianlian.workflows.footage import expand, output_names


def test_a_folder_stands_for_all_footage_in_it_but_not_for_results(tmp_path):
    for name in (
        "b.mp4",
        "a.MOV",
        "notes.txt",
        "deep/c.jpg",
        ".hidden.mp4",
        "b.bianlian.mp4",
        ".bianlian/job/chunk.mp4",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [path.name for path in expand([tmp_path])] == ["a.MOV", "b.mp4", "c.jpg"]


def test_a_file_named_directly_is_tried_whatever_it_is_called(tmp_path):
    odd = tmp_path / "recording.dat"
    odd.touch()
    assert expand([odd]) == (odd,)


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(CallerError, match=r"no .*missing\.mp4"):
        expand([tmp_path / "missing.mp4"])
    with pytest.raises(CallerError, match="no footage"):
        expand([tmp_path])


NAMES = st.builds(
    lambda folder, stem, suffix: Path(folder) / (stem + suffix),
    st.sampled_from(["in", "in/day1", "in/day2"]),
    st.sampled_from(["scene", "scene.mp4", "take"]),
    st.sampled_from([".mp4", ".mov", ".mkv", ".png", ".JPG", ""]),
)


@given(st.lists(NAMES, unique=True, max_size=8))
def test_names_never_collide_and_never_are_the_source(files):
    names = output_names(files, Path("in"))
    assert len(set(names)) == len(files)
    assert not set(names) & set(files)
