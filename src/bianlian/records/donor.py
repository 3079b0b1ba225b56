"""What stages tell one another about donors: the use that is asked for, what a capture covers, what was made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bianlian.records.time import Instant


def stamp(moment: datetime) -> str:
    """A moment as RFC 3339 in UTC with milliseconds, e.g. 2026-11-22T19:00:00.000Z.

    Raises:
        ValueError: the moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The inverse of `stamp`.

    Raises:
        ValueError: not a time with a zone.
    """
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"{text}: a time needs a zone")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What somebody wants to do with a donor's face: one person, in one file, in one job."""

    job_id: str
    source_sha256: str
    person: int
    """1-based number of the person who is replaced."""
    purpose: str
    """One of `donors.scope.PURPOSES`."""
    project: str
    publication: str
    """One of `donors.scope.PUBLICATIONS`: how far the result will be shown."""
    regions: tuple[str, ...]
    """ISO 3166-1 alpha-2 codes, "EU", or "worldwide"."""
    contains: tuple[str, ...] = ()
    """What the footage shows or serves that a donor may have forbidden, e.g. "violence"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSignal:
    """What one frame's luma says about liveness."""

    index: int
    instant: Instant
    mean_abs_difference: float
    """Mean absolute luma difference to the frame before, in 8-bit steps; 0 exactly for a repeated frame."""
    luma_mean: float
    """0..255, mean over the middle half of the picture, where the face is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActSeen:
    """An act found in a capture; times in seconds from its first frame."""

    act: str
    start: float
    end: float
    peak: float
    """How far it went, 1.0 = just enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What a capture shows of a donor, for learning. Angles in radians, signs as in `records.face.Pose`."""

    yaw: tuple[float, float]
    pitch: tuple[float, float]
    expressions: tuple[str, ...]
    """Names of the blendshapes that moved well."""
    missing: tuple[str, ...]
    """Sentences: what to add for a better likeness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRecord:
    """A file that was made with a donor's face, as the registry of outputs keeps it."""

    job_id: str
    donor_id: str
    created: datetime
    sha256: str
    md5: str
    pdq: tuple[tuple[float, str, int], ...]
    """Perceptual hashes: (second in the file, 64 hex digits, quality 0..100); one for an image."""
    is_image: bool
