"""A stage that runs ahead changes nothing but the time."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bianlian.workflows.prefetch import aside, prefetched


@given(st.lists(st.integers(), max_size=40), st.integers(1, 5))
def test_the_items_are_the_same_in_the_same_order(items, depth):
    assert list(prefetched(iter(items), depth=depth)) == items


def test_an_error_arrives_after_the_items_before_it():
    def stream():
        yield 1
        yield 2
        raise ValueError("broken")

    got = []
    with pytest.raises(ValueError, match="broken"):
        got.extend(prefetched(stream()))
    seen = []
    try:
        for item in prefetched(stream()):
            seen.append(item)
    except ValueError:
        pass
    assert seen == [1, 2]


def test_closing_stops_an_endless_stream_and_closes_it():
    closed = []

    def endless():
        try:
            yield from count()
        finally:
            closed.append(True)

    stream = prefetched(endless(), depth=2)
    assert [next(stream) for _ in range(5)] == list(range(5))
    stream.close()
    assert closed == [True]


def test_it_runs_ahead_by_its_depth_and_no_further():
    drawn = []

    def stream():
        for number in range(100):
            drawn.append(number)
            yield number

    ahead = prefetched(stream(), depth=3)
    next(ahead)
    while len(drawn) < 4:
        pass
    assert len(drawn) <= 6
    ahead.close()


def test_work_that_was_set_aside_gives_its_result_or_its_error_to_everybody_who_asks():
    def fail():
        raise ValueError("broken")

    done, broken = aside(lambda: 42), aside(fail)
    assert (done(), done()) == (42, 42)
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            broken()
