"""Progress is a stream of records given to a reporter that the caller passes in; the library never prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a stage is; `total` 0 means unknown."""

    stage: str
    done: int
    total: int
    unit: str = "frames"


class Reporter(Protocol):
    """Whoever listens: the CLI draws, the library's user may ignore."""

    def progress(self, progress: Progress) -> None: ...

    def say(self, sentence: str) -> None:
        """A sentence that a person should read: a dropped stream, a fade, a reason."""
        ...


class Silent:
    """A reporter for callers that do not listen."""

    def progress(self, progress: Progress) -> None:
        del progress

    def say(self, sentence: str) -> None:
        del sentence
