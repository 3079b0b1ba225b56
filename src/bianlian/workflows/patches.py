"""For compositors: the marked faces of every frame as 16-bit pictures with mattes and transforms (docs/decisions/0004).

::

    DIR/scene.bianlian.mp4/000123-1.bianlian.png         the face of person 1 in frame 123, RGB, a label strip below it
                           000123-1.bianlian.matte.png   the donor's share of each pixel, grey
                           label.bianlian.png            the visible label as it lies on the result, RGBA
                           patches.json                  what lies where, and when
                           patches.jws                   the installation's signature over it

Every pixel comes from a `MarkedFrame`; every picture carries the metadata label; nothing is here before the result is released.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import rfc8785

from bianlian.donors.files import write_whole
from bianlian.donors.installation import Installation
from bianlian.donors.jose import open_compact, sign_compact
from bianlian.errors import UnreadableMedia
from bianlian.imaging.colour import PixelBox, rgb_float_from_frame
from bianlian.marking.label import Label, Language, Plate, capital_px
from bianlian.marking.manifest.facts import SourceType
from bianlian.marking.metadata import AigcLabel
from bianlian.marking.typeface import Lettering, fitted, letter
from bianlian.marking.watermark.alignment import image_from_canonical
from bianlian.marking.xmp import xmp_packet
from bianlian.records.composite import MarkedFrame, PlacedFace

FORMAT, VERSION = "bianlian-patches", 1
KIND = "bianlian-patches+jws"
"""Type of the signature."""
INDEX, SIGNATURE = "patches.json", "patches.jws"
LEAST_CAPITAL_PX = 12
"""Ink height below which the strip's label could not be read; above, it grows with the patch as on a frame."""
_PADDING = 6
_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1)

U16 = npt.NDArray[np.uint16]


class PatchTap(Protocol):
    """Sees the marked frames of a chunk on their way to the encoder."""

    def through(self, marked: Iterable[MarkedFrame], number: int) -> Iterator[MarkedFrame]: ...

    def holds(self, number: int) -> bool:
        """Whether all that is wanted of a chunk is on the disk."""
        ...

    def finish(self, job_id: str, result: str, label: Label) -> None:
        """Write what holds for all frames, once every chunk is there."""
        ...


class NoPatches:
    """Nobody asked for patches."""

    def through(self, marked: Iterable[MarkedFrame], number: int) -> Iterator[MarkedFrame]:
        del number
        yield from marked

    def holds(self, number: int) -> bool:
        del number
        return True

    def finish(self, job_id: str, result: str, label: Label) -> None:
        del job_id, result, label


