"""What is installed, what runs where, what is missing, and how fast this machine is."""

from __future__ import annotations

import os
import platform
import shutil
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from bianlian.config import Settings
from bianlian.errors import BianlianError
from bianlian.tracking.landmarks import FaceLandmarker, Region
from bianlian.weights.catalogue import FACE_LANDMARKER
from bianlian.weights.store import Condition, WeightStore

LIBRARIES = (
    "bianlian", "ai-edge-litert", "av", "c2pa-python", "cryptography", "dlib-bin", "numpy", "onnxruntime",
    "opencv-python-headless", "pillow", "scipy",
)  # fmt: skip
MEASURE_SECONDS = 1.0
LEAST_FREE = 2 << 30
"""Bytes: chunks, draft and sealed file of an hour of 1080p at the default quality stay below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReport:
    """What was found."""

    facts: dict[str, str]
    problems: list[str]
    """Sentences; empty when all is well."""


def examine_machine(settings: Settings) -> MachineReport:
    """Look at libraries, models, disk and speed. Changes nothing."""
    facts = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    problems: list[str] = []
    for library in LIBRARIES:
        try:
            facts[library] = version(library)
        except PackageNotFoundError:
            problems.append(f"The package {library} is not installed: run `make demo` or pip install bianlian.")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    facts["workers"] = f"{settings.workers} of {usable} cores"
    facts["home"] = str(settings.home)
    _look_at_disk(settings.home, facts, problems)
    store = WeightStore(settings.weights)
    for held in store.check_all():
        facts[held.weight.name] = held.condition.value
        if held.condition is not Condition.PRESENT:
            problems.append(f"{held.weight.name} is {held.condition.value}: run `bianlian models pull`.")
    try:
        facts["landmarks"] = _landmark_speed(store)
    except (BianlianError, OSError, ImportError) as error:
        problems.append(f"Faces cannot be tracked: {error}")
    return MachineReport(facts=facts, problems=problems)


def _look_at_disk(home: Path, facts: dict[str, str], problems: list[str]) -> None:
    there = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(there).free
    facts["free disk"] = f"{free / 2**30:.1f} GiB"
    if free < LEAST_FREE:
        problems.append(f"Only {free / 2**30:.1f} GiB are free under {there}; an hour of 1080p needs about 2.")
    if not os.access(there, os.W_OK):
        problems.append(f"{there} may not be written by {os.environ.get('USER', 'this user')}.")


def _landmark_speed(store: WeightStore) -> str:
    """Landmarks are a fixed part of every frame with a face, so their speed says what to expect of the whole."""
    landmarker = FaceLandmarker(store.find(FACE_LANDMARKER))
    rgb = np.full((720, 1280, 3), 128, np.uint8)
    region = Region(centre_x=640.0, centre_y=360.0, square=400.0, turn=0.0)
    count, began = 0, time.perf_counter()
    while (seconds := time.perf_counter() - began) < MEASURE_SECONDS:
        landmarker.landmarks(rgb, region)
        count += 1
    per_frame = seconds / count
    return f"{1e3 * per_frame:.1f} ms a face on one core"
