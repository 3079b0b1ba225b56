"""dlib's face recognition network (29 convolutions, ResNet), read from its own file and run by NumPy.

dlib itself takes 105 ms of one core for a face, in which it holds Python's lock, so that decoding and following wait. This takes
22 and lets go of the lock; embeddings agree with dlib's to 6e-7. The layers are those of dlib's
examples/dnn_face_recognition_ex.cpp.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from bianlian.errors import InstallationError
from bianlian.records.arrays import F32, U8

SIDE = 150
"""Of the picture that it sees, pixels."""
_MEAN = np.array([122.782, 117.001, 104.298], np.float32)
"""Taken from the RGB values, which are then divided by 256 (input_rgb_image_sized)."""
_BLOCKS = "===v===v==v==v"
"""The residual blocks; v halves the picture (ares_down)."""
_LAYER = re.compile(rb"\x01.(con_4|affine_|fc_2\x01\x80\x02\x00\x01)\x01\x02", re.DOTALL)
"""Length and name of a layer with parameters (and 128 out, 256 in), and the version of the tensor that follows."""


@dataclass(frozen=True, slots=True, eq=False)
class _Convolution:
    weights: F32
    """Channels out x (channels in * side * side)."""
    bias: F32
    """Channels out x 1."""
    side: int
    stride: int

    def __call__(self, planes: F32) -> F32:
        """CxHxW to channels out x H' x W'; beyond the borders are zeros where the stride is one, else they end it."""
        if self.stride == 1:
            edge = self.side // 2
            planes = np.pad(planes, ((0, 0), (edge, edge), (edge, edge)))
        windows = _windows(planes, self.side, self.stride).transpose(0, 3, 4, 1, 2)
        found = self.weights @ windows.reshape(self.weights.shape[1], -1) + self.bias
        return found.reshape(-1, *windows.shape[3:])


class FaceResNet:
    """Args:
    file: `dlib_face_recognition_resnet_model_v1.dat`.

    Raises:
        InstallationError: it is not that file.
    """

    def __init__(self, file: Path) -> None:
        try:
            *layers, self._head = _parameters(file.read_bytes())
            strides = (2, *chain.from_iterable((2 if block == "v" else 1, 1) for block in _BLOCKS))
            rows = zip(layers[::2], layers[1::2], strides, strict=True)
            self._first, *rest = (_convolution(*row, side=3 if number else 7) for number, row in enumerate(rows))
            self._blocks = tuple(zip(rest[::2], rest[1::2], strict=True))
            self._head = self._head.reshape(-1, 128).copy()  # a view would keep the whole file
        except (ValueError, IndexError) as error:
            raise InstallationError(
                f"the identity model cannot be read: {error}", advice="run: bianlian models pull, then bianlian doctor"
            ) from error

    def embed(self, chip: U8) -> F32:
        """128 numbers for a picture of SIDE x SIDE x 3, RGB."""
        planes = ((chip - _MEAN) / np.float32(256)).transpose(2, 0, 1)
        planes = _windows(np.maximum(self._first(planes), 0), 3, 2).max(axis=(3, 4))
        for first, second in self._blocks:
            carried = planes if first.stride == 1 else _windows(planes, 2, 2).mean(axis=(3, 4))
            planes = np.maximum(_sum(second(np.maximum(first(planes), 0)), carried), 0)
        return planes.mean(axis=(1, 2)) @ self._head


def _parameters(content: bytes) -> Iterator[F32]:
    """The layers' numbers, in the order in which a picture passes them."""
    at = 0
    while found := _LAYER.search(content, at):
        at = found.end()
        count = 1
        for _ in range(4):
            # A whole number of dlib's: how many bytes it has, then these, the least first.
            width = content[at]
            count *= int.from_bytes(content[at + 1 : at + 1 + width], "little")
            at += 1 + width
        yield np.frombuffer(content, "<f4", count, at)
        at += 4 * count


def _convolution(filters: F32, affine: F32, stride: int, *, side: int) -> _Convolution:
    """A convolution with the factors and offsets that dlib applies after it."""
    factor, offset = affine.reshape(2, -1, 1)
    count = len(factor)
    weights, bias = filters[:-count].reshape(count, -1), filters[-count:, None]
    return _Convolution(weights=weights * factor, bias=bias * factor + offset, side=side, stride=stride)


def _windows(planes: F32, side: int, stride: int) -> F32:
    """CxH'xW'x side x side."""
    every = np.lib.stride_tricks.sliding_window_view(planes, (side, side), axis=(1, 2))
    return every[:, ::stride, ::stride]


def _sum(one: F32, other: F32) -> F32:
    """The sum of two stacks of planes; where one is smaller, it counts as zero there."""
    total = np.zeros(np.maximum(one.shape, other.shape), np.float32)
    for planes in (one, other):
        channels, height, width = planes.shape
        total[:channels, :height, :width] += planes
    return total
