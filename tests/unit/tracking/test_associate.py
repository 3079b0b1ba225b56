"""Who is who: gaps and cuts do not make new people, and two in one frame are never one."""

import itertools
import tracemalloc

import numpy as np
import pytest

from bianlian.tracking.associate import TrackletLog, associate
from tests.unit.tracking.observations import face, identity, neutral, observation

HERE, THERE = 200.0, 700.0


def log_of(frames: int, *tracklets, cuts=()) -> TrackletLog:
    """Tracklets as (number, first, stop, x, person or None)."""
    log = TrackletLog()
    shape = neutral()
    for index in range(frames):
        faces, identities = [], []
        for number, first, stop, x, person in tracklets:
            if first <= index < stop:
                faces.append(face(number, shape + np.array([x, 300, 0], np.float32)))
                if index == first and person is not None:
                    identities.append(identity(number, index, person))
        log.add(observation(index, *faces, is_cut=index in cuts, identities=tuple(identities)))
    return log


def persons(log: TrackletLog) -> list[list[int]]:
    return [[tracklet.number for tracklet in group] for group in associate(log).persons]


def test_somebody_who_returns_after_a_gap_or_a_cut_is_the_same():
    log = log_of(300, (1, 0, 50, HERE, 1), (2, 100, 150, THERE, 1), (3, 200, 300, HERE, 1), cuts=(200,))
    assert persons(log) == [[1, 2, 3]]


def test_two_in_one_frame_are_two_however_alike():
    log = log_of(100, (1, 0, 100, HERE, 1), (2, 40, 100, THERE, 1))
    assert persons(log) == [[1], [2]]


def test_numbers_go_by_appearance_then_from_left_to_right():
    log = log_of(200, (1, 10, 100, THERE, 1), (2, 10, 100, HERE, 2), (3, 120, 200, HERE, 3), (4, 0, 60, 1200.0, 4))
    assert persons(log) == [[4], [2], [1], [3]]


def test_sides_changed_over_a_cut():
    log = log_of(
        100, (1, 0, 50, HERE, 1), (2, 0, 50, THERE, 2), (3, 50, 100, HERE, 2), (4, 50, 100, THERE, 1), cuts=(50,)
    )
    assert persons(log) == [[1, 4], [2, 3]]


def test_an_unseen_identity_goes_on_in_its_place_unless_a_cut_is_between():
    assert persons(log_of(100, (1, 0, 50, HERE, 1), (2, 55, 100, HERE + 10, None))) == [[1, 2]]
    assert persons(log_of(100, (1, 0, 50, HERE, 1), (2, 55, 100, HERE + 10, None), cuts=(55,))) == [[1], [2]]


def test_another_person_in_the_same_place_is_another():
    assert persons(log_of(100, (1, 0, 50, HERE, 1), (2, 55, 100, HERE, 2))) == [[1], [2]]


def test_what_flickers_up_is_dropped_with_a_reason_but_not_a_known_person():
    result = associate(log_of(100, (1, 0, 100, HERE, 1), (2, 40, 44, THERE, None)))
    assert [len(group) for group in result.persons] == [1]
    assert "only" in result.dropped[0].reason
    known = log_of(100, (1, 0, 50, HERE, 1), (2, 80, 84, THERE, 1))
    assert persons(known) == [[1, 2]]


def test_a_still_picture_has_its_persons():
    assert persons(log_of(1, (1, 0, 1, HERE, 1), (2, 0, 1, THERE, 2))) == [[1], [2]]


def test_what_is_hardly_a_face_is_dropped():
    log = TrackletLog()
    for index in range(60):
        log.add(observation(index, face(1, neutral(), presence=0.55)))
    result = associate(log)
    assert result.persons == ()
    assert "hardly" in result.dropped[0].reason


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])))
def test_tracklet_numbers_do_not_matter(order):
    a, b, c = order
    log = log_of(150, (a, 0, 50, HERE, 1), (b, 0, 150, THERE, 2), (c, 90, 150, HERE, 1))
    assert persons(log) == [[a, c], [b]]


def test_many_cuts_do_not_fill_the_memory():
    every = 4
    log = log_of(2000, *((number, number * every, number * every + every, HERE, 1) for number in range(500)))
    tracemalloc.start()
    try:
        assert len(persons(log)) == 1
        assert tracemalloc.get_traced_memory()[1] < 30e6  # all differences of the embeddings at once would be 128 MB
    finally:
        tracemalloc.stop()
