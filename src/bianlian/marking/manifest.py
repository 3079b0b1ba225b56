"""The signed manifest (C2PA 2.2, claim v2): what was done, from what, with whose consent by hash; no names, no pictures.

Signing and reading never use the network. The manifest is the last thing that is put into a file: any later change breaks it.
"""

from __future__ import annotations

import json
import mimetypes
import os
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from bianlian.errors import BianlianError, InstallationError, InternalError
from bianlian.marking.certificates import ManifestSigner
from bianlian.marking.metadata import AigcLabel, label_of
from bianlian.marking.mp4_boxes import xmp_appended
from bianlian.marking.reading import read_labels
from bianlian.marking.xmp import source_type_packet
from bianlian.records.donor import stamp
from bianlian.records.face import Box
from bianlian.records.frame import Size

NAMESPACE = "org.bianlian"
CONSENT = f"{NAMESPACE}.consent"
SOURCE_LABELS = f"{NAMESPACE}.source-labels"
WATERMARK_ALGORITHM = f"{NAMESPACE}.face-watermark.1"
"""Not in the C2PA list of soft bindings (32 entries in April 2026): described in docs/watermark.md."""
_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_SUFFIXES = {".m4v": "video/mp4", ".mov": "video/quicktime", ".webp": "image/webp"}


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


def seal(draft: Path, sealed: Path, facts: ManifestFacts, signer: ManifestSigner) -> None:
    """Write a copy of `draft` with its manifest to `sealed`; the name appears only when it is whole.

    A video also gets IPTC's source type as XMP, as an image has it already: the manifest covers both.

    Raises:
        InstallationError: the signer could not sign, or the disk is full.
        InternalError: the library refused. Either way the draft is as it was.
    """
    import c2pa  # noqa: PLC0415 - a 23 MB native library

    context = c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": False}}, **_OFFLINE})
    footage = _footage_ingredient(facts)
    is_readable = footage["format"] in c2pa.Reader.get_supported_mime_types()
    definition = _definition(facts, () if is_readable else (footage,))
    # The library truncates a file that is both source and target, and writes its target in place.
    part = sealed.with_name(f".part-{sealed.name}")
    part.unlink(missing_ok=True)
    sign = _Witness(signer)
    try:
        with (
            c2pa.Builder(json.dumps(definition), context) as builder,
            c2pa.Signer.from_callback(sign, c2pa.C2paSigningAlg.ES256, signer.chain_pem.decode()) as signing,
        ):
            if is_readable:  # then a manifest that it has goes along
                with facts.source.open("rb") as file:
                    builder.add_ingredient(json.dumps(footage), footage["format"], file)
            with nullcontext() if facts.is_image else xmp_appended(draft, source_type_packet(facts.source_type.value)):
                builder.sign_file(draft, part, signing)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(sealed)
    except c2pa.C2paError as error:
        if sign.failure:
            raise sign.failure from error
        if shutil.disk_usage(sealed.parent).free < draft.stat().st_size:  # the library says anything but this
            raise InstallationError(
                f"{sealed.name} could not be written: the disk is full.",
                advice="Free some space and run the command again; finished parts are kept.",
            ) from error
        raise InternalError(f"the manifest could not be signed: {error}") from error
    finally:
        part.unlink(missing_ok=True)


class _Witness:
    """Calls the signer and remembers why it failed: the library passes on no errors of callbacks."""

    def __init__(self, signer: ManifestSigner) -> None:
        self._signer = signer
        self.failure: BianlianError | None = None

    def __call__(self, message: bytes) -> bytes:
        try:
            return self._signer.sign(message)
        except BianlianError as error:
            self.failure = error
            raise


def read_manifest(path: Path, roots_pem: bytes) -> ManifestReading:
    """Read and validate a file's manifest.

    Args:
        roots_pem: certificates that are trusted; may be empty.
    """
    import c2pa  # noqa: PLC0415

    trust = {"trust": {"trust_anchors": roots_pem.decode()}} if roots_pem else {}
    context = c2pa.Context.from_dict({**_OFFLINE, **trust})
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


def mime_type(path: Path) -> str:
    """MIME type by suffix; the library wants one."""
    return _SUFFIXES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


_OFFLINE: dict[str, Any] = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}


