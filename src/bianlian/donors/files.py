"""Files that must be whole or absent, and gone when they are gone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_OVERWRITE = 1 << 20
"""Bytes overwritten at a time."""


def write_whole(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write `content` under `path` in one step: beside it, to disk, then renamed. Older content is replaced."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in `folder` lasting; systems that cannot open a folder do it by themselves."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def shred(path: Path) -> None:
    """Overwrite a file with random bytes, to disk, then remove it.

    Flash storage and copying file systems may keep the old blocks: what is truly destroyed is the key (see `vault`).
    """
    if not path.is_symlink() and path.is_file():
        with path.open("r+b") as file:
            left = path.stat().st_size
            while left > 0:
                left -= file.write(os.urandom(min(left, _OVERWRITE)))
            file.flush()
            os.fsync(file.fileno())
    path.unlink(missing_ok=True)
