"""A cut is found at its frame; movement, flashes and fades of light are not cuts."""

import numpy as np

from bianlian.tracking.cuts import shots
from tests.material import footage, pictures, scene


def cuts(rgb) -> list[int]:
    return [frame.index for frame, is_cut in shots(footage(rgb))]


def found(rgb) -> list[int]:
    return [frame.index for frame, is_cut in shots(footage(rgb)) if is_cut]


def test_a_cut_is_found_at_its_frame():
    one, other = pictures("demo/demo_donor_acts.mp4", 20), pictures("demo/demo_performer_acts.mp4", 20)
    assert found(one + other + one) == [20, 40]


def test_acting_is_no_cut():
    assert found(pictures("demo/demo_donor_acts.mp4", 120)) == []
    assert found(pictures("demo/demo_footage.mp4", 60)) == []


def test_flashes_and_dimming_are_no_cuts():
    shown = [picture.copy() for picture in pictures("demo/demo_footage.mp4", 30)]
    shown[10][:] = 255
    shown[20] = np.minimum(shown[20].astype(int) + 120, 255).astype(np.uint8)
    dimmed = [(picture * (1 - 0.6 * number / 30)).astype(np.uint8) for number, picture in enumerate(shown)]
    assert found(dimmed) == []


def test_every_frame_comes_out_once_and_in_order():
    for count in (0, 1, 2, 7):
        assert cuts([scene((36, 64))] * count) == list(range(count))
