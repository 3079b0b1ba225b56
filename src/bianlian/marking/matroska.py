"""A reader of Matroska and WebM tags (RFC 9559), just large enough to find the metadata label of footage in these containers.

Hostile files are expected: sizes are checked against what is there, and no tag block above `LARGEST_TAGS` is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

LARGEST_TAGS = 16 << 20
"""Bytes; attachments and pictures are elsewhere, so tags are texts."""
_EBML, _SEGMENT, _TAGS, _TAG, _SIMPLE, _NAME, _STRING = (
    0x1A45DFA3, 0x18538067, 0x1254C367, 0x7373, 0x67C8, 0x45A3, 0x4487,
)  # fmt: skip
_MASTERS = {_TAG, _SIMPLE}


class BadElements(ValueError):
    """The element structure is broken."""


def is_matroska(path: Path) -> bool:
    """Whether the file begins with an EBML header."""
    with path.open("rb") as file:
        return file.read(4) == _EBML.to_bytes(4)


def tags_named(path: Path, name: str) -> tuple[str, ...]:
    """Values of all simple tags whose name contains `name`, case aside, in file order.

    Raises:
        BadElements: the file's elements make no sense.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        blocks = [
            content
            for kind, begin, stop in _elements(file, 0, end)
            if kind == _SEGMENT
            for content in _tag_blocks(file, begin, stop)
        ]
    return tuple(value for block in blocks for tag, value in _simple_tags(block) if name.upper() in tag.upper())


def _tag_blocks(file: BinaryIO, begin: int, stop: int) -> Iterator[bytes]:
    for kind, first, last in _elements(file, begin, stop):
        if kind == _TAGS:
            if last - first > LARGEST_TAGS:
                raise BadElements("the tags are too large")
            file.seek(first)
            yield file.read(last - first)


def _elements(file: BinaryIO, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(id, begin, end) of the contents of all elements between two places; the contents are not read."""
    while position < end:
        file.seek(position)
        kind, size, length = _header(file.read(12))
        begin = position + length
        position = end if size is None else begin + size  # a live segment has no size and goes on to the end
        if position > end:
            raise BadElements("an element is larger than the one around it")
        yield kind, begin, position


def _simple_tags(data: bytes) -> Iterator[tuple[str, str]]:
    """(name, value) pairs; a name comes before its value."""
    name, position = "", 0
    while position < len(data):
        kind, size, length = _header(data[position : position + 12])
        position += length
        if kind in _MASTERS:
            continue  # step inside
        if size is None or position + size > len(data):
            raise BadElements("a tag is larger than the block around it")
        text = data[position : position + size].decode("utf-8", errors="replace").rstrip("\0")
        position += size
        if kind == _NAME:
            name = text
        elif kind == _STRING:
            yield name, text


def _header(data: bytes) -> tuple[int, int | None, int]:
    """(id, size or None when unknown, length of the header) of the element that `data` begins with."""
    if not data or not data[0]:
        raise BadElements("not an element")
    id_length = 9 - data[0].bit_length()
    if id_length > 4 or len(data) <= id_length or not data[id_length]:
        raise BadElements("not an element")
    size_length = 9 - data[id_length].bit_length()
    raw = data[id_length : id_length + size_length]
    if len(raw) < size_length:
        raise BadElements("cut off in a header")
    size = int.from_bytes(raw) & ((1 << 7 * size_length) - 1)
    unknown = size == (1 << 7 * size_length) - 1
    return int.from_bytes(data[:id_length]), None if unknown else size, id_length + size_length
