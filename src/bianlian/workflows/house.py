"""What every workflow needs of this machine: keys, donors, weights, a clock. Opened once, passed along."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom

import cv2

from bianlian.config import Settings
from bianlian.donors.book import Donors
from bianlian.errors import InstallationError
from bianlian.marking.registry import OutputRegistry
from bianlian.marking.watermark.code import CodeBook, code_book
from bianlian.records.progress import Reporter
from bianlian.screening.detector import NudeNet
from bianlian.tracking.identity import IdentityModel
from bianlian.tracking.landmarks import FaceLandmarker
from bianlian.tracking.models import FaceModels, load_models
from bianlian.weights.catalogue import CONTENT_DETECTOR, FACE_LANDMARKER, FACE_RECOGNITION
from bianlian.weights.store import WeightStore


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """An opened installation."""

    settings: Settings
    clock: Callable[[], datetime]
    donors: Donors
    weights: WeightStore
    registry: OutputRegistry

    def face_models(self, reporter: Reporter) -> FaceModels:
        """Load the tracking networks, fetching their weights on first use. One set a thread."""
        bundle = self.weights.fetch(FACE_LANDMARKER, reporter=reporter)
        return load_models(bundle, self.weights.fetch(FACE_RECOGNITION, reporter=reporter))

    def landmarker(self, reporter: Reporter) -> FaceLandmarker:
        """Of these, what finds faces and their landmarks."""
        return FaceLandmarker(self.weights.fetch(FACE_LANDMARKER, reporter=reporter))

    def identity_model(self, reporter: Reporter) -> IdentityModel:
        """Of these, what tells who it is."""
        return IdentityModel(self.weights.fetch(FACE_RECOGNITION, reporter=reporter))

    def content_detector(self, reporter: Reporter) -> NudeNet:
        """Load the content gate's network; without it there is no swap."""
        return NudeNet(self.weights.fetch(CONTENT_DETECTOR, reporter=reporter))

    def code_book(self) -> CodeBook:
        """This installation's watermark code."""
        return code_book(self.donors.installation.derive("watermark"))

    @property
    def tracks(self) -> Path:
        """Folder of tracks, by the SHA-256 of their footage."""
        return self.settings.home / "tracks"


def open_house(settings: Settings, *, passphrase: str = "", clock: Callable[[], datetime] | None = None) -> House:
    """Open, or found, the installation under `settings.home`.

    Raises:
        InstallationError: the folder cannot be made or read, or keys or ledger are damaged.
    """
    # The workers already use every core; OpenCV threads on top would only fight with them.
    cv2.setNumThreads(1)
    clock = clock or (lambda: datetime.now(UTC))
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(settings.home)
        donors = Donors.open(settings.home, clock(), rng=SystemRandom(), passphrase=passphrase)
        registry = OutputRegistry.open(settings.home / "outputs.sqlite")
    except OSError as error:
        raise InstallationError(
            f"The data folder {settings.home} cannot be used: {error.strerror or error}.",
            advice="Choose another with --home or BIANLIAN_HOME.",
        ) from error
    return House(
        settings=settings, clock=clock, donors=donors, weights=WeightStore(settings.weights), registry=registry
    )


def _sweep(home: Path) -> None:
    """Remove tracks in the making whose program was killed: nobody needs them, and they are biometric data."""
    for part in (*home.glob(".track-*"), *home.glob("tracks/.*.part")):
        maker = re.match(r".*\.?track[.-](\d+)[.-]", part.name)
        if maker and not is_running(int(maker[1])):
            shutil.rmtree(part, ignore_errors=True)


def is_running(process: int) -> bool:
    """Whether a process of this machine lives."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
