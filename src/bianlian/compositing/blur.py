"""The plate's blur, out of focus or in motion: measured on the performer's eyes and mouth, and given to the drawn face.

Both faces show the same features at the same size, so their power spectra differ by a gain and by the blur: a Gaussian one of
covariance C takes the power at a frequency f (cycles a pixel) down by exp(-(2 pi)² f·C·f), which is linear in C.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from bianlian.imaging.colour import LUMA
from bianlian.imaging.template import LOWER_LIDS, LOWER_LIP, UPPER_LIDS, UPPER_LIP
from bianlian.records.arrays import F32

_FEATURES = tuple(
    [*upper, *lower] for upper, lower in zip((*UPPER_LIDS, UPPER_LIP), (*LOWER_LIDS, LOWER_LIP), strict=True)
)
_EYES = (33, 263)
"""Outer corners."""
_WINDOWS = (64, 32, 16)
"""Pixels a side: the largest that is at most `_REACH` of the eyes' distance is used."""
_REACH = 2 / 3
_LOWEST, _HIGHEST = 3, 28
"""Rings of frequency that are compared, periods a window of 64; below them faces differ, above there is grain."""
_DIRECTIONS = 4
_CLEAR = 6.0
"""How many times the power of the noise (what lies in the corners of the spectrum) a ring must have to count."""
_LEAST = 0.1
"""px²: less blur than this nobody sees."""
_STREAK = 0.6
"""Per px²: a moving point leaves a streak, whose spectrum has side lobes, so that of its variance only a part is found, less of a
longer one: about 1 px² of 2, and 2.3 of 6.7. This times its square is added to the excess of one direction over the other."""
_SURE, _AGREE = 0.5, 1.5
"""How clear an eye or the mouth must be to say by itself that the plate is sharp; and how many times the blur of the sharpest one
all of them together may read. A plate is blurred all over: a blink or a beard that the two faces do not share is no blur."""
_MOST = 40.0
"""px²: more than this is a misfit, or footage in which no face can be seen."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rings:
    """A window's frequencies, gathered by ring and direction."""

    window: F32
    means: F32
    """(rings + 1) x side²: from the squares of a packed spectrum, the mean power of each ring; the last is the corners'."""
    slopes: F32
    """rings x 4: how the logarithm of the power depends on gain and on the covariance's xx, xy and yy."""


