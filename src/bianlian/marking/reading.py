"""Reads metadata labels back from finished files, with readers that share nothing with the writers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from bianlian.marking.matroska import BadElements, is_matroska, tags_named
from bianlian.marking.metadata import KEY, AigcLabel, parse_label
from bianlian.marking.mp4_boxes import BadBoxes, is_iso_media, keyed_metadata, xmp_packets
from bianlian.marking.xmp import label_texts

_COMMENT = "exif user comment"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReading:
    """All metadata labels of a file; a proper file has at most one."""

    labels: tuple[AigcLabel, ...]
    malformed: tuple[str, ...]
    """Entries that claim to be a label and are none, in short."""


def read_labels(path: Path) -> LabelReading:
    """Labels of an mp4, mov, Matroska, WebM, PNG, JPEG or WebP file; other files have none that this reader knows.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        texts = _texts(path)
    except (BadBoxes, BadElements) as error:
        return LabelReading(labels=(), malformed=(str(error),))
    labels: list[AigcLabel] = []
    malformed: list[str] = []
    for text in texts:
        try:
            labels.append(parse_label(text))
        except (ValueError, TypeError, RecursionError):
            malformed.append(text[:80])
    return LabelReading(labels=tuple(labels), malformed=tuple(malformed))


def _texts(path: Path) -> tuple[str, ...]:
    if is_iso_media(path):
        return _in_boxes(path)
    return tags_named(path, KEY) if is_matroska(path) else _in_image(path)


def _in_boxes(path: Path) -> tuple[str, ...]:
    keyed = tuple(value for key, value in keyed_metadata(path) if KEY in key.upper())
    return (*keyed, *(text for packet in xmp_packets(path) for text in label_texts(packet)))


def xmp_of(path: Path) -> bytes:
    """The XMP packet of an mp4, mov, PNG, JPEG or WebP file, the first if there are several; empty when it has none.

    Raises:
        BadBoxes: an mp4 or mov file whose boxes make no sense.
    """
    if is_iso_media(path):
        return next(iter(xmp_packets(path)), b"")
    return _xmp(_image_info(path))


def _in_image(path: Path) -> tuple[str, ...]:
    """XMP of all three kinds, and what some tools write instead: a PNG text entry, the EXIF user comment."""
    info = _image_info(path)
    others = (info.get(KEY), info.get(_COMMENT))
    return (*label_texts(_xmp(info)), *(text for text in others if isinstance(text, str) and text))


def _image_info(path: Path) -> dict[Any, Any]:
    """Pillow's entries; under `_COMMENT` the EXIF user comment where it speaks of a label."""
    try:
        with Image.open(path) as image:
            comment = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")
            # EXIF 2.32, 4.6.5: eight bytes name the encoding, then the text.
            text = comment[8:].decode("utf-8", errors="replace").strip("\0 ") if isinstance(comment, bytes) else comment
            return {**image.info, _COMMENT: text if f'"{KEY}"' in text or '"ProduceID"' in text else ""}
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return {}


def _xmp(info: dict[Any, Any]) -> bytes:
    packet = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    return packet.encode() if isinstance(packet, str) else bytes(packet)
