"""A reader of ISO base media boxes (ISO/IEC 14496-12), just large enough for metadata: independent of the muxer that wrote them.

Hostile files are expected: sizes are checked against what is there, and nothing larger than `LARGEST_MOOV` is read.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LARGEST_MOOV = 256 << 20
"""Bytes; the index of a day of video at 60 frames a second stays below."""
LARGEST_XMP = 1 << 20
"""Bytes; XMP of this program is below 1 kB."""
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_META_PATHS = ((b"udta", b"meta"), (b"meta",))
"""Below moov: where mp4 and where QuickTime keep keyed metadata."""


class BadBoxes(ValueError):
    """The box structure is broken."""


def keyed_metadata(path: Path) -> tuple[tuple[str, str], ...]:
    """(key, value) of every text entry in the keyed metadata of an mp4 or mov file, in file order, doubles included.

    Raises:
        BadBoxes: the file's boxes make no sense.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        moov = _moov(file)
    found: list[tuple[str, str]] = []
    for route in _META_PATHS:
        for meta in _descend(moov, route):
            found += _entries(meta)
    return tuple(found)


def xmp_packets(path: Path) -> tuple[bytes, ...]:
    """The XMP packets that stand beside `moov` (XMP specification, part 3, 1.2.7).

    Raises:
        BadBoxes: the file's boxes make no sense.
        OSError: it cannot be read.
    """
    packets: list[bytes] = []
    with path.open("rb") as file:
        for kind, begin, end in _top_boxes(file):
            if kind == b"uuid" and len(XMP_UUID) <= end - begin <= LARGEST_XMP:
                file.seek(begin)
                if file.read(16) == XMP_UUID:
                    packets.append(file.read(end - begin - 16))
    return tuple(packets)


@contextmanager
def xmp_appended(path: Path, packet: bytes) -> Generator[None, None, None]:
    """While the block lasts the file ends in an XMP box; then it is as it was."""
    length = path.stat().st_size
    with path.open("ab") as file:
        file.write((24 + len(packet)).to_bytes(4) + b"uuid" + XMP_UUID + packet)
    try:
        yield
    finally:
        os.truncate(path, length)


def is_iso_media(path: Path) -> bool:
    """Whether the file begins as mp4 and mov do."""
    with path.open("rb") as file:
        return file.read(8)[4:] in (b"ftyp", b"moov", b"mdat", b"wide", b"free")


def _moov(file: BinaryIO) -> bytes:
    """Content of the first moov box; only headers of the others are read."""
    for kind, begin, end in _top_boxes(file):
        if kind == b"moov":
            if end - begin > LARGEST_MOOV:
                raise BadBoxes("the index is too large")
            file.seek(begin)
            return file.read(end - begin)
    raise BadBoxes("there is no moov box")


def _top_boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(type, begin, end) of the content of each box of the file."""
    file_end = os.fstat(file.fileno()).st_size
    position = 0
    while position + 8 <= file_end:
        file.seek(position)
        header = file.read(16)
        size, kind, length = int.from_bytes(header[:4]), header[4:8], 8
        if size == 1:
            size, length = int.from_bytes(header[8:16]), 16
        elif size == 0:
            size = file_end - position
        if size < length or position + size > file_end:
            raise BadBoxes("a box is larger than the file")
        yield kind, position + length, position + size
        position += size


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of each box; less than a header at the end is QuickTime's closing zero."""
    position = 0
    while position + 8 <= len(data):
        size, kind = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        if size < 8 or position + size > len(data):
            raise BadBoxes("a box is larger than the one around it")
        yield kind, data[position + 8 : position + size]
        position += size


def _descend(data: bytes, route: tuple[bytes, ...]) -> Iterator[bytes]:
    head, *rest = route
    for kind, content in _boxes(data):
        if kind == head:
            yield from _descend(content, tuple(rest)) if rest else (content,)


def _entries(meta: bytes) -> list[tuple[str, str]]:
    """Pairs of a meta box: a full box in mp4 (four bytes of version and flags first), a plain one in QuickTime."""
    content = meta if meta[4:8] == b"hdlr" else meta[4:]
    parts = dict(_boxes(content))
    keys = _keys(parts.get(b"keys", b""))
    entries: list[tuple[str, str]] = []
    for number, content in _boxes(parts.get(b"ilst", b"")):
        index = int.from_bytes(number)
        if not 1 <= index <= len(keys):
            continue  # an iTunes entry, named by its box type
        for kind, data in _boxes(content):
            if kind == b"data" and int.from_bytes(data[:4]) == 1:  # type 1: UTF-8
                entries.append((keys[index - 1], data[8:].decode("utf-8", errors="replace")))
    return entries


def _keys(data: bytes) -> list[str]:
    return [name.decode("utf-8", errors="replace") for _, name in _boxes(data[8:])]
