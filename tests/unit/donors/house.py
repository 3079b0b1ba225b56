"""An installation with a donor, in a few milliseconds, for tests of what comes after the capture."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np

from bianlian.donors.book import Donors, Enrolment
from bianlian.donors.capture import CaptureReport
from bianlian.donors.challenge import Challenge
from bianlian.donors.notices import Controller, notice
from bianlian.donors.roll import Donor
from bianlian.donors.scope import example_scope, parse_scope
from bianlian.records.donor import Coverage, Use

NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
NAME = "Annelise Unmistakable-Name"
CAPTURE = b"\x00\x00\x00 ftypisom" + b"the recorded face " * 5000
TEMPLATE = np.random.default_rng(3).normal(size=128).astype("<f4")


def open_donors(home: Path, now: datetime = NOW, seed: int = 1) -> Donors:
    return Donors.open(home, now, rng=Random(seed))


def report(challenge: Challenge, capture: bytes = CAPTURE) -> CaptureReport:
    coverage = Coverage(yaw=(-0.5, 0.5), pitch=(-0.2, 0.2), expressions=(), missing=())
    return CaptureReport(
        challenge=challenge.id, capture_sha256=hashlib.sha256(capture).hexdigest(), person=1, acts=(), talk_from=10.0,
        seconds=20.0, template=TEMPLATE, identity_spread=0.2, coverage=coverage,
    )  # fmt: skip


def enrol(
    donors: Donors, folder: Path, *, name: str = NAME, scope: str = "", capture: bytes = CAPTURE, now: datetime = NOW
) -> Donor:
    challenge = donors.new_challenge(now)
    path = folder / f"{challenge.id}.mp4"
    path.write_bytes(capture)
    text = scope or example_scope(now)
    return donors.enrol(
        Enrolment(
            name=name, capture=path, challenge=challenge, report=report(challenge, capture), scope=parse_scope(text),
            scope_text=text, notice=notice("zh", Controller()),
        ),
        now,
    )  # fmt: skip


def use(job: str = "job-1", **changes: object) -> Use:
    given: dict[str, object] = {
        "job_id": job, "source_sha256": "5" * 64, "person": 1, "purpose": "film", "project": "Bianlian demo",
        "publication": "public", "regions": ("CN", "DE"),
    }  # fmt: skip
    return Use(**{**given, **changes})  # pyright: ignore[reportArgumentType]
