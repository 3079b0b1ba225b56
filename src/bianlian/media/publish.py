"""Nothing half-written under a final name: write beside it, bring it to the disk, rename."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from bianlian.errors import InstallationError

_REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space and run the command again; finished parts are kept."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space and run the command again; finished parts are kept."),
    errno.EFBIG: ("the file would be larger than this system allows", "Choose another disk or raise the limit."),
    errno.EROFS: ("the disk is read-only", "Choose another folder."),
    errno.EACCES: ("this user may not write there", "Choose another folder, or give yourself permission."),
    errno.EPERM: ("this user may not write there", "Choose another folder, or give yourself permission."),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", "Choose another folder."),
    errno.ENOENT: ("the folder does not exist", "Make it first."),
}


@contextmanager
def publishing(path: Path) -> Generator[Path, None, None]:
    """Yield a temporary name beside `path`; when the block ends well it becomes `path`, else it goes.

    Raises:
        InstallationError: the system refused to write, with the reason.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield draft
        to_disk(draft)
        draft.replace(path)
        to_disk(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        # What could not be made cannot be removed either; the first error is the one to report.
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    """fsync a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cannot_write(path: Path, error: OSError) -> InstallationError:
    """The error for a file that could not be written, with its reason in words."""
    reason, advice = _REASONS.get(error.errno or 0, (error.strerror or str(error), "Check the disk."))
    return InstallationError(f"{path.name} could not be written: {reason}.", advice=advice)
