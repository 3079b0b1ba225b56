"""The doctor says what is missing and what to do, and measures the stages of a swap without anybody's face."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

from bianlian.config import settings_from
from bianlian.weights.catalogue import FACE_LANDMARKER
from bianlian.workflows import doctor, selftest
from bianlian.workflows.doctor import examine_machine, speed_table
from tests.material import weight


def test_every_stage_is_measured_and_more_pixels_take_longer(tmp_path, monkeypatch):
    weight(FACE_LANDMARKER)
    monkeypatch.setattr(selftest, "SIZES", ((180, 320), (720, 1280)))
    report = examine_machine(replace(settings_from(os.environ), home=tmp_path, workers=2))
    small, large = report.speeds
    assert set(small.stages) == {"decode", "landmarks", "draw", "mark", "encode"}
    assert all(value > 0 for value in small.stages.values())
    assert small.stages["encode"] < large.stages["encode"]
    assert large.expected_fps(4) == 2 * large.expected_fps(2)
    heads, rows = speed_table(report)
    assert [row[0] for row in rows] == ["180p", "720p"]
    assert all(len(row) == len(heads) for row in rows)
    assert report.as_json()["speed"]["720p"]["expected_fps"] > 0
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_said_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "LIBRARIES", ("numpy", "no-such-library"))
    monkeypatch.setattr(doctor, "missing_codecs", lambda: ("libx264",))
    monkeypatch.setattr(doctor, "LEAST_FREE", 1 << 60)
    monkeypatch.setattr(doctor, "PROGRAM_MEMORY", 1 << 60)
    report = examine_machine(replace(settings_from(os.environ), home=tmp_path / "home", weights=tmp_path / "none"))
    assert report.speeds == ()
    assert report.facts["program"]["no-such-library"] == "missing"
    said = "\n".join(report.problems)
    for word in (
        "no-such-library",
        "libx264",
        "GiB are free under",
        "of memory are free",
        "models pull",
        "Speed cannot",
    ):
        assert word in said


def test_the_command_prints_json_and_exits_with_3_when_models_are_missing(tmp_path):
    start = "from bianlian.cli.main import main; main()"
    program = [sys.executable, "-c", start, "--home", str(tmp_path), "doctor", "--json"]
    environment = {**os.environ, "BIANLIAN_WEIGHTS": str(tmp_path / "none")}
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    assert report["speed"] == {}
    assert any("models pull" in problem for problem in report["problems"])
