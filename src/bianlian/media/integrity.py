"""Is a file whole? Reads a container's outermost boxes only, so that a cut-off copy is refused before any work.

Sources: ISO/IEC 14496-12 (boxes), RFC 8794 (EBML), RFC 9559 (Matroska), Microsoft RIFF, GIF89a.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from bianlian.errors import UnreadableMedia

_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_SEGMENT_CHILDREN = {
    0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, _CLUSTER, 0xEC, 0xBF,
}  # fmt: skip
"""SeekHead, Info, Tracks, Cues, Attachments, Chapters, Tags, Cluster, Void, CRC-32."""


def check_complete(path: Path, container: str) -> None:
    """Refuse a file that says of itself that more bytes were to come.

    Args:
        path: a readable file.
        container: FFmpeg's format name. Formats without lengths (MPEG streams) pass.

    Raises:
        UnreadableMedia: cut off, with how much is missing where the container tells.
    """
    checks = {"mov": _check_boxes, "matroska": _check_ebml, "avi": _check_riff, "gif": _check_gif}
    check = checks.get(container)
    if check is None:
        return
    with path.open("rb") as file:
        missing = check(file, path.stat().st_size)
    if missing:
        raise UnreadableMedia(
            f"{path.name} is cut off or damaged: {missing}.",
            advice="Copy or download the file again; a part of a recording would give a part of a film.",
        )


def _check_boxes(file: BinaryIO, length: int) -> str:
    """Walk the top-level boxes; the last may leave less than a header behind it."""
    position = 0
    while position + 8 <= length:
        file.seek(position)
        header = file.read(16)
        size = int.from_bytes(header[:4])
        if size == 1:
            size = int.from_bytes(header[8:16])
        if size == 0:  # "extends to the end of the file"
            return ""
        if size < 8 or not header[4:8].isascii():
            return f"the structure breaks at byte {position}" if position else ""
        position += size
    return f"{position - length} bytes are missing at its end" if position > length else ""


def _check_ebml(file: BinaryIO, length: int) -> str:
    """Walk the children of the Segment; a live recording has no sizes and passes."""
    position, end = 0, length
    while position < end:
        found = _element(file, position)
        if found is None:
            return f"the structure breaks at byte {position}"
        name, start, size = found
        if size is None:
            if name == _SEGMENT:
                position = start
                continue
            return ""
        if start + size > length:
            return f"{start + size - length} bytes are missing at its end"
        if name == _SEGMENT:
            position, end = start, start + size
            continue
        if end != length and name not in _SEGMENT_CHILDREN:
            return f"the structure breaks at byte {position}"
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
    """A GIF ends in 0x3B; some writers pad with zeros."""
    file.seek(max(0, length - 16))
    return "" if file.read().rstrip(b"\0").endswith(b";") else "its end marker is missing"
