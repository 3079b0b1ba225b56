"""The small networks that tell, texel by texel, what is in front of a face: their layers and how they are run.

A few thousand weights each, and in numba, because the frameworks that train such networks are a hundred times their size and no
faster at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from io import BytesIO

import numba
import numpy as np

from bianlian.records.arrays import F32, arrays_in

_FOUR = ((0, 0), (0, 1), (1, 0), (1, 1))

Layer = tuple[F32, F32]
"""Weights, outputs x inputs (x3x3), and what is added to each output."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """U-shaped: three sizes down, three up, and the evidence itself beside what was gathered around it."""

    maps: F32
    """3 x S/2 x S/2: where eyes and mouth are, how far from the middle line, how high."""
    layers: dict[str, Layer]

    def __call__(self, evidence: F32, around: F32) -> F32:
        """SxS: log odds, from the `evidence` (3xSxS) at each texel and what is known of what is `around` it (C x S/2 x S/2)."""
        layers = self.layers
        half = _seen(np.concatenate([_seen(evidence, layers["half_in"], 2), around, self.maps]), layers["half"])
        quarter = _seen(_seen(half, layers["quarter_in"], 2), layers["quarter"])
        eighth = _seen(_seen(quarter, layers["eighth_in"], 2), layers["eighth"])
        quarter = _seen(quarter + _twice(_mixed(eighth, layers["eighth_up"])), layers["quarter_out"])
        half = _seen(half + _twice(_mixed(quarter, layers["quarter_up"])), layers["half_out"])
        gathered = np.concatenate([half, *(evidence[:, y::2, x::2] for y, x in _FOUR)])
        odds = np.empty(evidence.shape[1:], np.float32)
        for part, (y, x) in zip(
            _mixed(_positive(_mixed(gathered, layers["join"])), layers["odds"]), _FOUR, strict=True
        ):
            odds[y::2, x::2] = part
        return odds


def read_network(name: str) -> Network:
    """One that comes with the program, by the `name` of its file."""
    packed = resources.files("bianlian.imaging").joinpath(f"{name}.npz").read_bytes()
    arrays = {part: array.astype(np.float32) for part, array in arrays_in(BytesIO(packed)).items()}
    maps = arrays.pop("maps")
    parts = sorted({part.rpartition(".")[0] for part in arrays})
    return Network(maps=maps, layers={part: (arrays[f"{part}.weights"], arrays[f"{part}.added"]) for part in parts})


@numba.njit(cache=True, fastmath=True, nogil=True)
def _seen(picture: F32, layer: Layer, step: int = 1) -> F32:  # pragma: no cover - compiled
    """A convolution with 3x3 windows around every `step`-th texel, negative results cut off; four outputs at a time."""
    weights, added = layer
    inputs, height, width = picture.shape
    rows, columns = height // step, width // step
    around = np.zeros((inputs, height + 2, 3, columns), np.float32)  # what lies left of each texel, on it, right of it
    for c in range(inputs):
        for y in range(height):
            row = around[c, y + 1]
            for x in range(1, columns):
                row[0, x] = picture[c, y, step * x - 1]
            for x in range(columns):
                row[1, x] = picture[c, y, step * x]
            for x in range((width - 2) // step + 1):
                row[2, x] = picture[c, y, step * x + 1]
    out = np.empty((len(added), rows, columns), np.float32)
    sums = np.empty((4, columns), np.float32)
    for k in range(0, len(added), 4):
        for y in range(rows):
            sums[:] = 0
            for c in range(inputs):
                for dy in range(3):
                    row, four = around[c, step * y + dy], weights[k : k + 4, c, dy]
                    a, b, d, e, f, g = four[0, 0], four[0, 1], four[0, 2], four[1, 0], four[1, 1], four[1, 2]
                    p, q, r, s, t, u = four[2, 0], four[2, 1], four[2, 2], four[3, 0], four[3, 1], four[3, 2]
                    for x in range(columns):
                        left, on, right = row[0, x], row[1, x], row[2, x]
                        sums[0, x] += a * left + b * on + d * right
                        sums[1, x] += e * left + f * on + g * right
                        sums[2, x] += p * left + q * on + r * right
                        sums[3, x] += s * left + t * on + u * right
            for part in range(4):
                for x in range(columns):
                    out[k + part, y, x] = max(sums[part, x] + added[k + part], np.float32(0))
    return out


def _mixed(picture: F32, layer: Layer) -> F32:
    """Each texel's channels through a matrix."""
    weights, added = layer
    return (weights @ picture.reshape(len(picture), -1) + added[:, None]).reshape(-1, *picture.shape[1:])


def _positive(picture: F32) -> F32:
    return np.maximum(picture, 0, out=picture)


def _twice(picture: F32) -> F32:
    return picture.repeat(2, axis=1).repeat(2, axis=2)
