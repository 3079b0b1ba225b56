"""Reading and validating a file's manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from bianlian.marking.manifest.claim import SETTINGS, mime_type
from bianlian.marking.manifest.facts import CONSENT, SOURCE_LABELS, WATERMARK_ALGORITHM
from bianlian.marking.metadata import AigcLabel, label_of


class ManifestState(Enum):
    """Whether a manifest is there and fits its file."""

    ABSENT = "absent"
    BROKEN = "broken"
    VALID = "valid"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestReading:
    """What a manifest says; empty strings where it says nothing."""

    state: ManifestState
    is_trusted: bool
    """The signature's chain ends at a root that was given."""
    failures: tuple[str, ...]
    job_id: str = ""
    receipts_sha256: str = ""
    receipt_ids: tuple[str, ...] = ()
    watermark_id: str = ""
    source_type: str = ""
    source_labels: tuple[AigcLabel, ...] = ()
    """Metadata labels that the footage came with."""
    signed_by: str = ""
    signed_at: str = ""


def read_manifest(path: Path, roots_pem: bytes) -> ManifestReading:
    """Read and validate a file's manifest.

    Args:
        roots_pem: certificates that are trusted; may be empty.
    """
    import c2pa  # noqa: PLC0415

    trust = {"trust": {"trust_anchors": roots_pem.decode()}} if roots_pem else {}
    context = c2pa.Context.from_dict({**SETTINGS, **trust})
    try:
        with path.open("rb") as file:
            reader = c2pa.Reader.try_create(mime_type(path), file, context=context)
            if reader is None:
                return ManifestReading(state=ManifestState.ABSENT, is_trusted=False, failures=())
            with reader:
                return _reading(reader)
    except c2pa.C2paError as error:
        text = str(error)
        absent = "ManifestNotFound" in text or "NotSupported" in text or "UnsupportedType" in text
        state = ManifestState.ABSENT if absent else ManifestState.BROKEN
        return ManifestReading(state=state, is_trusted=False, failures=() if absent else (text[:200],))
    except (LookupError, AttributeError, TypeError, ValueError) as error:  # odd assertions, or none
        return ManifestReading(state=ManifestState.BROKEN, is_trusted=False, failures=(str(error)[:200],))


def _reading(reader: Any) -> ManifestReading:
    state = reader.get_validation_state()
    results: dict[str, Any] = reader.get_validation_results() or {}
    manifest: dict[str, Any] = reader.get_active_manifest() or {}
    assertions = {entry["label"]: entry.get("data", {}) for entry in manifest.get("assertions", [])}
    consent = assertions.get(CONSENT, {})
    signature = manifest.get("signature_info", {})
    failures = tuple(str(one.get("code", "")) for one in results.get("activeManifest", {}).get("failure", []))
    untrusted = "signingCredential.untrusted"
    broken = tuple(code for code in failures if code != untrusted)
    return ManifestReading(
        state=ManifestState.BROKEN if broken or state == "Invalid" else ManifestState.VALID,
        is_trusted=state == "Trusted",
        failures=broken,
        job_id=str(consent.get("job", "")),
        receipts_sha256=str(consent.get("receiptsSha256", "")),
        receipt_ids=tuple(str(receipt.get("id", "")) for receipt in consent.get("receipts", [])),
        watermark_id=_watermark_of(assertions.get("c2pa.soft-binding", {})),
        source_type=_source_type_of(assertions),
        source_labels=_labels_of(assertions.get(SOURCE_LABELS, {})),
        signed_by=str(signature.get("common_name") or signature.get("issuer") or ""),
        signed_at=str(signature.get("time") or _when_of(assertions)),
    )


def _labels_of(assertion: dict[str, Any]) -> tuple[AigcLabel, ...]:
    try:
        return tuple(map(label_of, assertion.get("labels", ())))
    except (ValueError, TypeError):  # another program's assertion under our name
        return ()


def _watermark_of(binding: dict[str, Any]) -> str:
    blocks: Sequence[dict[str, Any]] = binding.get("blocks") or ()
    return str(blocks[0].get("value", "")) if blocks and binding.get("alg") == WATERMARK_ALGORITHM else ""


def _edits(assertions: dict[str, Any]) -> list[dict[str, Any]]:
    actions = (assertions.get("c2pa.actions.v2") or {}).get("actions", [])
    return [action for action in actions if action.get("action") == "c2pa.edited"]


def _source_type_of(assertions: dict[str, Any]) -> str:
    return next((str(edit["digitalSourceType"]) for edit in _edits(assertions) if "digitalSourceType" in edit), "")


def _when_of(assertions: dict[str, Any]) -> str:
    return next((str(edit["when"]) for edit in _edits(assertions) if "when" in edit), "")