@cache
def _rings(side: int) -> _Rings:
    across, down = np.meshgrid(np.arange(1, side // 2) / side, np.fft.fftfreq(side))
    radius = np.hypot(across, down)
    ring = np.rint(radius * 64).astype(int)
    direction = np.rint(np.mod(np.arctan2(down, across), np.pi) / np.pi * _DIRECTIONS).astype(int) % _DIRECTIONS
    rows, slopes = list[np.ndarray](), list[tuple[float, ...]]()
    for number in range(_LOWEST, _HIGHEST + 1):
        for way in range(_DIRECTIONS):
            chosen = (ring == number) & (direction == way)
            if chosen.any():
                x, y = across[chosen], down[chosen]
                rows.append(chosen / chosen.sum())
                slopes.append((1.0, *(-4 * np.pi**2 * part.mean() for part in (x * x, 2 * x * y, y * y))))
    corners = radius >= 0.5
    rows.append(corners / corners.sum())
    # OpenCV packs a spectrum: real and imaginary parts in turn, but for the first and the last column, which stand apart.
    packed = np.zeros((len(rows), side, side), np.float32)
    packed[:, :, 1:-1:2] = packed[:, :, 2:-1:2] = rows
    hann = np.hanning(side + 2)[1:-1]
    return _Rings(
        window=np.outer(hann, hann).astype(np.float32), means=packed.reshape(len(rows), -1),
        slopes=np.array(slopes, np.float32),
    )  # fmt: skip


def blur_between(worn: F32, worn_points: F32, drawn: F32, drawn_points: F32, clear: F32) -> F32:
    """2x2 covariance (px²) of the blur that makes a `drawn` face as soft as the one `worn` in the footage; zeros where it is.

    Args:
        worn, drawn: pictures (HxWx3 coded RGB) with the faces whose landmarks (Nx2 or Nx3) lie in them.
        clear: 468, 0..1: how free of things in front each vertex is in the footage.
    """
    apart = float(np.linalg.norm(drawn_points[_EYES[0], :2] - drawn_points[_EYES[1], :2]))
    side = next((side for side in _WINDOWS if side <= min(_REACH * apart, *drawn.shape[:2], *worn.shape[:2])), 0)
    trust = np.array([clear[vertices].mean() for vertices in _FEATURES], np.float32)
    if not side or not trust.any():
        return np.zeros((2, 2), np.float32)
    rings = _rings(side)
    power, wanted = (
        _powers(picture, points, rings.window) for picture, points in ((drawn, drawn_points), (worn, worn_points))
    )
    blur = _fitted(trust @ power, trust @ wanted, rings)
    if _widest(blur) < _LEAST:
        return np.zeros((2, 2), np.float32)
    alone = [_widest(_fitted(power[one], wanted[one], rings)) for one in np.flatnonzero(trust > _SURE)]
    return _blurring(blur * np.clip(_AGREE * min(alone, default=np.inf) / _widest(blur), 0, 1))


def _fitted(power: F32, wanted: F32, rings: _Rings) -> F32:
    """2x2 covariance (px²) of the blur that takes one `power` (side²) to the one `wanted`; negative where it would sharpen."""
    power, wanted = rings.means @ power, rings.means @ wanted
    signal, noise = wanted[:-1], wanted[-1] + np.float32(1e-9)
    weight = np.clip(1 - _CLEAR * noise / np.maximum(signal, noise), 0, 1)
    change = np.log(np.maximum(signal - noise, noise)) - np.log(np.maximum(power[:-1], noise))
    hold = np.diag(np.array([1e-6, 1e-3, 1e-3, 1e-3], np.float32))
    weighted = rings.slopes * weight[:, None]
    _, xx, xy, yy = np.linalg.solve(weighted.T @ rings.slopes + hold, weighted.T @ change)
    return np.array([[xx, xy], [xy, yy]])


def _powers(picture: F32, points: F32, window: F32) -> F32:
    """3 x side²: power of the picture's luma, as OpenCV packs a spectrum, in a window on each eye and the mouth."""
    side = len(window)
    height, width = picture.shape[:2]
    powers = np.empty((len(_FEATURES), side, side), np.float32)
    for vertices, power in zip(_FEATURES, powers, strict=True):
        left, top = (points[vertices, :2].mean(axis=0) - side / 2).round().astype(int)
        x, y = min(max(left, 0), width - side), min(max(top, 0), height - side)
        luma = cv2.transform(picture[y : y + side, x : x + side], LUMA[None])
        spectrum = cv2.dft((luma - np.float32(cv2.mean(luma)[0])) * window)
        power[:] = spectrum * spectrum
    return powers.reshape(len(powers), -1)


def _widest(covariance: np.ndarray) -> float:
    return float(np.linalg.eigvalsh(covariance)[-1])


def _blurring(covariance: np.ndarray) -> F32:
    """The part of a symmetric matrix that blurs (what would sharpen is left out), with streaks at their full length."""
    (least, most), axes = np.linalg.eigh(covariance)
    excess = max(most - max(least, 0), 0)
    most += _STREAK * excess * excess
    return ((axes * np.clip((least, most), 0, _MOST)) @ axes.T).astype(np.float32)


def blurred(picture: F32, covariance: F32) -> F32:
    """`picture` (HxWx3) under a Gaussian blur of this covariance (px²)."""
    largest = float(np.linalg.eigvalsh(covariance)[1])
    if largest < _LEAST:
        return picture
    reach = int(np.ceil(3 * np.sqrt(largest)))
    x, y = np.meshgrid(*(np.arange(-reach, reach + 1),) * 2)
    # A pixel's own extent (1/12 px²) keeps a blur along one line from being thinner than the grid.
    (a, b), (_, c) = covariance + np.eye(2) / 12
    kernel = np.exp(-0.5 * (c * x * x - 2 * b * x * y + a * y * y) / (a * c - b * b))
    return cv2.filter2D(picture, -1, (kernel / kernel.sum()).astype(np.float32), borderType=cv2.BORDER_REPLICATE)
