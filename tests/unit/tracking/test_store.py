"""A track on disk gives back what was written, a chunk at a time, and is refused when it is not what it says."""

import json

import numpy as np
import pytest

from bianlian.errors import InstallationError, UnreadableMedia
from bianlian.records.face import Box
from bianlian.tracking.observation import ObserveSettings
from bianlian.tracking.runs import LONGEST_FILLED
from bianlian.tracking.stage import open_track, settings_record
from bianlian.tracking.store import CHUNK, INDEX, TrackReader, packed, unpacked
from bianlian.tracking.writer import TrackWriter
from tests.material import face_models
from tests.unit.tracking.observations import face, instant, moving, neutral, observation, one_person

SOURCE = "ab" * 32
FRAMES = CHUNK + 90


def write(folder, observations) -> TrackReader:
    settings = settings_record(ObserveSettings())
    with TrackWriter(folder, source_sha256=SOURCE, models={"m": "0"}, settings=settings) as writer:
        for seen in observations:
            writer.add(seen)
        return writer.finish(face_models().pose)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracks") / "clip.track"
    write(folder, one_person(FRAMES, missing=range(100, 104), tremble=0.2))
    return folder


@pytest.fixture
def reader(folder):
    return TrackReader(folder)


def test_what_was_written_is_read(reader):
    assert reader.info.source_sha256 == SOURCE
    assert reader.info.frame_count == FRAMES
    (person,) = reader.info.persons
    assert person.frame_count == FRAMES
    assert (person.first, person.last) == (instant(0), instant(FRAMES - 1))
    assert person.embedding_frames == (0, 104)
    truth = moving(FRAMES)
    for index, found in enumerate(reader.faces(0, FRAMES)):
        (tracked,) = found
        assert tracked.person == 1
        assert tracked.is_interpolated == (100 <= index < 104)
        assert np.abs(tracked.face.points_image - truth[index])[:, :2].mean() < (
            2.0 if tracked.is_interpolated else 0.3
        )


def test_boxes_and_frames_of_a_person_are_those_of_the_faces(reader):
    faces = [tracked for found in reader.faces(0, FRAMES) for tracked in found]
    assert list(reader.boxes()) == [tracked.face.box for tracked in faces] == list(reader.boxes([1]))
    assert reader.seen(1) == [index for index, tracked in enumerate(faces) if not tracked.is_interpolated]
    assert not list(reader.boxes([2]))
    assert not reader.seen(2)


def test_chunks_join_without_a_seam(reader):
    points = np.array([found[0].face.points_image for found in reader.faces(CHUNK - 20, CHUNK + 20)])
    error = np.linalg.norm((points - moving(FRAMES)[CHUNK - 20 : CHUNK + 20])[..., :2], axis=2).mean(axis=1)
    step = np.abs(np.diff(error))
    assert step[19] <= 2 * np.median(step) + 0.1


def test_any_range_reads_the_same(reader):
    whole = [found[0].face.points_image for found in reader.faces(0, FRAMES)]
    for first, stop in ((CHUNK - 3, CHUNK + 3), (0, 1), (FRAMES - 2, FRAMES + 50), (10, 10)):
        part = [found[0].face.points_image for found in reader.faces(first, stop)]
        np.testing.assert_array_equal(part, whole[first:stop] if part else [])
    assert list(reader.instants(CHUNK - 1, CHUNK + 1)) == [instant(CHUNK - 1), instant(CHUNK)]


def test_two_runs_give_the_same_bytes(tmp_path, folder):
    write(tmp_path / "again.track", one_person(FRAMES, missing=range(100, 104), tremble=0.2))
    for file in folder.iterdir():
        assert file.read_bytes() == (tmp_path / "again.track" / file.name).read_bytes()


def test_packing_costs_less_than_a_hundredth_of_a_pixel(reader):
    chunk = reader._chunk(0)
    again = unpacked(packed(chunk))
    assert np.abs(again.points - chunk.points).max() < 0.01
    assert np.abs(again.expression - chunk.expression).max() < 1e-4


def copied(folder, tmp_path):
    target = tmp_path / "copy.track"
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def change(folder, **values):
    index = json.loads((folder / INDEX).read_text())
    (folder / INDEX).write_text(json.dumps(index | values))


