"""What lies beside a result: made before the release, on the disk where it shall be, and given its name only after it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import TracebackType

from bianlian.donors.files import write_whole


class Beside:
    """Files and folders that wait for the release of their result; what was not published goes when the block ends."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._waiting: list[tuple[Path, Path]] = []

    def __enter__(self) -> Beside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path, _ in self._waiting:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def write(self, content: bytes, target: Path) -> None:
        """Keep a file ready that will be called `target`."""
        path = self._scratch / target.name
        write_whole(path, content, mode=0o644)
        self._waiting.append((path, target))

    def hold(self, folder: Path, target: Path) -> None:
        """Keep a finished folder ready that will be called `target`; it is copied first if that is on another disk."""
        if folder.stat().st_dev != target.parent.stat().st_dev:
            part = target.with_name(f".{target.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            self._waiting.append((part, target))
            shutil.copytree(folder, part)
            return
        self._waiting.append((folder, target))

    def publish(self) -> None:
        """Give everything its name; what an earlier run left there under the same name goes."""
        for path, target in self._waiting:
            if target.is_dir():
                shutil.rmtree(target)
            os.replace(path, target)
        self._waiting.clear()
