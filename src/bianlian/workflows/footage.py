"""Which files a request means, and what each result is called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from bianlian.errors import CallerError, InstallationError

MEDIA_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .mts .m2ts .wmv .flv .gif .png .jpg .jpeg .webp".split()
)
"""Names that look like footage inside a folder. A file that is named directly is tried whatever it is called."""
_IMAGE_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".webp"))
MARKER = ".bianlian"
"""Stands in every result's name before the suffix: `scene.bianlian.mp4`. Such files are never taken as footage of a folder."""


def expand(requested: Sequence[Path]) -> tuple[Path, ...]:
    """Files in the order asked; a folder stands for all footage in it and below, by name, links not followed.

    Raises:
        CallerError: nothing there.
        InstallationError: a folder may not be read.
    """
    found: list[Path] = []
    for path in requested:
        if path.is_dir():
            found += _inside(path)
        elif path.exists() or path.is_symlink():
            found.append(path)
        else:
            raise CallerError(f"There is no {path}.", advice="Check the name; a folder is allowed, too.")
    if not found:
        raise CallerError(
            f"There is no footage in {', '.join(map(str, requested))}.",
            advice=f"Known are: {' '.join(sorted(MEDIA_SUFFIXES))}",
        )
    return tuple(dict.fromkeys(found))


def output_names(files: Sequence[Path], folder: Path, *, suffix: str = "") -> tuple[Path, ...]:
    """One name in `folder` for each file; files that share a stem keep their own suffix in it, so that none collide.

    Video becomes `suffix` (".mp4" unless given; a .mov stays one), images stay what they are.
    """
    taken: dict[Path, None] = {}  # keeps the order
    for path in files:
        candidates = _candidates(path, folder, _result_suffix(path, suffix))
        taken[next(name for name in candidates if name not in taken)] = None
    return tuple(taken)


def _candidates(path: Path, folder: Path, kind: str) -> Iterator[Path]:
    for stem in (path.stem, path.name, f"{path.parent.name}-{path.name}"):
        yield folder / f"{stem}{MARKER}{kind}"
    for number in count(2):
        yield folder / f"{path.name}-{number}{MARKER}{kind}"


def _result_suffix(path: Path, suffix: str) -> str:
    own = path.suffix.lower()
    if own in _IMAGE_SUFFIXES:
        return own
    return suffix or (".mov" if own == ".mov" else ".mp4")


def _inside(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except PermissionError as error:
        raise InstallationError(
            f"The folder {folder} may not be read.", advice="Ask for permission, or copy the files."
        ) from error
    files: list[Path] = []
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not entry.is_symlink():
            files += _inside(entry)
        elif entry.suffix.lower() in MEDIA_SUFFIXES and MARKER not in entry.name:
            files.append(entry)
    return files
