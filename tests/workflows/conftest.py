"""A founded installation with a synthetic donor who answered a real challenge; made once, copied for each test."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from demo.answer_challenge import answer

from bianlian.config import settings_from
from bianlian.donors.performer import example_performer
from bianlian.donors.scope import example_scope
from bianlian.records.progress import Silent
from bianlian.weights.catalogue import CATALOGUE
from bianlian.workflows.enrol import EnrolRequest, draw_challenge, enrol
from bianlian.workflows.house import House, open_house
from bianlian.workflows.learn import learn
from bianlian.workflows.swap import SwapRequest
from tests.material import DEMO, weight

DONOR = "mei"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """An opened installation with a donor learnt at level draft, and a folder to work in."""

    house: House
    folder: Path
    performer: Path

    def with_one_worker(self) -> Stage:
        """The same, drawing in this very process: what a test puts in the way of drawing can then tell it what it saw."""
        return replace(self, house=replace(self.house, settings=replace(self.house.settings, workers=1)))

    def request(self, *footage: Path, **options) -> SwapRequest:
        """A swap of person 1 by the donor into `folder/out`."""
        given = {"casts": {1: DONOR}, "output": self.folder / "out", "level": "draft", **options}
        return SwapRequest(footage=footage, performer=self.performer, **given)


@pytest.fixture(scope="session")
def founded(tmp_path_factory) -> Path:
    """A home with one enrolled and learnt donor."""
    for model in CATALOGUE:
        weight(model)
    folder = tmp_path_factory.mktemp("founded")
    house = open_house(replace(settings_from(os.environ), home=folder / "home", workers=2))
    challenge, capture, scope = folder / "challenge.json", folder / "capture.mp4", folder / "scope.toml"
    draw_challenge(house, challenge, language="en")
    answer(challenge, DEMO / "demo_donor_acts.mp4", DEMO / "demo_donor_talk.mp4", capture)
    scope.write_text(example_scope(house.clock()), encoding="utf-8")
    enrol(house, EnrolRequest(name=DONOR, capture=capture, challenge=challenge, scope=scope), Silent())
    learn(house, DONOR, level="draft", seed=0, reporter=Silent())
    return folder


@pytest.fixture
def stage(founded, tmp_path) -> Stage:
    """A copy of the founded installation for one test."""
    shutil.copytree(founded / "home", tmp_path / "home")
    performer = tmp_path / "performer.toml"
    performer.write_text(example_performer(), encoding="utf-8")
    house = open_house(replace(settings_from(os.environ), home=tmp_path / "home", workers=2))
    return Stage(house=house, folder=tmp_path, performer=performer)