def test_a_changed_chunk_is_refused(folder, tmp_path):
    copy = copied(folder, tmp_path)
    data = bytearray((copy / "chunk-00001.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "chunk-00001.npz").write_bytes(data)
    reader = TrackReader(copy)
    next(reader.faces(0, 1))
    with pytest.raises(UnreadableMedia, match="changed or damaged"):
        next(reader.faces(CHUNK, CHUNK + 1))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"version": 2}, "version 2"),
        ({"format": "zip"}, "not a track"),
        ({"persons": [{"number": 7}]}, "no sense"),
        ({"chunks": "none"}, "no sense"),
        ({"time_base": "0/0"}, "no sense"),
        ({"embeddings_sha256": "00"}, "changed or damaged"),
    ],
)
def test_an_index_that_is_not_ours_is_refused(folder, tmp_path, values, why):
    copy = copied(folder, tmp_path)
    change(copy, **values)
    with pytest.raises(UnreadableMedia, match=why) as error:
        TrackReader(copy)
    assert "delete" in error.value.advice


def test_a_track_never_reads_outside_its_folder(folder, tmp_path):
    copy = copied(folder, tmp_path)
    (tmp_path / "secret.npz").write_bytes(b"secret")
    index = json.loads((copy / INDEX).read_text())
    index["chunks"][0]["file"] = "../secret.npz"
    change(copy, chunks=index["chunks"])
    with pytest.raises(UnreadableMedia, match="outside"):
        next(TrackReader(copy).faces(0, 1))


def test_missing_and_truncated_are_refused(tmp_path, folder):
    with pytest.raises(UnreadableMedia, match="cannot be read"):
        TrackReader(tmp_path / "none.track")
    copy = copied(folder, tmp_path)
    (copy / INDEX).write_text("{")
    with pytest.raises(UnreadableMedia, match="not JSON"):
        TrackReader(copy)


def test_a_track_of_other_footage_or_settings_is_not_used(folder):
    same = {"source_sha256": SOURCE, "model_hashes": {"m": "0"}, "settings": ObserveSettings()}
    assert open_track(folder, **same).info.frame_count == FRAMES
    for other in (
        {"source_sha256": "cd" * 32},
        {"model_hashes": {"m": "1"}},
        {"settings": ObserveSettings(smallest_px=80)},
    ):
        with pytest.raises(UnreadableMedia, match="belongs to other"):
            open_track(folder, **(same | other))


def test_an_unfinished_track_leaves_nothing(tmp_path):
    def killed():
        yield from one_person(CHUNK + 5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.track", killed())
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_cleared_and_an_older_track_replaced(tmp_path):
    leftover = tmp_path / ".a.track.999999999.part"
    leftover.mkdir()
    (leftover / "raw-00000.npz").touch()
    write(tmp_path / "a.track", one_person(30))
    assert write(tmp_path / "a.track", one_person(40)).info.frame_count == 40
    assert [item.name for item in tmp_path.iterdir()] == ["a.track"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InstallationError, match="cannot write the track"):
        write(tmp_path / "file" / "a.track", one_person(3))


def test_no_face_and_no_frame_are_tracks_too(tmp_path):
    empty = write(tmp_path / "empty.track", (observation(index) for index in range(5)))
    assert empty.info.persons == ()
    assert list(empty.faces(0, 5)) == [()] * 5
    assert write(tmp_path / "none.track", ()).info.frame_count == 0


def test_gaps_are_filled_only_when_short_in_place_and_without_a_cut(tmp_path):
    still = neutral() + np.array([300, 300, 0], np.float32)

    def seen(gap: int, shift: float, *, cut: bool):
        for index in range(60 + gap):
            inside = 30 <= index < 30 + gap
            at = still + np.array([shift if index >= 30 else 0, 0, 0], np.float32)
            faces = () if inside else (face(1 if index < 30 else 2, at),)
            yield observation(index, *faces, is_cut=cut and index == 30 + gap)

    def filled(gap: int, shift: float = 0.0, *, cut: bool = False) -> int:
        track = write(tmp_path / f"{gap}-{shift}-{cut}.track", seen(gap, shift, cut=cut))
        return sum(tracked.is_interpolated for found in track.faces(0, 100) for tracked in found)

    assert filled(LONGEST_FILLED) == LONGEST_FILLED
    assert filled(LONGEST_FILLED + 1) == 0
    assert filled(3, shift=400) == 0
    assert filled(3, cut=True) == 0


def test_boxes_follow_the_points(reader):
    (tracked,) = next(reader.faces(5, 6))
    box = tracked.face.box
    assert isinstance(box, Box)
    assert box.height == pytest.approx(tracked.face.quality.size_px + 1, abs=2)
