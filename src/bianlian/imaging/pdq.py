"""PDQ, Meta's perceptual picture hash: 256 bits and a quality of 0..100.

After the reference in facebook/ThreatExchange (pdq/cpp): luma, two box-filter passes, 64x64 samples, a 16x16 corner of the DCT,
one bit for each coefficient above the median. Written out because the package has no Linux wheel and a bare machine no
compiler; within 2 bits of it on frames of our clips.
"""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.records.arrays import F32, U8

SAMPLES = 64
BITS = 256
MATCH_DISTANCE = 31
"""Hamming distance up to which Meta counts two pictures as the same (threatexchange PDQ_CONFIDENT_MATCH_THRESHOLD)."""
LEAST_QUALITY = 50
"""Below it a picture has too little in it to be told from others (threatexchange default)."""


def pdq(rgb: U8) -> tuple[bytes, int]:
    """Hash of an HxWx3 sRGB picture (32 bytes, first bit of the reference's hex form first) and its quality 0..100."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    for _ in range(2):
        luma = _box_mean(luma)
    rows, columns = (((np.arange(SAMPLES) + 0.5) * length / SAMPLES).astype(int) for length in luma.shape)
    small = luma[np.ix_(rows, columns)]
    dct = _dct_rows()
    coefficients = (dct @ small @ dct.T).ravel()
    median = np.partition(coefficients, BITS // 2 - 1)[BITS // 2 - 1]
    return np.packbits((coefficients > median)[::-1]).tobytes(), _quality(small)


def hamming(first: bytes, second: bytes) -> int:
    """Number of bits in which two hashes differ; unrelated pictures lie around 128."""
    return (int.from_bytes(first) ^ int.from_bytes(second)).bit_count()


def _box_mean(luma: F32) -> F32:
    """Running mean with the reference's window; at the rims over the samples that there are."""
    down, across = (-(-length // (2 * SAMPLES)) for length in luma.shape)
    anchor = ((across - 1) // 2, (down - 1) // 2)

    def sums(values: F32) -> F32:
        return cv2.boxFilter(
            values,
            -1,
            (across, down),
            anchor=anchor,
            normalize=False,
            borderType=cv2.BORDER_CONSTANT | cv2.BORDER_ISOLATED,
        )

    return sums(luma) / sums(np.ones_like(luma))


def _dct_rows() -> F32:
    """16x64: rows 1..16 of the DCT-II; row 0, the mean, is left out."""
    row, column = np.arange(1, 17)[:, None], np.arange(SAMPLES)[None]
    return (np.sqrt(2 / SAMPLES) * np.cos(np.pi / 2 / SAMPLES * row * (2 * column + 1))).astype(np.float32)


def _quality(small: F32) -> int:
    """Sum of the steps between neighbours, in whole hundredths of the grey range, as the reference scales it."""
    steps = sum(int(np.abs(np.trunc(np.diff(small, axis=axis) * 100 / 255)).sum()) for axis in (0, 1))
    return min(100, int(steps / 90))
