"""The ledger: append-only, hash-chained, with a Merkle tree (RFC 6962) and a signed head after every entry.

An entry is RFC 8785 JSON `{"at", "facts", "kind", "previous", "seq"}`; `previous` is the leaf hash of the entry before. Facts
are ids, digests, codes and counts; no names, no faces, no paths. The newest signed head also lies beside the database,
so that cutting entries off its end is noticed. `tools/check_ledger.py` checks all this without this package.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import rfc8785

from bianlian.donors import merkle
from bianlian.donors.entries import Entry, Fact, Head, altered, entries_of, newest, parsed, unusable
from bianlian.donors.files import write_whole
from bianlian.donors.installation import Installation
from bianlian.errors import ConsentRefused, InstallationError
from bianlian.records.donor import stamp

CLOCK_TOLERANCE = timedelta(seconds=5)
"""How far time may step back between entries: network time corrects a laptop's clock by less."""
_LONGEST_FACT = 200
"""Characters: room for digests and codes, none for prose or pictures."""
_WAIT_S = 30.0
"""How long a writer waits for another one."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (seq INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS heads (size INTEGER PRIMARY KEY, peaks TEXT NOT NULL, head BLOB NOT NULL) STRICT;
"""


class Ledger:
    """The ledger of one installation. Many threads and processes may write; a writer holds the database for one entry."""

    def __init__(self, path: Path, signer: Installation) -> None:
        self._path, self._signer = path, signer
        self._head_path = path.with_suffix(".head.json")

    @classmethod
    def open(cls, path: Path, signer: Installation) -> Ledger:
        """Open or create, and check the whole.

        Raises:
            InstallationError: the ledger was altered, or is not this installation's.
        """
        ledger = cls(path, signer)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = not path.exists() and not ledger._head_path.exists()
        if not path.exists() and not fresh:
            raise altered("the database is gone, but its signed head is still there")
        try:
            with closing(ledger._connect()) as database:
                database.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            raise unusable(error) from error
        except sqlite3.DatabaseError as error:
            raise altered(str(error)) from error
        if not fresh:
            ledger.check()
        return ledger

    def append(self, kind: str, facts: Mapping[str, Fact], now: datetime) -> Entry:
        """Add an entry, durably, and sign the new head.

        A clock that went back does not: the entry gets the time of the last one and the fact `clock`, so that even the
        refusal that follows can be recorded.

        Raises:
            ValueError: a fact is too long or of a wrong type.
            InstallationError: the ledger was altered, or another process has held it for too long.
        """
        with self.exclusive(now) as writer:
            return writer.append(kind, facts)

    @contextmanager
    def exclusive(self, now: datetime) -> Generator[LedgerWriter]:
        """Hold the ledger alone: read, decide and append with nobody between. Leaving with an error appends nothing."""
        with closing(self._connect()) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
                yield LedgerWriter(database, self._signer, now)
                database.execute("COMMIT")
            except sqlite3.OperationalError as error:
                raise unusable(error) from error
            finally:
                if database.in_transaction:
                    database.execute("ROLLBACK")
            # The head beside the database only ever moves forward: it is written while no other writer can be at work.
            database.execute("BEGIN IMMEDIATE")
            try:
                row = database.execute("SELECT head FROM heads ORDER BY size DESC LIMIT 1").fetchone()
                if row is not None:
                    write_whole(self._head_path, row[0])
            except OSError as error:
                raise unusable(error) from error
            finally:
                database.execute("ROLLBACK")

    def entries(self, kind: str = "") -> Iterator[Entry]:
        """All entries in order, or those of one kind."""
        with closing(self._connect()) as database:
            yield from entries_of(database, kind)

    def head(self) -> Head:
        """The newest signed head.

        Raises:
            InstallationError: nothing was written yet.
        """
        with closing(self._connect()) as database:
            row = database.execute("SELECT head FROM heads ORDER BY size DESC LIMIT 1").fetchone()
        if row is None:
            raise InstallationError("The ledger is empty, so it has no head.")
        return self._read_head(row[0])

    def check(self) -> int:
        """Check every entry, the chain, the tree and both heads; return the number of entries.

        Raises:
            InstallationError: with the first thing that does not fit.
        """
        # Before the entries: the head beside them only ever lags behind a writer who is at work now.
        beside = self._beside()
        with closing(self._connect()) as database:
            database.execute("BEGIN")
            try:
                entries = list(entries_of(database))
                heads = database.execute("SELECT size, head FROM heads ORDER BY size").fetchall()
            except (sqlite3.DatabaseError, ValueError, KeyError, TypeError) as error:
                raise altered(str(error)) from error
        previous, found, roots = "", list[bytes](), list[str]()
        for number, entry in enumerate(entries):
            if (
                entry.seq != number
                or entry.previous != previous
                or rfc8785.dumps(json.loads(entry.content)) != entry.content
            ):
                raise altered(f"entry {number} does not follow from the one before")
            if number and entry.at < entries[number - 1].at:
                raise altered(f"entry {number} is older than the one before")
            leaf = merkle.leaf_hash(entry.content)
            found = merkle.push(found, number, leaf)
            previous = leaf.hex()
            roots.append(merkle.fold(found).hex())
        if [size for size, _ in heads] != list(range(1, len(entries) + 1)):
            raise altered("signed heads are missing")
        documents = [document for _, document in heads]
        if entries and not beside:
            raise altered(f"the signed head {self._head_path.name} is gone")
        if beside:
            documents.append(beside)
        for document in documents:
            head = self._read_head(document)
            if not 0 < head.size <= len(entries) or roots[head.size - 1] != head.root:
                raise altered(f"the signed head over {head.size} entries does not fit")
        return len(entries)

    def inclusion(self, seq: int) -> tuple[Head, list[bytes]]:
        """The newest head and the proof that entry `seq` is under it."""
        leaves = [merkle.leaf_hash(entry.content) for entry in self.entries()]
        return self.head(), merkle.inclusion_proof(leaves, seq)

    def consistency(self, size: int) -> tuple[Head, list[bytes]]:
        """The newest head and the proof that it grew from the ledger's first `size` entries."""
        leaves = [merkle.leaf_hash(entry.content) for entry in self.entries()]
        return self.head(), merkle.consistency_proof(leaves, size)

    def refuse_old_clock(self, now: datetime) -> None:
        """Refuse when the clock stands before the newest entry.

        Raises:
            ConsentRefused: code clock-set-back.
        """
        last = None
        with closing(self._connect()) as database:
            last = newest(database)
        if last is not None and now < last.at - CLOCK_TOLERANCE:
            raise ConsentRefused(
                f"This machine's clock says {stamp(now)}, but the ledger was already written at {stamp(last.at)}.",
                code="clock-set-back",
                advice="Set the clock right. Terms of consent cannot be checked against a clock that runs backwards.",
            )

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None)
        database.execute("PRAGMA synchronous = FULL")
        return database

    def _beside(self) -> bytes:
        """The head beside the database; empty if there is none. A first entry whose writer was killed gets its head now:
        whoever could forge that case could as well remove the whole ledger."""
        try:
            return self._head_path.read_bytes()
        except FileNotFoundError:
            with closing(self._connect()) as database:
                database.execute("BEGIN IMMEDIATE")
                heads = database.execute("SELECT head FROM heads").fetchall()
                if len(heads) == 1:
                    write_whole(self._head_path, heads[0][0])
                database.execute("ROLLBACK")
            return heads[0][0] if len(heads) == 1 else b""

    def _read_head(self, document: bytes) -> Head:
        try:
            body: dict[str, Any] = json.loads(document)
            signature = bytes.fromhex(body.pop("signature"))
            head = Head(size=body["size"], root=body["root"], document=document)
            canonical = rfc8785.dumps({**body, "signature": signature.hex()})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise altered("a signed head cannot be read") from error
        if canonical != document or not self._signer.has_signed("ledger-head", rfc8785.dumps(body), signature):
            raise altered(f"the signed head over {head.size} entries carries a wrong signature")
        return head


