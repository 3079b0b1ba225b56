"""Tracking on pictures: who, where, how often; through cuts, gaps, crowds and small sizes."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from bianlian.records.progress import Progress, Silent
from bianlian.tracking.observation import ObserveSettings
from bianlian.tracking.observe import observe
from bianlian.tracking.sheet import TILE, SheetEntry, contact_sheet
from bianlian.tracking.stage import open_track, track, writer_for
from bianlian.tracking.store import TrackReader
from tests.material import clip, face_models, footage, pictures, scene

SETTINGS = ObserveSettings()
SIZE = (360, 640)


def tracked(folder, rgb, reporter=None) -> TrackReader:
    writer = writer_for(folder, source_sha256="00" * 32, model_hashes={}, settings=SETTINGS)
    return track(footage(rgb), face_models(), SETTINGS, writer, reporter or Silent(), frame_estimate=len(rgb))


def where(reader: TrackReader, person: int) -> list[tuple[int, int]]:
    """First and last frame of every stretch in which a person is seen."""
    seen = [
        index
        for index, found in enumerate(reader.faces(0, reader.info.frame_count))
        if any(item.person == person for item in found)
    ]
    starts = [index for index in seen if index - 1 not in seen]
    ends = [index for index in seen if index + 1 not in seen]
    return list(zip(starts, ends, strict=True))


@pytest.fixture(scope="module")
def people():
    """Pictures of two different persons."""
    return pictures("demo/demo_footage.mp4", 24), pictures("demo/demo_donor_acts.mp4", 24)


@pytest.fixture(scope="module")
def conversation(tmp_path_factory, people):
    """Both (24 frames); the first alone (12); nobody (12); both, on changed sides (24)."""
    one, other = people
    both = [scene(SIZE, (a, 0.4, (20, 40)), (b, 0.5, (340, 60))) for a, b in zip(one, other, strict=True)]
    alone = [scene(SIZE, (a, 0.48, (150, 5))) for a in one[:12]]
    changed = [scene(SIZE, (b, 0.5, (30, 60)), (a, 0.4, (330, 40))) for a, b in zip(one, other, strict=True)]
    rgb = both + alone + [scene(SIZE)] * 12 + changed
    return rgb, tracked(tmp_path_factory.mktemp("tracks") / "conversation.track", rgb)


def test_two_persons_keep_their_numbers_through_cuts_and_absence(conversation):
    _, reader = conversation
    assert [person.number for person in reader.info.persons] == [1, 2]
    assert {24, 48} <= set(reader.info.cuts) <= {24, 36, 48}
    assert where(reader, 1) == [(0, 35), (48, 71)]
    assert where(reader, 2) == [(0, 23), (48, 71)]


def test_order_on_the_picture_does_not_matter_to_numbers(conversation):
    _, reader = conversation

    def x(frame: int) -> dict[int, float]:
        (found,) = reader.faces(frame, frame + 1)
        return {item.person: float(item.face.points_image[:, 0].mean()) for item in found}

    assert x(10)[1] < x(10)[2]
    assert x(60)[1] > x(60)[2]


def test_everybody_has_a_sampled_identity_and_a_best_frame(conversation):
    _, reader = conversation
    one, other = reader.info.persons
    assert len(one.embeddings) >= 2
    assert np.linalg.norm(one.embedding - other.embedding) > 0.45
    for person in (one, other):
        (found,) = reader.faces(person.best_frame, person.best_frame + 1)
        assert person.number in {item.person for item in found}


def test_the_contact_sheet_shows_everybody(conversation):
    rgb, reader = conversation
    entries = []
    for person in reader.info.persons:
        (found,) = reader.faces(person.best_frame, person.best_frame + 1)
        (mine,) = [item.face for item in found if item.person == person.number]
        entries.append(SheetEntry(person=person, rgb=rgb[person.best_frame], face=mine))
    sheet = contact_sheet(entries)
    assert sheet.shape[1] > 2 * TILE
    assert contact_sheet(entries, columns=1).shape[0] > 2 * TILE
    assert contact_sheet([]).shape[2] == 3


def test_progress_is_told(people, tmp_path):
    class Listener(Silent):
        def __init__(self):
            self.heard: list[Progress] = []

        def progress(self, progress):
            self.heard.append(progress)

    listener = Listener()
    tracked(tmp_path / "a.track", people[0][:6], listener)
    assert [heard.done for heard in listener.heard] == [1, 2, 3, 4, 5, 6]
    assert {heard.total for heard in listener.heard} == {6}
    opened = open_track(tmp_path / "a.track", source_sha256="00" * 32, model_hashes={}, settings=SETTINGS)
    assert opened.info.frame_count == 6


def test_a_small_face_that_walks_in_is_followed_from_its_first_frame(people):
    one, _ = people
    scale = 50 / 284
    rgb = [scene((480, 640))] * 8 + [scene((480, 640), (picture, scale, (20, 330))) for picture in one]
    seen = [bool(found.faces) for _, found in observe(footage(rgb), face_models(), SETTINGS)]
    assert seen == [False] * 8 + [True] * 24


def test_observing_may_start_anywhere(people):
    one, _ = people
    whole = [found for _, found in observe(footage(one), face_models(), SETTINGS)]
    part = [found for _, found in observe(footage(one[10:]), face_models(), SETTINGS)]
    assert not part[0].is_cut
    size = whole[10].faces[0].quality.size_px
    for before, after in zip(whole[10:], part, strict=True):
        apart = np.linalg.norm((before.faces[0].points_image - after.faces[0].points_image)[:, :2], axis=1)
        assert apart.mean() < 0.01 * size


def test_a_still_picture_is_a_track_of_one_frame(people, tmp_path):
    reader = tracked(tmp_path / "still.track", people[0][:1])
    assert [person.frame_count for person in reader.info.persons] == [1]


def test_nobody_in_no_picture(tmp_path):
    assert tracked(tmp_path / "empty.track", [scene(SIZE)] * 10).info.persons == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "frames", "persons"),
    [
        ("real/lp_d9.mp4", 60, [60]),  # glasses
        ("real/intel_asl_bird.mkv", 60, [60]),  # a hand before the mouth, 70 px
        ("real/intel_headpose_female.gif", 23, [23]),  # both profiles
        ("real/intel_headpose_female-and-male.gif", 40, [40, 40]),  # roll up to 46 degrees
        ("real/pyfeat_face_noface.mov", 110, [72]),  # a face, then none
        ("bench/b3_footage.mp4", 90, [90]),  # turns of 38 degrees
    ],
)
def test_everybody_is_found_in_every_frame(name, frames, persons, tmp_path):
    clip(name)
    shown = [picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2] for picture in pictures(name, frames)]
    reader = tracked(tmp_path / "a.track", shown)
    assert [person.frame_count for person in reader.info.persons] == persons


def test_a_track_does_not_jump(conversation):
    _, reader = conversation
    middles = [
        [item.face.points_image[:, :2].mean(axis=0) for item in found if item.person == 1]
        for found in reader.faces(0, 24)
    ]
    assert max(np.linalg.norm(b[0] - a[0]) for a, b in pairwise(middles)) < 8


def test_a_dissolve_from_one_person_to_another_makes_two_persons(tmp_path):
    one, other = pictures("demo/demo_performer_acts.mp4", 40), pictures("demo/demo_donor_acts.mp4", 60)
    mixed = [cv2.addWeighted(one[28 + i], 1 - i / 12, other[i], i / 12, 0) for i in range(12)]
    rgb = [
        cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA) for picture in (*one[:28], *mixed, *other[12:])
    ]
    reader = tracked(tmp_path / "dissolve.track", rgb)
    assert [person.number for person in reader.info.persons] == [1, 2]
    ((first, last),) = where(reader, 1)
    assert (first, 28 <= last < 42) == (0, True)


def test_persons_who_cross_are_not_mixed_up(tmp_path):
    one, other = pictures("demo/demo_footage.mp4", 60), pictures("demo/demo_donor_acts.mp4", 60)
    rgb = []
    for number, (a, b) in enumerate(zip(one, other, strict=True)):
        near, far = a[170:560, 190:530], b[90:430, 100:410]
        rgb.append(scene(SIZE, (far, 0.55, (400 - 6 * number, 60)), (near, 0.6, (40 + 6 * number, 60))))
    reader = tracked(tmp_path / "crossing.track", rgb)
    assert len(reader.info.persons) == 2

    def x(frame: int) -> list[float]:
        (found,) = reader.faces(frame, frame + 1)
        return [float(item.face.points_image[:, 0].mean()) for item in sorted(found, key=lambda item: item.person)]

    assert x(3)[0] < x(3)[1]
    assert x(56)[0] > x(56)[1]
