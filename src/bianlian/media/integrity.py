"""Is a file whole? Reads a container's outermost boxes only, so that a cut-off copy is refused before any work.

Sources: ISO/IEC 14496-12 (boxes), RFC 8794 (EBML), RFC 9559 (Matroska), Microsoft RIFF, GIF89a.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from bianlian.errors import UnreadableMedia

_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_MATROSKA_CHILDREN = {
    0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, _CLUSTER, 0xEC, 0xBF,
    0xE7, 0xA3, 0xA0, 0xA7, 0xAB, 0x5854, 0xAF, _SEGMENT, 0x1A45DFA3,
}  # fmt: skip
"""Of a Segment: SeekHead, Info, Tracks, Cues, Attachments, Chapters, Tags, Cluster, Void, CRC-32. Of a Cluster: Timestamp,
SimpleBlock, BlockGroup, Position, PrevSize, SilentTracks, EncryptedBlock. Then perhaps another Segment with its head."""


def check_complete(path: Path) -> None:
    """Refuse a file that says of itself that more bytes were to come, or whose structure breaks half-way.

    Args:
        path: a readable file of any kind. Formats without lengths (MPEG streams, live WebM) pass.

    Raises:
        UnreadableMedia: cut off, with how much is missing where the container tells.
    """
    with path.open("rb") as file:
        head = file.read(12)
        check = _check_for(head)
        missing = check(file, path.stat().st_size) if check else ""
    if missing:
        raise UnreadableMedia(
            f"{path.name} is cut off or damaged: {missing}.",
            advice="Copy or download the file again; a part of a recording would give a part of a film.",
        )


def _check_for(head: bytes) -> Callable[[BinaryIO, int], str] | None:
    if head[4:8] in _FIRST_BOXES:
        return _check_boxes
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _check_ebml
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _check_riff
    if head.startswith((b"GIF87a", b"GIF89a")):
        return _check_gif
    return None


def _check_boxes(file: BinaryIO, length: int) -> str:
    """Walk the top-level boxes. Fewer bytes than a header at the end are tolerated, and so is rubbish behind a film
    that is complete in one piece: players do not read it."""
    position, seen = 0, set[bytes]()
    while position + 8 <= length:
        file.seek(position)
        header = file.read(16)
        size, name = int.from_bytes(header[:4]), header[4:8]
        if size == 1:
            size = int.from_bytes(header[8:16])
        if size == 0:  # "extends to the end of the file"
            seen.add(name)
            break
        if size < 8 or not name.isascii():
            is_whole = {b"moov", b"mdat"} <= seen and b"moof" not in seen
            return "" if is_whole else f"the structure breaks at byte {position}"
        seen.add(name)
        position += size
    if position > length:
        return f"{position - length} bytes are missing at its end"
    return "" if b"moov" in seen else "its table of contents is missing, so the recording was interrupted"


def _check_ebml(file: BinaryIO, length: int) -> str:
    """Walk the Segment, its clusters and their blocks. Masters of unknown size (live recordings) are entered as well, so
    a block that is cut off is seen there too."""
    position, children = 0, None
    while position < length:
        found = _element(file, position)
        if found is None or (children is not None and found[0] not in children):
            return f"the structure breaks at byte {position}"
        name, start, size = found
        if size is not None and start + size > length:
            return f"{start + size - length} bytes are missing at its end"
        if name in {_SEGMENT, _CLUSTER}:
            position, children = start, _MATROSKA_CHILDREN
        elif size is None:
            return f"the structure breaks at byte {position}"
        else:
            position = start + size
    return ""


def _element(file: BinaryIO, position: int) -> tuple[int, int, int | None] | None:
    """An EBML element's (name, start of its data, size or None if unknown); None if there is none at `position`."""
    file.seek(position)
    head = file.read(12)
    if not head or head[0] < 0x10:
        return None
    name_length = 9 - head[0].bit_length()
    if len(head) <= name_length or head[name_length] == 0:
        return None
    size_length = 9 - head[name_length].bit_length()
    raw = head[name_length : name_length + size_length]
    if len(raw) < size_length:
        return None
    size = int.from_bytes(raw) & ((1 << 7 * size_length) - 1)
    unknown = size == (1 << 7 * size_length) - 1
    return int.from_bytes(head[:name_length]), position + name_length + size_length, None if unknown else size


def _check_riff(file: BinaryIO, length: int) -> str:
    """Walk the RIFF chunks (OpenDML files have several)."""
    position = 0
    while position + 8 <= length:
        file.seek(position)
        header = file.read(8)
        if header[:4] != b"RIFF":
            return ""  # padding after the last chunk
        size = int.from_bytes(header[4:8], "little")
        if size == 0:
            return "its header was never finished, so the recording was interrupted"
        position += 8 + size + size % 2
    # One pad byte may be absent at the very end.
    return f"{position - length} bytes are missing at its end" if position > length + 1 else ""


def _check_gif(file: BinaryIO, length: int) -> str:
    """Walk the blocks up to the end marker 0x3B."""
    file.seek(10)
    flags = file.read(3)[0]
    file.seek(13 + _colour_table(flags))
    while (kind := file.read(1)) != b";":
        if kind == b"!":
            file.seek(1, 1)
        elif kind == b",":
            file.seek(_colour_table(file.read(9)[-1]) + 1, 1)
        else:
            return "its end marker is missing" if not kind else f"the structure breaks at byte {file.tell() - 1}"
        while (size := file.read(1)) not in {b"", b"\0"}:
            file.seek(size[0], 1)
        if file.tell() >= length:
            return "its end marker is missing"
    return ""


def _colour_table(flags: int) -> int:
    """Bytes of the colour table that a descriptor's flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
