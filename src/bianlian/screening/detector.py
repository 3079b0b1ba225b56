"""NudeNet 320n (MIT), run directly on onnxruntime: exposed intimate parts in a picture.

The library's own reader is not used: it feeds BGR (faces score higher in RGB on our clips), loops over 2100 rows in Python
and takes all cores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from bianlian.errors import InstallationError
from bianlian.records.arrays import U8

COARSE, FINE = 320, 640
"""Sides of the square that a picture is shrunk into: what the network was trained on, and twice that, for small figures."""

_STRIDE = 32
"""Pixels of the input for each step of the network's coarsest layer."""
_EXPOSED = {
    2: "buttocks exposed",
    3: "female breast exposed",
    4: "female genitalia exposed",
    6: "anus exposed",
    14: "male genitalia exposed",
}
"""NudeNet classes that mean sexual content here, by output index."""


class ExposureDetector(Protocol):
    """Something that sees exposed intimate parts."""

    def exposure(self, rgb: U8, *, side: int) -> tuple[float, str]:
        """Highest score 0..1 over the exposed classes, and that class in words. `rgb` is HxWx3; `side` as above."""
        ...


class NudeNet:
    """The default detector; about 25 ms a picture on one core, four times that for a fine look."""

    def __init__(self, model: Path, *, threads: int = 1) -> None:
        """Load the network.

        Raises:
            InstallationError: when the model is missing or cannot be loaded; without it nothing may be swapped.
        """
        import onnxruntime  # noqa: PLC0415 - half a second that other commands need not spend

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own types are not public; the gate fails closed whatever it was
            raise InstallationError(
                f"The content gate's model cannot be loaded: {model.name}: {error}",
                advice="Run `bianlian models pull`. Without the gate nothing is swapped.",
            ) from error
        self._input = self._session.get_inputs()[0].name

    def exposure(self, rgb: U8, *, side: int) -> tuple[float, str]:
        height, width = rgb.shape[:2]
        scale = side / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        # What the square holds beyond the picture is black and shows nothing: it is left out in steps of the network's stride.
        canvas = np.zeros((*(-(-length // _STRIDE) * _STRIDE for length in reversed(size)), 3), np.uint8)
        canvas[: size[1], : size[0]] = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        batch = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        rows = np.asarray(self._session.run(None, {self._input: batch})[0])[0]
        scores = {index: float(rows[4 + index].max()) for index in _EXPOSED}
        worst = max(scores, key=lambda index: scores[index])
        return scores[worst], _EXPOSED[worst]
