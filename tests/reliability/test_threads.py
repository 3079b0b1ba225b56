"""Arrays are read by several threads at once."""

from __future__ import annotations

import gc
import io
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bianlian.records.arrays import arrays_in


class Yielding:
    """Garbage that lets other threads run while it is collected, as a frame's planes do."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        time.sleep(0)


def test_arrays_can_be_read_by_threads_while_garbage_is_collected():
    buffer = io.BytesIO()
    np.savez(buffer, **{str(number): np.full((2, 3), number) for number in range(10)})

    def read(_: int) -> float:
        Yielding()
        return sum(float(array.mean()) for array in arrays_in(io.BytesIO(buffer.getvalue())).values())

    collecting, switching = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(50)
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(read, range(500))) == {45.0}
    finally:
        gc.set_threshold(*collecting)
        sys.setswitchinterval(switching)
