"""The ledger notices every change, survives its writers, and can be checked without us."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from bianlian.donors import merkle
from bianlian.donors.installation import Installation
from bianlian.donors.ledger import Ledger
from bianlian.errors import ConsentRefused, InstallationError
from tests.unit.donors.house import NOW

CHECKER = Path(__file__).parents[3] / "tools" / "check_ledger.py"
WRITER = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from bianlian.donors.installation import Installation
from bianlian.donors.ledger import Ledger
home = Path(sys.argv[1])
now = datetime.now(UTC)
ledger = Ledger.open(home / "ledger.sqlite", Installation.open(home, now))
for number in range(int(sys.argv[2])):
    ledger.append("test", {"number": number}, datetime.now(UTC))
    print(number, flush=True)
"""


def make(home: Path, entries: int = 9) -> Ledger:
    ledger = reopen(home)
    for number in range(entries):
        ledger.append("test", {"number": number}, NOW + timedelta(seconds=number))
    return ledger


def reopen(home: Path) -> Ledger:
    return Ledger.open(home / "ledger.sqlite", Installation.open(home, NOW))


def checker(home: Path, *more: str) -> subprocess.CompletedProcess[str]:
    key = Installation.open(home, NOW).public_key.public_bytes_raw().hex()
    command = [sys.executable, str(CHECKER), str(home / "ledger.sqlite"), "--key", key, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def sql(statement: str, *values: object) -> Callable[[Path], None]:
    def change(home: Path) -> None:
        with closing(sqlite3.connect(home / "ledger.sqlite")) as database:
            database.execute(statement, values)
            database.commit()

    return change


def exchange(home: Path) -> None:
    with closing(sqlite3.connect(home / "ledger.sqlite")) as database:
        database.execute("UPDATE entries SET seq = 100 WHERE seq = 3")
        database.execute("UPDATE entries SET seq = 3 WHERE seq = 4")
        database.execute("UPDATE entries SET seq = 4 WHERE seq = 100")
        database.commit()


def truncate(home: Path) -> None:
    sql("DELETE FROM entries WHERE seq >= 6")(home)
    sql("DELETE FROM heads WHERE size > 6")(home)


def rewrite(home: Path) -> None:
    """Whoever can compute hashes but not sign: change an entry and mend the chain after it."""
    with closing(sqlite3.connect(home / "ledger.sqlite")) as database:
        rows = [json.loads(row[0]) for row in database.execute("SELECT entry FROM entries ORDER BY seq")]
        rows[4]["facts"]["number"] = 44
        for number, row in enumerate(rows):
            if number:
                before = json.dumps(rows[number - 1], sort_keys=True, separators=(",", ":")).encode()
                row["previous"] = merkle.leaf_hash(before).hex()
            content = json.dumps(row, sort_keys=True, separators=(",", ":")).encode()
            database.execute("UPDATE entries SET entry = ? WHERE seq = ?", (content, number))
        database.commit()


CHANGES: dict[str, Callable[[Path], None]] = {
    "edited": sql(
        "UPDATE entries SET entry = CAST(replace(entry, '\"number\":4', '\"number\":7') AS BLOB) WHERE seq = 4"
    ),
    "edited and chain mended": rewrite,
    "deleted": sql("DELETE FROM entries WHERE seq = 4"),
    "last deleted": sql("DELETE FROM entries WHERE seq = 8"),
    "exchanged": exchange,
    "truncated with its heads": truncate,
    "head deleted": sql("DELETE FROM heads WHERE size = 5"),
    "head edited": sql(
        "UPDATE heads SET head = CAST(replace(head, '\"size\":5', '\"size\":4') AS BLOB) WHERE size = 5"
    ),
    "head beside deleted": lambda home: (home / "ledger.head.json").unlink(),
    "head beside of another size": lambda home: (home / "ledger.head.json").write_bytes(b"{}") and None,
    "emptied": lambda home: [sql("DELETE FROM entries")(home), sql("DELETE FROM heads")(home)][0],
    "database not one": lambda home: (home / "ledger.sqlite").write_bytes(b"no database" * 500) and None,
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_noticed_here_and_by_the_checker(tmp_path: Path, name: str) -> None:
    make(tmp_path)
    assert checker(tmp_path).returncode == 0
    CHANGES[name](tmp_path)
    with pytest.raises(InstallationError, match="altered"):
        reopen(tmp_path)
    answer = checker(tmp_path)
    assert answer.returncode == 1
    assert "altered" in answer.stderr


def test_a_database_that_vanished_is_noticed(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "ledger.sqlite").unlink()
    with pytest.raises(InstallationError, match="gone"):
        reopen(tmp_path)


def test_another_installations_ledger_is_not_ours(tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b")
    for name in ("ledger.sqlite", "ledger.head.json"):
        shutil.copy(tmp_path / "a" / name, tmp_path / "b" / name)
    with pytest.raises(InstallationError, match="signature"):
        reopen(tmp_path / "b")


def test_a_head_kept_elsewhere_shows_that_the_whole_folder_was_set_back(tmp_path: Path) -> None:
    ledger = make(tmp_path)
    shutil.copytree(tmp_path, tmp_path / "old")
    ledger.append("test", {"number": 9}, NOW + timedelta(minutes=1))
    kept = tmp_path / "kept.json"
    kept.write_bytes(ledger.head().document)
    assert checker(tmp_path, "--head", str(kept)).returncode == 0
    assert checker(tmp_path / "old", "--head", str(kept)).returncode == 1


def test_proofs_hold_and_only_where_they_belong(tmp_path: Path) -> None:
    ledger = make(tmp_path)
    leaves = [merkle.leaf_hash(entry.content) for entry in ledger.entries()]
    for seq in range(9):
        head, proof = ledger.inclusion(seq)
        root = bytes.fromhex(head.root)
        assert merkle.proves_inclusion(proof, leaves[seq], seq, head.size, root)
        assert not merkle.proves_inclusion(proof, leaves[seq], (seq + 1) % 9, head.size, root)
        assert not merkle.proves_inclusion([*proof, root], leaves[seq], seq, head.size, root)
    for size in range(1, 10):
        head, proof = ledger.consistency(size)
        old, new = (size, merkle.root(leaves[:size])), (head.size, bytes.fromhex(head.root))
        assert merkle.proves_consistency(proof, old, new)
        assert not merkle.proves_consistency(proof, (size, leaves[0][::-1]), new)


def test_a_donors_export_is_checked_against_the_ledger(tmp_path: Path) -> None:
    ledger = make(tmp_path)
    head, proof = ledger.inclusion(4)
    line = {
        "entry": json.loads(list(ledger.entries())[4].content),
        "head": json.loads(head.document),
        "inclusion": [step.hex() for step in proof],
    }
    export = tmp_path / "lines.json"
    export.write_text(json.dumps([line]))
    assert checker(tmp_path, "--proof", str(export)).returncode == 0
    line["entry"]["facts"]["number"] = 5
    export.write_text(json.dumps([line]))
    assert checker(tmp_path, "--proof", str(export)).returncode == 1


def test_many_writers_at_once_leave_one_whole_chain(tmp_path: Path) -> None:
    make(tmp_path, 1)
    ledgers = [reopen(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: ledgers[i % 4].append("test", {"number": i}, NOW + timedelta(hours=1)), range(24)))
    assert reopen(tmp_path).check() == 25


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a POSIX signal")
def test_a_kill_in_mid_write_leaves_it_whole(tmp_path: Path) -> None:
    """Two processes write; one is killed at several moments. What it said was written, is there."""
    Installation.open(tmp_path, NOW)
    for count in (1, 4, 9):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), "100000"], stdout=subprocess.PIPE, text=True
        ) as victim:
            assert victim.stdout is not None
            for _ in range(count):
                assert victim.stdout.readline().strip().isdigit()
            victim.send_signal(signal.SIGKILL)
        ledger = reopen(tmp_path)
        size = ledger.check()
        assert size >= count
        ledger.append("test", {"after": True}, next(reversed(list(ledger.entries()))).at)
        assert reopen(tmp_path).check() == size + 1
    assert checker(tmp_path).returncode == 0


def test_an_error_while_the_ledger_is_held_writes_nothing(tmp_path: Path) -> None:
    ledger = make(tmp_path)

    def interrupted() -> None:
        with ledger.exclusive(NOW + timedelta(hours=1)) as writer:
            writer.append("test", {})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert ledger.check() == 9


def test_facts_are_short(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="short"):
        make(tmp_path).append("test", {"prose": "x" * 201}, NOW)


def test_time_in_the_ledger_never_goes_back(tmp_path: Path) -> None:
    ledger = make(tmp_path)
    entry = ledger.append("test", {}, NOW - timedelta(days=1))
    assert entry.at == NOW + timedelta(seconds=8)
    assert "clock" in entry.facts
    with pytest.raises(ConsentRefused, match="clock"):
        ledger.refuse_old_clock(NOW - timedelta(days=1))
    ledger.refuse_old_clock(NOW + timedelta(seconds=7))  # what network time may correct
