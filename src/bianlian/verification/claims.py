"""What one technique says about a file: a line for people, and the facts that the policy decides by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bianlian.records.verdict import Finding, Outcome


class Consent(Enum):
    """Where a donor's consent stands now."""

    ACTIVE = "active"
    EXPIRED = "expired"
    """Its term is over; what was released within the term stays lawful."""
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentState:
    """The state of the consents that a job rests on; of several the worst."""

    consent: Consent
    since: str = ""
    """RFC 3339: when it was withdrawn or expired; empty where that is not known."""
    reason: str = ""
    """Why it is not known, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One technique's answer."""

    finding: Finding
    is_ours: bool = False
    """It is a mark of this program, whole or not."""
    job_id: str = ""
    """The job that it names, if it names one."""

    @property
    def outcome(self) -> Outcome:
        return self.finding.outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestClaim(Claim):
    """The manifest's answer: integrity is in the outcome, trust apart."""

    is_trusted: bool = False
    receipts_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataClaim(Claim):
    """The metadata label's answer."""

    receipts_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatermarkClaim(Claim):
    """The watermark's answer."""

    is_ample: bool = False
    """So much of a face was read, and so large, that an unharmed mark would have been found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """All that the techniques say about one file."""

    label: Claim
    metadata: MetadataClaim
    manifest: ManifestClaim
    watermark: WatermarkClaim
    fingerprint: Claim
    consents: tuple[tuple[str, ConsentState], ...]
    """(job id, state) of every job that any technique names."""

    @property
    def all(self) -> tuple[Claim, ...]:
        return self.label, self.metadata, self.manifest, self.watermark, self.fingerprint


def jobs_named(*claims: Claim) -> tuple[str, ...]:
    """The jobs that claims name, each once."""
    return tuple(dict.fromkeys(claim.job_id for claim in claims if claim.job_id))
