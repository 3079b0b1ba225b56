"""The lines of the ledger, and reading them from its database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bianlian.errors import InstallationError
from bianlian.records.donor import moment

Fact = str | int | bool
"""What an entry may hold: ids, digests, codes and counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger."""

    seq: int
    """0-based."""
    at: datetime
    kind: str
    facts: Mapping[str, Fact]
    previous: str
    content: bytes
    """The exact bytes that are hashed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A signed tree head: the whole ledger in one line, to keep elsewhere."""

    size: int
    root: str
    document: bytes
    """Canonical JSON {"at", "installation", "root", "signature", "size"}."""


def entries_of(database: sqlite3.Connection, kind: str = "") -> Iterator[Entry]:
    """All entries in order, or those of one kind."""
    for seq, content in database.execute("SELECT seq, entry FROM entries ORDER BY seq"):
        entry = parsed(seq, content)
        if not kind or entry.kind == kind:
            yield entry


def newest(database: sqlite3.Connection) -> Entry | None:
    """The last entry; None while there is none."""
    row = database.execute("SELECT seq, entry FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
    return None if row is None else parsed(*row)


def parsed(seq: int, content: bytes) -> Entry:
    """An entry from its bytes.

    Raises:
        ValueError, KeyError, TypeError: it is none, or not this one.
    """
    body: dict[str, Any] = json.loads(content)
    if body["seq"] != seq:
        raise ValueError(f"entry {seq} is numbered {body['seq']}")
    return Entry(
        seq=seq,
        at=moment(body["at"]),
        kind=body["kind"],
        facts=body["facts"],
        previous=body["previous"],
        content=content,
    )


def unusable(error: sqlite3.OperationalError | OSError) -> InstallationError:
    """What to raise when the database cannot be used."""
    return InstallationError(
        f"The ledger cannot be written: {error}.",
        advice="See that the disk is not full, that the data folder is yours to write, and that no other job hangs.",
    )


def altered(what: str) -> InstallationError:
    """What to raise when entries, chain or heads do not fit."""
    return InstallationError(
        f"The ledger has been altered: {what}.",
        advice="Nothing is swapped on an altered ledger. Restore it from your backup and ask who had access.",
    )
