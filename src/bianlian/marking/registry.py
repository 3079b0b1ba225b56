"""The registry of issued outputs: which job ids the watermark may hold, and the fingerprints of what was released.

One SQLite file. It knows ids, digests and perceptual hashes: no names, no faces, no paths. A job is issued before its
first frame is marked, so that the finished draft can be read back; its output is added on release.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bianlian.errors import InstallationError
from bianlian.marking.fingerprint import Likeness, Print, likeness
from bianlian.records.donor import stamp

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (job_id TEXT PRIMARY KEY, key_id TEXT NOT NULL, created TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS outputs (
    sha256 TEXT PRIMARY KEY, job_id TEXT NOT NULL REFERENCES jobs, md5 TEXT NOT NULL, created TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS prints (
    sha256 TEXT NOT NULL REFERENCES outputs, second REAL NOT NULL, pdq TEXT NOT NULL, quality INTEGER NOT NULL,
    PRIMARY KEY (sha256, second)) STRICT;
"""
_WAIT_S = 30.0
"""How long a writer waits for another one."""
MATCH_SHARE = 0.8
"""Share of near hashes, of the query or of the known output, from which they count as copies (vPDQ's query default)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedOutput:
    """A released file."""

    job_id: str
    sha256: str
    md5: str
    created: str
    """RFC 3339, UTC."""
    prints: tuple[Print, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMatch:
    """The released output whose fingerprint is nearest to a file's. `job_id` is empty when none is near."""

    job_id: str
    sha256: str
    likeness: Likeness

    @property
    def is_found(self) -> bool:
        return bool(self.job_id)


class OutputRegistry:
    """The issued jobs and released outputs of one installation; many processes may use the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def open(cls, path: Path) -> OutputRegistry:
        """Open, or create readable by the owner alone.

        Raises:
            InstallationError: the file is not a registry.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        registry = cls(path)
        with registry._database() as database:
            database.executescript(_SCHEMA)
        path.chmod(0o600)
        return registry

    def issue(self, job_id: str, *, key_id: str, now: datetime) -> None:
        """Enter a job before its first frame is marked; `key_id` is the code book's. Entering it again changes nothing."""
        with self._database() as database:
            database.execute("INSERT OR IGNORE INTO jobs VALUES (?, ?, ?)", (job_id, key_id, stamp(now)))

    def release(self, job_id: str, *, sha256: str, md5: str, prints: Sequence[Print], now: datetime) -> None:
        """Add a released file of an issued job.

        Raises:
            InstallationError: the job was never issued.
        """
        with self._database() as database:
            if not database.execute("SELECT 1 FROM jobs WHERE job_id = ?", (job_id,)).fetchone():
                raise InstallationError(f"job {job_id} was never issued", advice="issue it before marking its frames")
            database.execute("INSERT OR IGNORE INTO outputs VALUES (?, ?, ?, ?)", (sha256, job_id, md5, stamp(now)))
            database.executemany(
                "INSERT OR IGNORE INTO prints VALUES (?, ?, ?, ?)",
                [(sha256, one.second, one.pdq, one.quality) for one in prints],
            )

    def job_ids(self, *, key_id: str) -> tuple[str, ...]:
        """The jobs whose words were made with this key, oldest first: what a `WatermarkReader` matches against."""
        with self._database() as database:
            found = database.execute("SELECT job_id FROM jobs WHERE key_id = ? ORDER BY created, job_id", (key_id,))
            return tuple(row[0] for row in found)

    def outputs(self) -> Iterator[IssuedOutput]:
        """The released files, oldest first."""
        with self._database() as database:
            found = database.execute("SELECT job_id, sha256, md5, created FROM outputs ORDER BY created, sha256")
            for job_id, sha256, md5, created in found.fetchall():
                rows = database.execute(
                    "SELECT second, pdq, quality FROM prints WHERE sha256 = ? ORDER BY second", (sha256,)
                )
                prints = tuple(Print(second=s, pdq=p, mirrored="", quality=q) for s, p, q in rows)
                yield IssuedOutput(job_id=job_id, sha256=sha256, md5=md5, created=created, prints=prints)

    def nearest(self, prints: Sequence[Print]) -> NearMatch:
        """The output nearest to a file's fingerprint."""
        return nearest(prints, self.outputs())

    def public_bundle(self) -> str:
        """The released outputs as JSON lines, without any secret: for `verify` on other machines."""
        lines = [
            {
                "job_id": one.job_id, "sha256": one.sha256, "md5": one.md5, "created": one.created,
                "prints": [[p.second, p.pdq, p.quality] for p in one.prints],
            }
            for one in self.outputs()
        ]  # fmt: skip
        return "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)

    @contextmanager
    def _database(self) -> Generator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=_WAIT_S)) as database, database:
                yield database
        except sqlite3.DatabaseError as error:
            advice = "restore it from a backup; without it, old outputs cannot be traced by their watermark"
            raise InstallationError(f"registry of outputs: {error}", advice=advice) from error


def outputs_from_bundle(text: str) -> tuple[IssuedOutput, ...]:
    """Read what `OutputRegistry.public_bundle` wrote.

    Raises:
        ValueError: not such a bundle.
    """
    try:
        return tuple(
            IssuedOutput(
                job_id=one["job_id"], sha256=one["sha256"], md5=one["md5"], created=one["created"],
                prints=tuple(Print(second=s, pdq=p, mirrored="", quality=q) for s, p, q in one["prints"]),
            )
            for one in map(json.loads, text.splitlines())
        )  # fmt: skip
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a bundle of outputs: {error!r}") from error


def nearest(prints: Sequence[Print], outputs: Iterable[IssuedOutput]) -> NearMatch:
    """The output nearest to a file's fingerprint, if one is near enough."""
    best = NearMatch(job_id="", sha256="", likeness=likeness(prints, ()))
    for output in outputs:
        found = likeness(prints, output.prints)
        share = max(found.query_share, found.known_share)
        if share >= MATCH_SHARE and found.distance < best.likeness.distance:
            best = NearMatch(job_id=output.job_id, sha256=output.sha256, likeness=found)
    return best
