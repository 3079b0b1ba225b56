"""What is installed, what runs where, what is missing, and how fast this machine is."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import cv2

from bianlian.config import Settings
from bianlian.errors import BianlianError
from bianlian.marking.typeface import typeface
from bianlian.media.capabilities import ffmpeg_version, missing_codecs
from bianlian.weights.catalogue import FACE_LANDMARKER
from bianlian.weights.store import Condition, WeightStore
from bianlian.workflows.selftest import Speed, measured_speeds

LIBRARIES = (
    "bianlian", "ai-edge-litert", "av", "c2pa-python", "cryptography", "numba", "numpy", "nudenet",
    "onnxruntime", "opencv-python-headless", "pillow", "scipy",
)  # fmt: skip
EXTRAS = {"cluster": ("ray",), "dev": ("pytest", "hypothesis", "ruff", "pyright", "import-linter")}
"""Optional extras of the package, and what they bring."""
LEAST_FREE = 2 << 30
"""Bytes: chunks, draft and sealed file of an hour of 1080p at the default quality stay below."""
PROGRAM_MEMORY, WORKER_MEMORY = 400 << 20, 220 << 20
"""Bytes that a swap of 720p needs at its peak: of the program itself, and of each that draws (docs/performance.md)."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReport:
    """What was found."""

    facts: dict[str, dict[str, str]]
    """By section."""
    speeds: tuple[Speed, ...]
    """Empty when nothing could be measured."""
    workers: int
    problems: list[str]
    """Sentences that say what to do; empty when all is well."""

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        speeds = {
            f"{speed.size[0]}p": {"core_ms": speed.stages, "expected_fps": speed.expected_fps(self.workers)}
            for speed in self.speeds
        }
        return {**self.facts, "speed": speeds, "problems": self.problems}


def examine_machine(settings: Settings) -> MachineReport:
    """Look at libraries, models, machine and speed, in about ten seconds. Changes nothing."""
    cv2.setNumThreads(1)  # as a swap does
    problems: list[str] = []
    store = WeightStore(settings.weights)
    facts = {
        "program": _libraries(problems),
        "extras": {name: _extra(packages) for name, packages in EXTRAS.items()},
        "machine": _machine(settings, problems),
        "media": _media(problems),
        "models": _models(store, problems),
    }
    speeds = _tried("Speed cannot be measured", lambda: measured_speeds(store.find(FACE_LANDMARKER)), problems)
    return MachineReport(facts=facts, speeds=speeds or (), workers=settings.workers, problems=problems)


def speed_table(report: MachineReport) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: core time of each stage, and what a swap makes of it."""
    stages = list(report.speeds[0].stages) if report.speeds else []
    heads = ["size", *(f"{stage} ms" for stage in stages), f"swap, {report.workers} workers"]
    rows = [
        [
            f"{speed.size[0]}p",
            *(f"{value:.1f}" for value in speed.stages.values()),
            f"about {speed.expected_fps(report.workers):.0f} fps",
        ]
        for speed in report.speeds
    ]
    return heads, rows


def _libraries(problems: list[str]) -> dict[str, str]:
    facts = {"python": platform.python_version()}
    for library in LIBRARIES:
        facts[library] = _version(library) or "missing"
        if facts[library] == "missing":
            problems.append(f"The package {library} is not installed: run pip install bianlian.")
    return facts


def _extra(packages: Sequence[str]) -> str:
    found = {package: _version(package) for package in packages}
    missing = [package for package, installed in found.items() if not installed]
    if missing:
        return f"not installed (lacks {', '.join(missing)})"
    return ", ".join(f"{package} {installed}" for package, installed in found.items())


def _machine(settings: Settings, problems: list[str]) -> dict[str, str]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    there = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < LEAST_FREE:
        problems.append(f"Only {free / 2**30:.1f} GiB are free under {there}; an hour of 1080p needs about 2.")
    if not os.access(there, os.W_OK):
        problems.append(f"{there} may not be written by {os.environ.get('USER', 'this user')}.")
    memory = _free_memory()
    needed = PROGRAM_MEMORY + settings.workers * WORKER_MEMORY
    if 0 < memory < needed:
        problems.append(
            f"Only {memory / 2**30:.1f} GiB of memory are free; a swap of 720p with {settings.workers} workers needs about "
            f"{needed / 2**30:.1f}: set BIANLIAN_WORKERS to fewer, or close other programs."
        )
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": cv2.getCPUFeaturesLine() or "unknown",
        "workers": f"{settings.workers} of {usable} cores; libraries one thread each",
        "free memory": f"{memory / 2**30:.1f} GiB" if memory else "unknown",
        "home": str(settings.home),
        "free disk": f"{free / 2**30:.1f} GiB",
    }


def _media(problems: list[str]) -> dict[str, str]:
    lacking = missing_codecs()
    if lacking:
        problems.append(f"This FFmpeg lacks {', '.join(lacking)}: install PyAV from its own wheel (pip install av).")
    face = _tried("The label cannot be drawn", lambda: typeface(16), problems)
    return {
        "FFmpeg": ffmpeg_version(),
        "codecs": f"lacks {', '.join(lacking)}" if lacking else "all that are needed",
        "label's typeface": " ".join(filter(None, face.getname())) if face else "missing",
    }


def _models(store: WeightStore, problems: list[str]) -> dict[str, str]:
    held = store.check_all()
    problems += [
        f"{one.weight.name} is {one.condition.value}: run `bianlian models pull`."
        for one in held
        if one.condition is not Condition.PRESENT
    ]
    return {one.weight.name: one.condition.value for one in held}


def _free_memory() -> int:
    """Bytes that programs may take; 0 where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return 0


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _tried(what: str, look: Callable[[], _Result], problems: list[str]) -> _Result | None:
    try:
        return look()
    except (BianlianError, OSError, ImportError) as error:
        problems.append(f"{what}: {error}")
        return None
