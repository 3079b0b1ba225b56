"""The facts of a file as C2PA's definition of a claim: ingredients, actions, assertions."""

from __future__ import annotations

import json
import mimetypes
from pathlib import Path
from typing import Any

from bianlian.marking.manifest.facts import (
    CONSENT,
    NAMESPACE,
    SOURCE_LABELS,
    WATERMARK_ALGORITHM,
    ConsentFacts,
    ManifestFacts,
)
from bianlian.marking.reading import read_labels
from bianlian.records.donor import stamp
from bianlian.records.face import Box
from bianlian.records.frame import Size

SETTINGS: dict[str, Any] = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "core": {"backing_store_memory_threshold_in_mb": 16, "merkle_tree_chunk_size_in_kb": 8192},
}
"""Of the library: neither signing nor reading uses the network, and neither holds a whole file in memory. Media are hashed in
chunks (a Merkle tree in the manifest); as one piece, signing a file of 430 MB took 840 MB of memory."""
_SUFFIXES = {".m4v": "video/mp4", ".mov": "video/quicktime", ".webp": "image/webp"}
_MINING = ("cawg.ai_inference", "cawg.ai_generative_training", "cawg.ai_training", "cawg.data_mining")
"""Uses of the result that are not allowed."""


def definition(facts: ManifestFacts, by_hash: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """The claim's definition; `by_hash` are ingredients that the library cannot read for itself."""
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


def _donor_ingredient(number: int, consent: ConsentFacts) -> dict[str, Any]:
    """The donor's face by hash alone: no thumbnail, no bytes, no name."""
    return {
        "title": f"donor appearance sha256:{consent.appearance_sha256}",
        "format": "application/octet-stream",
        "relationship": "inputTo",
        "label": f"face{number}",
        "instance_id": f"xmp:iid:{consent.appearance_sha256[:32]}",
    }


def footage_ingredient(facts: ManifestFacts) -> dict[str, Any]:
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


def mime_type(path: Path) -> str:
    """MIME type by suffix; the library wants one."""
    return _SUFFIXES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
