"""Faults that need no pictures: signals, leftovers, writers of the ledger at the same time, hostile documents."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from tools.fuzz import mutated

from bianlian.config import settings_from
from bianlian.donors import challenge, revocation
from bianlian.donors.installation import Installation
from bianlian.donors.ledger import Ledger
from bianlian.donors.performer import example_performer, parse_production
from bianlian.donors.receipts import verify_receipt
from bianlian.donors.scope import example_scope, parse_scope
from bianlian.errors import BianlianError, CallerError, InstallationError
from bianlian.media import publish
from bianlian.workflows.house import open_house
from bianlian.workflows.job import ChunkRange, JobFolder
from tests.unit.donors.house import NOW

APPENDS = """
import sys; from datetime import UTC, datetime; from pathlib import Path
from bianlian.donors.installation import Installation; from bianlian.donors.ledger import Ledger
home, now = Path(sys.argv[1]), datetime.now(UTC)
ledger = Ledger.open(home / "ledger.sqlite", Installation.open(home, now))
for number in range(40): ledger.append("test", {"number": number}, datetime.now(UTC))
"""


def test_sigterm_ends_in_order():
    program = (
        "from bianlian.cli import output; import time; output.end_on_signals(); print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=-1, stderr=-1, text=True) as running:
        assert running.stdout.readline()
        running.send_signal(signal.SIGTERM)
        assert running.wait() == 128 + signal.SIGTERM
        assert "--resume goes on" in running.stderr.read()


def test_the_ledger_is_whole_to_a_reader_while_others_write(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.sqlite", Installation.open(tmp_path, NOW))
    ledger.append("test", {}, NOW)
    writers = [subprocess.Popen([sys.executable, "-c", APPENDS, str(tmp_path)]) for _ in range(2)]
    while any(writer.poll() is None for writer in writers):
        ledger.check()
    assert [writer.returncode for writer in writers] == [0, 0]
    assert ledger.check() == 81


def test_a_writer_killed_at_the_first_entry_leaves_a_ledger(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.sqlite", Installation.open(tmp_path, NOW))
    ledger.append("test", {}, NOW)
    (tmp_path / "ledger.head.json").unlink()
    assert Ledger.open(tmp_path / "ledger.sqlite", Installation.open(tmp_path, NOW)).check() == 1
    ledger.append("test", {}, NOW)
    (tmp_path / "ledger.head.json").unlink()
    with pytest.raises(InstallationError, match="gone"):
        Ledger.open(tmp_path / "ledger.sqlite", Installation.open(tmp_path, NOW))


def test_tracks_in_the_making_go_with_their_maker(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    names = (f".track-{gone.pid}-abc", f"tracks/.{'0' * 64}.track.{gone.pid}.part", f".track-{os.getpid()}-abc")
    for name in names:
        (tmp_path / name).mkdir(parents=True)
    open_house(replace(settings_from(os.environ), home=tmp_path))
    assert [(tmp_path / name).exists() for name in names] == [False, False, True]


class TestJobFolder:
    CHUNKS = (ChunkRange(number=0, first=0, stop=8), ChunkRange(number=1, first=8, stop=16))

    def folder(self, tmp_path, request=("one",)) -> JobFolder:
        return JobFolder(output=tmp_path / "scene.mp4", job_id="job", request={"request": list(request)})

    def finished(self, tmp_path) -> JobFolder:
        folder = self.folder(tmp_path)
        folder.open(resume=True)
        for chunk in self.CHUNKS:
            folder.chunk(chunk.number).write_bytes(b"pictures")
            folder.notes(chunk.number).write_bytes(b"notes")
            folder.keep(chunk.number)
        return folder

    @pytest.mark.parametrize("what", ["chunk", "notes", "_seal"])
    def test_a_chunk_counts_as_done_while_it_is_what_was_written(self, tmp_path, what):
        folder = self.finished(tmp_path)
        assert folder.missing(self.CHUNKS) == ()
        getattr(folder, what)(0).write_bytes(b"pixtures")
        assert folder.missing(self.CHUNKS) == self.CHUNKS[:1]
        getattr(folder, what)(1).unlink()
        assert folder.missing(self.CHUNKS) == self.CHUNKS

    def test_another_request_does_not_use_them(self, tmp_path):
        self.finished(tmp_path).close(is_done=False)
        other = self.folder(tmp_path, request=("another",))
        other.open(resume=True)
        assert other.missing(self.CHUNKS) == self.CHUNKS

    def test_two_runs_do_not_write_one_result(self, tmp_path):
        folder = self.finished(tmp_path)
        with pytest.raises(CallerError, match="Another run"):
            self.folder(tmp_path).open(resume=True)
        folder.close(is_done=False)
        self.folder(tmp_path).open(resume=True)

    def test_a_full_disk_does_not_leave_it_locked(self, tmp_path, monkeypatch):
        def full(path):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(publish, "to_disk", full)
            with pytest.raises(InstallationError, match="the disk is full"):
                self.folder(tmp_path).open(resume=True)
        self.folder(tmp_path).open(resume=True)

    def test_after_a_kill_between_release_and_report_the_report_gets_its_name_and_the_rest_goes(self, tmp_path):
        folder = self.finished(tmp_path)
        (folder.path / "waiting.json").write_text("report")
        folder.close(is_done=False)
        report = tmp_path / "report.json"
        self.folder(tmp_path).tidy({"waiting.json": report, "never.html": tmp_path / "page.html"})
        assert list(tmp_path.iterdir()) == [report]
        assert report.read_text() == "report"


def documents(home):
    installation = Installation.open(home, NOW)
    key = installation.public_key
    drawn = challenge.new_challenge(installation, NOW, random.Random(1)).document
    listed = revocation.issue(installation, (3, 70), NOW - timedelta(hours=1))
    return {
        "challenge": (drawn, challenge.parse_challenge),
        "scope": (example_scope(NOW).encode(), lambda data: parse_scope(data.decode("utf-8", "replace"))),
        "performer": (example_performer().encode(), parse_production),
        "status list": (listed, lambda data: revocation.read(data, key)),
        "receipt": (listed, lambda data: verify_receipt(data, key)),
    }


@pytest.mark.parametrize("kind", ["challenge", "scope", "performer", "status list", "receipt"])
def test_a_mutated_document_is_read_or_refused(tmp_path, kind):
    good, read = documents(tmp_path)[kind]
    rng, refused = random.Random(kind), 0
    for _ in range(300):
        try:
            read(mutated(good, rng))
        except BianlianError:
            refused += 1
    assert refused > 30


LOADING = """
import contextlib, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background has it ignored
class Interrupting:
    def find_spec(self, name, *_):
        if name == {module!r}:
            {what}
sys.meta_path.insert(0, Interrupting())
from bianlian.cli.start import main
main()
"""
CTRL_C = "os.kill(os.getpid(), signal.SIGINT)"
SWALLOWED = f"""
            with contextlib.suppress(KeyboardInterrupt):
                {CTRL_C}
            raise ImportError('broken')
"""
"""What compiled libraries do with an interrupt while they are being loaded."""


@pytest.mark.parametrize(
    ("module", "what", "command"),
    [
        ("bianlian.cli.main", CTRL_C, "--help"),
        ("click", CTRL_C, "--help"),
        ("bianlian.workflows.doctor", CTRL_C, "doctor"),
        ("bianlian.workflows.doctor", SWALLOWED, "doctor"),
    ],
)
def test_ctrl_c_while_the_program_loads_ends_in_order(module, what, command):
    program = LOADING.format(module=module, what=what)
    done = subprocess.run([sys.executable, "-c", program, command], capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    assert "stopped" in done.stderr
    assert "Traceback" not in done.stderr
