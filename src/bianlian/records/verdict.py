"""What `verify` found: one line per technique, then one verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """The outcome for a whole file."""

    VALID = "valid"
    ALTERED = "altered"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"
    """No marks of ours: which proves nothing about the file."""


class Outcome(Enum):
    """The outcome of one check."""

    FOUND = "found"
    ABSENT = "absent"
    BROKEN = "broken"
    """There, but it does not fit the file."""
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One claim about a file and the technique that it rests on (EU Code of Practice, Commitment 2)."""

    check: str
    """label, metadata, manifest, watermark, fingerprint or consent."""
    outcome: Outcome
    technique: str
    sentence: str
    confidence: str
    """In words, with a number where one was computed; 'certain' only for cryptography."""
    details: tuple[tuple[str, str], ...] = ()
    """Facts as (name, value), for JSON and the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All findings for a file and what follows from them."""

    file: str
    state: State
    reason: str
    findings: tuple[Finding, ...]
