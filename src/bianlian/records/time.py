"""Time in footage: presentation stamps, never float seconds or frame rates (docs/conventions.md)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """A point in time of one stream: `pts` ticks of `time_base` seconds."""

    pts: int
    time_base: Fraction

    def __post_init__(self) -> None:
        if self.time_base <= 0:
            raise ValueError(f"time base must be positive, got {self.time_base}")

    @property
    def exact(self) -> Fraction:
        """Seconds as an exact fraction."""
        return self.pts * self.time_base

    @property
    def seconds(self) -> float:
        """Seconds for display and logs only."""
        return float(self.exact)
