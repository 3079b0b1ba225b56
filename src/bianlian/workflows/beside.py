"""What lies beside a result: made before the release, in the job's folder, and given its name only after it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bianlian.donors.files import write_whole


class Beside:
    """Files and folders that wait for the release of their result."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._waiting: list[tuple[Path, Path]] = []

    def write(self, content: bytes, target: Path) -> None:
        """Keep a file ready that will be called `target`."""
        path = self._scratch / target.name
        write_whole(path, content, mode=0o644)
        self._waiting.append((path, target))

    def hold(self, path: Path, target: Path) -> None:
        """Keep a finished file or folder ready that will be called `target`; both on one disk."""
        self._waiting.append((path, target))

    def publish(self) -> None:
        """Give everything its name; what an earlier run of the same request left there goes."""
        for path, target in self._waiting:
            if target.is_dir():
                shutil.rmtree(target)
            os.replace(path, target)
        self._waiting.clear()
