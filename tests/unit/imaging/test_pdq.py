"""PDQ against values of the reference implementation (package pdqhash 0.2.8), and its law: small changes, small distance."""

import cv2
import numpy as np
import pytest

from bianlian.imaging.pdq import MATCH_DISTANCE, hamming, pdq


def picture(height, width):
    y, x = np.mgrid[0:height, 0:width]
    waves = (128 + 100 * np.sin(x / 23 + y / 41), 128 + 90 * np.cos(x / 57 - y / 19), (x * 255 // width + y) % 256)
    return np.stack(waves, -1).astype(np.uint8)


@pytest.mark.parametrize(
    ("size", "reference"),
    [
        ((360, 640), "12b24ef856a24cf8b6b25d382273ddf8fe42fff8aaad0007aa4700e655acab07"),
        ((301, 207), "4aaa1bd352aa03f25eaa54f27faa55222a6e5542aacef5fb405100035556ffbd"),
    ],
)
def test_equals_the_reference_within_rounding(size, reference):
    value, quality = pdq(picture(*size))
    assert hamming(value, bytes.fromhex(reference)) <= 2
    assert quality == 100


def test_a_smaller_and_a_brighter_copy_match_and_another_picture_does_not():
    original = picture(360, 640)
    value, _ = pdq(original)
    smaller, _ = pdq(cv2.resize(original, (320, 180), interpolation=cv2.INTER_AREA))
    brighter, _ = pdq(cv2.convertScaleAbs(original, alpha=0.9, beta=20))
    other, _ = pdq(np.random.default_rng(1).integers(0, 255, (360, 640, 3), np.uint8))
    assert hamming(value, smaller) <= MATCH_DISTANCE
    assert hamming(value, brighter) <= MATCH_DISTANCE
    assert hamming(value, other) > 90


def test_an_empty_picture_has_no_quality():
    assert pdq(np.full((200, 300, 3), 128, np.uint8))[1] == 0
