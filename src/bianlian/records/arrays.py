"""Array aliases by meaning, and the checks that records make when they are built."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import IO, Any

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
"""uint8, sRGB or a video plane of 8 bits."""
F32 = npt.NDArray[np.float32]
"""float32; pixels are linear light unless the name says otherwise."""
Plane = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""One plane of a frame, HxW; uint16 carries 10 or 12 significant bits."""


def frozen(array: npt.NDArray[Any], name: str, shape: tuple[int | None, ...], dtype: Any) -> npt.NDArray[Any]:
    """Return a read-only view of `array` after checking its shape (None = any) and dtype.

    Raises:
        ValueError: with the shape or dtype that came instead.
    """
    if array.dtype != np.dtype(dtype):
        raise ValueError(f"{name}: dtype {array.dtype}, expected {np.dtype(dtype)}")
    if array.ndim != len(shape) or any(w is not None and w != g for w, g in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{name}: shape {array.shape}, expected {shape}")
    view = array.view()
    view.flags.writeable = False
    return view


_READING = Lock()
"""NumPy asks Python's parser for an array's header, and before 3.13 that parser fails now and then when a collection of garbage
lets another thread parse meanwhile: SystemError, "AST constructor recursion depth mismatch"."""


def arrays_in(file: Path | IO[bytes], names: Iterable[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an .npz archive, all or the named ones; from any thread, never a pickle.

    Raises:
        OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error: not there, or not such an archive.
    """
    with _READING, np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in (archive.files if names is None else names)}
