"""A TensorFlow Lite model on the CPU (LiteRT with XNNPACK), one input, any outputs."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bianlian.errors import InstallationError
from bianlian.records.arrays import F32


class LiteSession:
    """One model, ready to run. Not to be shared between threads.

    Args:
        model: the TFLite flatbuffer.
        threads: of XNNPACK; one is best when several stages share two cores.
    """

    def __init__(self, model: bytes, *, threads: int = 1) -> None:
        with _silent_stderr():
            from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415  (slow to import)

            try:
                self._interpreter = Interpreter(model_content=model, num_threads=threads)
                self._interpreter.allocate_tensors()
            except (ValueError, RuntimeError) as error:
                raise InstallationError(
                    f"the face model cannot be loaded: {error}",
                    advice="run: bianlian models pull, then bianlian doctor",
                ) from error
        (given,) = _details(self._interpreter.get_input_details())
        self._input = int(given["index"])
        self.input_shape = tuple(int(length) for length in given["shape"])
        self._outputs = {
            str(output["name"]): int(output["index"]) for output in _details(self._interpreter.get_output_details())
        }

    def run(self, values: F32) -> dict[str, F32]:
        """Outputs by name for one input of `input_shape`, float32."""
        self._interpreter.set_tensor(self._input, values)
        self._interpreter.invoke()
        return {
            name: np.asarray(self._interpreter.get_tensor(index), np.float32) for name, index in self._outputs.items()
        }


def _details(untyped: Any) -> list[dict[str, Any]]:
    return list(untyped)


@contextmanager
def _silent_stderr() -> Generator[None]:
    """LiteRT's C++ logs 'Created XNNPACK delegate' to file descriptor 2 and offers no switch."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
