"""The metadata label of GB 45438-2025, Annex E: seven strings, exactly one label a file, read back by a reader of our own.

Form and places after Annex E and the practice guides TC260-PG-20257A (video) and 20259A (image); see docs/marks.md. mp4 and mov
carry it in `moov.udta.meta` under the key `AIGC`, images in XMP.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

KEY = "AIGC"
"""Name of the metadata entry; Annex E asks for a name that contains it."""
PRODUCER = "Bianlian"
"""Name of the provider. A code after the coding guide needs a registered company; a plain ASCII name is allowed."""
IS_SYNTHETIC = "1"
"""Label value: '1' is, '2' may be, '3' is suspected to be generated content."""
_FIELDS = (
    ("Label", "label"), ("ContentProducer", "producer"), ("ProduceID", "produce_id"), ("ReservedCode1", "reserved1"),
    ("ContentPropagator", "propagator"), ("PropagateID", "propagate_id"), ("ReservedCode2", "reserved2"),
)  # fmt: skip
_ALLOWED = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]*")
"""Annex E j: printable ASCII without space, quote and backslash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AigcLabel:
    """The label's seven strings."""

    label: str
    producer: str
    produce_id: str
    """The provider's number of this content: the job id."""
    reserved1: str
    """The producer's protection: here the SHA-256 of the donors' receipts, which the manifest names as well."""
    propagator: str
    propagate_id: str
    reserved2: str = ""

    def __post_init__(self) -> None:
        for name, attribute in _FIELDS:
            value: object = getattr(self, attribute)
            if not isinstance(value, str) or not _ALLOWED.fullmatch(value):
                raise ValueError(f"{name}: {value!r} holds characters that Annex E does not allow")

    def to_json(self) -> str:
        """The value as Annex E prescribes it, with the outer `AIGC` object."""
        inner = {name: getattr(self, attribute) for name, attribute in _FIELDS}
        return json.dumps({KEY: inner}, separators=(",", ":"))


def first_label(*, job_id: str, receipts_sha256: str) -> AigcLabel:
    """The label of a file that is written for the first time: propagator = producer (Annex E, note 1)."""
    return AigcLabel(
        label=IS_SYNTHETIC, producer=PRODUCER, produce_id=job_id, reserved1=receipts_sha256, propagator=PRODUCER,
        propagate_id=job_id,
    )  # fmt: skip


def parse_label(text: str) -> AigcLabel:
    """Read a label in any form seen in the wild: Annex E's wrapper, or the bare seven keys of the practice guides.

    Raises:
        ValueError: neither.
    """
    return label_of(json.loads(text))


def label_of(body: Any) -> AigcLabel:
    """The label in a JSON value, wrapped or bare.

    Raises:
        ValueError: there is none.
    """
    if isinstance(body, dict) and isinstance(body.get(KEY), dict):
        body = body[KEY]
    if not isinstance(body, dict) or "Label" not in body:
        raise ValueError("no AIGC label")
    return AigcLabel(**{attribute: body.get(name, "") for name, attribute in _FIELDS})


def tags(label: AigcLabel) -> dict[str, str]:
    """Container tags for the muxer of mp4 and mov."""
    return {KEY: label.to_json()}