class Patches:
    """Writes patches into a folder that only becomes visible with the release."""

    def __init__(self, folder: Path, label: AigcLabel, installation: Installation, *, language: Language) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._installation = installation
        self._packet = xmp_packet(label, SourceType.TRAINED.value)
        self._text = language.texts[0]

    def through(self, marked: Iterable[MarkedFrame], number: int) -> Iterator[MarkedFrame]:
        """Write the faces of the frames that pass, and when the last has passed, the rows of the index."""
        rows: list[dict[str, Any]] = []
        for frame in marked:
            rows += [self._write(frame, face) for face in frame.composite.faces if face.matte.any()]
            yield frame
        write_whole(self._rows(number), json.dumps(rows, separators=(",", ":")).encode(), mode=0o644)

    def holds(self, number: int) -> bool:
        return self._rows(number).exists()

    def finish(self, job_id: str, result: str, label: Label) -> None:
        """Write label, index and signature; memory does not grow with the number of patches.

        Args:
            result: name of the released file that the patches belong to.
            label: as it was pressed into the frames.

        Raises:
            UnreadableMedia: a patch is not as it was written.
        """
        head = {
            "format": FORMAT,
            "version": VERSION,
            "job": job_id,
            "result": result,
            "size": list(label.size),
            "labels": self._write_labels(label),
            "pixels": "16-bit RGB, coded as the footage; already blended: put them over it where the matte is above 0",
            "image_from_face": "2x3: frame pixels from a 256 px square in which every face lies alike",
        }
        chunks = sorted(self.folder.glob(".chunk-*.json"))
        with (self.folder / INDEX).open("w", encoding="utf-8") as file:
            file.write(json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "patches": [\n')
            before = ""
            for chunk in chunks:
                for row in json.loads(chunk.read_bytes()):
                    self._check(row)
                    file.write(before + json.dumps(row, separators=(",", ":")))
                    before = ",\n"
            file.write("\n ]\n}\n")
        payload = {"format": FORMAT, "job": job_id, "sha256": _sha256(self.folder / INDEX)}
        signature = sign_compact(rfc8785.dumps(payload), self._installation.signing_key, kind=KIND)
        write_whole(self.folder / SIGNATURE, signature, mode=0o644)
        for chunk in chunks:
            chunk.unlink()

    def _write(self, marked: MarkedFrame, face: PlacedFace) -> dict[str, Any]:
        frame = marked.frame
        rows, columns = face.matte.shape
        box = PixelBox(
            left=face.left, top=face.top, right=face.left + columns, bottom=face.top + rows
        ).clipped(frame.size)  # fmt: skip
        rgb = np.rint(rgb_float_from_frame(frame, box).clip(0, 1) * 65535).astype(np.uint16)
        # The box of a matte may begin at odd pixels or outside the picture; the patch is laid over it.
        matte = np.zeros(box.size, np.uint8)
        top, left = max(face.top, 0), max(face.left, 0)
        part = face.matte[top - face.top : box.bottom - face.top, left - face.left : box.right - face.left]
        matte[top - box.top :, left - box.left :][: part.shape[0], : part.shape[1]] = part
        name = f"{frame.index:06d}-{face.person}.bianlian"
        image_from_face = image_from_canonical(face.points_image)
        return {
            "frame": frame.index,
            "pts": frame.instant.pts,
            "time_base": str(frame.instant.time_base),
            "person": face.person,
            "left": box.left,
            "top": box.top,
            "width": box.size[1],
            "height": box.size[0],
            "is_labelled": marked.label_is_visible,
            "image_from_face": [[round(float(value), 4) for value in line] for line in image_from_face],
            "confidence": round(face.confidence, 4),
            "file": f"{name}.png",
            "sha256": self._save(f"{name}.png", self._labelled(rgb)),
            "matte": f"{name}.matte.png",
            "matte_sha256": self._save(f"{name}.matte.png", matte.astype(np.uint16) * np.uint16(257)),
        }  # fmt: skip

    def _labelled(self, rgb: U16) -> U16:
        """The patch with the visible label on a strip below it, wider than the patch where the text needs it."""
        lettering = self._lettering(rgb.shape[0], rgb.shape[1])
        ink = lettering.coverage.astype(np.uint16) * np.uint16(257)
        height, width = ink.shape[0] + 2 * _PADDING, max(rgb.shape[1], ink.shape[1] + 2 * _PADDING)
        canvas = np.zeros((rgb.shape[0] + height, width, 3), np.uint16)
        canvas[: rgb.shape[0], : rgb.shape[1]] = rgb
        canvas[rgb.shape[0] + _PADDING :, _PADDING:][: ink.shape[0], : ink.shape[1]] = ink[..., None]
        return canvas

    def _lettering(self, height: int, width: int) -> Lettering:
        capital = max(LEAST_CAPITAL_PX, capital_px((height, width)))
        return letter(fitted(self._text, capital, width), capital)

    def _write_labels(self, label: Label) -> list[dict[str, Any]]:
        """The plates of the result's visible label: whoever composites has to put them on, too."""
        layers: list[dict[str, Any]] = []
        for number, plate in enumerate((label.text, *label.marks)):
            name = f"label{number or ''}.bianlian.png"
            digest = self._save(name, _layer(plate))
            layers.append({"file": name, "left": plate.left, "top": plate.top, "required": True, "sha256": digest})
        return layers

    def _save(self, name: str, picture: U16) -> str:
        """Write a 16-bit PNG with the metadata label; returns its SHA-256."""
        channels = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
        kind = picture.shape[2] if picture.ndim == 3 else 1
        coded = picture if kind == 1 else cv2.cvtColor(picture, channels[kind])
        _, png = cv2.imencode(".png", coded, _FAST)
        content = with_xmp(png.tobytes(), self._packet)
        (self.folder / name).write_bytes(content)
        return hashlib.sha256(content).hexdigest()

    def _check(self, row: dict[str, Any]) -> None:
        for name, digest in ((row["file"], row["sha256"]), (row["matte"], row["matte_sha256"])):
            if _sha256(self.folder / name) != digest:
                raise UnreadableMedia(f"the patch {name} is not as it was written", advice="run it without --resume")

    def _rows(self, number: int) -> Path:
        return self.folder / f".chunk-{number:05d}.json"


def check_patches(folder: Path, installation: Installation) -> int:
    """Check a folder of patches against its signature; returns how many patches it holds.

    Raises:
        BadSignature: the index is not what this installation signed.
        UnreadableMedia: a picture is missing or was changed.
    """
    payload = open_compact((folder / SIGNATURE).read_bytes(), installation.public_key, kind=KIND)
    if json.loads(payload)["sha256"] != _sha256(folder / INDEX):
        raise UnreadableMedia(f"{INDEX} was changed after it was signed.")
    index = json.loads((folder / INDEX).read_bytes())
    wanted = [(row[name], row[digest]) for row in index["patches"] for name, digest in _FILES]
    wanted += [(layer["file"], layer["sha256"]) for layer in index["labels"]]
    for name, digest in wanted:
        if not (folder / name).is_file() or _sha256(folder / name) != digest:
            raise UnreadableMedia(f"{name} is missing or was changed after it was signed.")
    return len(index["patches"])


_FILES = (("file", "sha256"), ("matte", "matte_sha256"))


def with_xmp(png: bytes, packet: bytes) -> bytes:
    """A PNG with an XMP packet behind its header (ISO/IEC 15948, 11.3.3.4; XMP part 3, 1.1.5)."""
    data = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + packet
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    header = 8 + 12 + 13
    return png[:header] + chunk + png[header:]


def _layer(plate: Plate) -> U16:
    """RGBA of a plate: put over the frame it gives what the label gives."""
    alpha = 1 - plate.keep
    white = plate.white / np.maximum(alpha, 1e-6)
    layer = np.dstack([white, white, white, alpha]).clip(0, 1)
    return np.rint(layer * 65535).astype(np.uint16)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise UnreadableMedia(f"{path.name} is missing.", advice="run it without --resume") from error