class LedgerWriter:
    """The ledger while one writer holds it (see `Ledger.exclusive`)."""

    def __init__(self, database: sqlite3.Connection, signer: Installation, now: datetime) -> None:
        self._database, self._signer, self._now = database, signer, now

    def entries(self, kind: str = "") -> Iterator[Entry]:
        """As `Ledger.entries`, and nobody can add to them meanwhile."""
        return entries_of(self._database, kind)

    def append(self, kind: str, facts: Mapping[str, Fact]) -> Entry:
        """Add an entry and its signed head to the transaction."""
        for name, value in facts.items():
            if not isinstance(value, str | int) or len(str(value)) > _LONGEST_FACT:
                raise ValueError(f"fact {name}: a ledger takes short strings and numbers")
        last = newest(self._database)
        if last is not None and self._now < last.at - CLOCK_TOLERANCE:
            facts = {**facts, "clock": stamp(self._now)}
        at = self._now if last is None else max(self._now, last.at)
        seq, previous, found = 0, "", list[bytes]()
        if last is not None:
            seq, previous = last.seq + 1, merkle.leaf_hash(last.content).hex()
            row = self._database.execute("SELECT peaks FROM heads WHERE size = ?", (seq,)).fetchone()
            if row is None:
                raise altered("the last signed head is missing")
            found = [bytes.fromhex(peak) for peak in json.loads(row[0])]
        content = rfc8785.dumps({"at": stamp(at), "facts": dict(facts), "kind": kind, "previous": previous, "seq": seq})
        found = merkle.push(found, seq, merkle.leaf_hash(content))
        head = self._sign_head(seq + 1, merkle.fold(found), at)
        self._database.execute("INSERT INTO entries VALUES (?, ?)", (seq, content))
        peaks = json.dumps([peak.hex() for peak in found])
        self._database.execute("INSERT INTO heads VALUES (?, ?, ?)", (seq + 1, peaks, head))
        return parsed(seq, content)

    def _sign_head(self, size: int, root: bytes, at: datetime) -> bytes:
        body = {"at": stamp(at), "installation": self._signer.id, "root": root.hex(), "size": size}
        signature = self._signer.sign("ledger-head", rfc8785.dumps(body))
        return rfc8785.dumps({**body, "signature": signature.hex()})
