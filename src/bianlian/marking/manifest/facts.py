"""What goes into a manifest, and the names of our own assertions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from bianlian.records.face import Box
from bianlian.records.frame import Size

NAMESPACE = "org.bianlian"
CONSENT = f"{NAMESPACE}.consent"
SOURCE_LABELS = f"{NAMESPACE}.source-labels"
WATERMARK_ALGORITHM = f"{NAMESPACE}.face-watermark.1"
"""Not in the C2PA list of soft bindings (32 entries in April 2026): described in docs/watermark.md."""
_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


class SourceType(Enum):
    """IPTC digital source type; it follows the engine, never a constant."""

    TRAINED = _IPTC + "compositeWithTrainedAlgorithmicMedia"
    """A trained model makes the face's pixels: what every level of learning here does."""
    SYNTHETIC = _IPTC + "compositeSynthetic"
    CAPTURE = _IPTC + "compositeCapture"
    """A captured face was only warped and blended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFacts:
    """One donor's consent, by hash."""

    receipt_id: str
    receipt_sha256: str
    purpose: str
    expires: datetime
    status_index: int
    appearance_sha256: str
    """The donor's ingredient: what was learnt, by hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFacts:
    """Everything that goes into a manifest."""

    job_id: str
    receipts_sha256: str
    """SHA-256 over the receipts' hashes; the metadata label carries the same."""
    consents: tuple[ConsentFacts, ...]
    source: Path
    source_sha256: str
    regions: tuple[Box, ...]
    """Where faces were replaced over the whole file, in pixels."""
    size: Size
    source_type: SourceType
    engine: str
    """Level of learning."""
    version: str
    when: datetime
    is_image: bool