def _definition(facts: ManifestFacts, by_hash: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {
        "claim_version": 2,
        "claim_generator_info": [{"name": "Bianlian", "version": facts.version}],
        "title": facts.job_id,
        "ingredients": [*by_hash, *(_donor_ingredient(n, consent) for n, consent in enumerate(facts.consents))],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": _actions(facts)}},
            {
                "label": "c2pa.soft-binding",
                "data": {"alg": WATERMARK_ALGORITHM, "blocks": [{"scope": {}, "value": facts.job_id}]},
            },
            {"label": "cawg.training-mining", "data": {"entries": {name: {"use": "notAllowed"} for name in _MINING}}},
            {"label": CONSENT, "data": _consent(facts)},
            *_source_labels(facts.source),
        ],
    }


def _source_labels(source: Path) -> tuple[dict[str, Any], ...]:
    """The metadata label that the footage came with: the file itself may carry one label only, and that is ours."""
    found = [json.loads(label.to_json()) for label in read_labels(source).labels]
    return ({"label": SOURCE_LABELS, "data": {"labels": found}},) if found else ()


_MINING = ("cawg.ai_inference", "cawg.ai_generative_training", "cawg.ai_training", "cawg.data_mining")


def _donor_ingredient(number: int, consent: ConsentFacts) -> dict[str, Any]:
    """The donor's face by hash alone: no thumbnail, no bytes, no name."""
    return {
        "title": f"donor appearance sha256:{consent.appearance_sha256}",
        "format": "application/octet-stream",
        "relationship": "inputTo",
        "label": f"face{number}",
        "instance_id": f"xmp:iid:{consent.appearance_sha256[:32]}",
    }


def _footage_ingredient(facts: ManifestFacts) -> dict[str, Any]:
    """The footage by hash; its own name may be a person's."""
    return {
        "title": f"footage sha256:{facts.source_sha256}",
        "format": mime_type(facts.source),
        "relationship": "parentOf",
        "label": "footage",
        "instance_id": f"xmp:iid:{facts.source_sha256[:32]}",
    }


def _actions(facts: ManifestFacts) -> list[dict[str, Any]]:
    when, agent = stamp(facts.when), {"name": "Bianlian", "version": facts.version}
    faces = [f"face{number}" for number in range(len(facts.consents))]
    edited = {
        "action": "c2pa.edited",
        "digitalSourceType": facts.source_type.value,
        "softwareAgent": agent,
        "when": when,
        "description": f"face replaced by a consenting donor's (engine {facts.engine})",
        "parameters": {"ingredientIds": faces, f"{NAMESPACE}.operation": "face_replacement"},
        "changes": [
            {"region": [_region(box, facts.size)], "description": "the replaced face"} for box in facts.regions
        ],
    }
    label = {"action": "c2pa.edited", "softwareAgent": agent, "when": when, "description": "visible label added"}
    actions = [
        {"action": "c2pa.opened", "when": when, "parameters": {"ingredientIds": ["footage"]}},
        edited,
        label,
        {"action": "c2pa.watermarked.bound", "softwareAgent": agent, "when": when},
    ]
    return (
        actions if facts.is_image else [*actions, {"action": "c2pa.transcoded", "softwareAgent": agent, "when": when}]
    )


def _region(box: Box, size: Size) -> dict[str, Any]:
    height, width = size
    return {
        "type": "spatial",
        "shape": {
            "type": "rectangle", "unit": "percent",
            "origin": {"x": _percent(box.left, width), "y": _percent(box.top, height)},
            "width": _percent(box.width, width), "height": _percent(box.height, height),
        },
    }  # fmt: skip


def _percent(value: float, whole: int) -> float:
    return round(100 * min(max(value / whole, 0.0), 1.0), 2)


def _consent(facts: ManifestFacts) -> dict[str, Any]:
    return {
        "job": facts.job_id,
        "receiptsSha256": facts.receipts_sha256,
        "receipts": [
            {
                "id": consent.receipt_id,
                "sha256": consent.receipt_sha256,
                "purpose": consent.purpose,
                "expires": stamp(consent.expires),
                "statusListIndex": consent.status_index,
            }
            for consent in facts.consents
        ],
    }


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
