"""Reads metadata labels back from finished files, with readers that share nothing with the writers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from bianlian.marking.metadata import KEY, AigcLabel, parse_label
from bianlian.marking.mp4_boxes import BadBoxes, is_iso_media, keyed_metadata
from bianlian.marking.xmp import label_texts


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReading:
    """All metadata labels of a file; a proper file has at most one."""

    labels: tuple[AigcLabel, ...]
    malformed: tuple[str, ...]
    """Entries that claim to be a label and are none, in short."""


def read_labels(path: Path) -> LabelReading:
    """Labels of an mp4, mov, PNG, JPEG or WebP file; other files have none that this reader knows.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        texts = _in_boxes(path) if is_iso_media(path) else _in_image(path)
    except BadBoxes as error:
        return LabelReading(labels=(), malformed=(str(error),))
    labels: list[AigcLabel] = []
    malformed: list[str] = []
    for text in texts:
        try:
            labels.append(parse_label(text))
        except (ValueError, TypeError):
            malformed.append(text[:80])
    return LabelReading(labels=tuple(labels), malformed=tuple(malformed))


def _in_boxes(path: Path) -> tuple[str, ...]:
    return tuple(value for key, value in keyed_metadata(path) if KEY in key.upper())


def xmp_of(path: Path) -> bytes:
    """The XMP packet of a PNG, JPEG or WebP file; empty when it has none."""
    return _xmp(_image_info(path))


def _in_image(path: Path) -> tuple[str, ...]:
    """XMP of all three kinds, and the PNG text entry that some tools write."""
    info = _image_info(path)
    texts, entry = label_texts(_xmp(info)), info.get(KEY)
    return (*texts, entry if isinstance(entry, str) else json.dumps(entry)) if entry else texts


def _image_info(path: Path) -> dict[Any, Any]:
    try:
        with Image.open(path) as image:
            return dict(image.info)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return {}


def _xmp(info: dict[Any, Any]) -> bytes:
    packet = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    return packet.encode() if isinstance(packet, str) else bytes(packet)
