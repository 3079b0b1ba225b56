"""What is learnt about a donor's face. Its file is an npz archive without pickles: arrays and one JSON header."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt

from bianlian.errors import UnreadableMedia
from bianlian.records.arrays import F32, U8, arrays_in, frozen

FORMAT = "bianlian-appearance"
VERSION = 9
FEATURES = 57
"""What texture is predicted from: 51 expression coefficients above rest, yaw, pitch, their squares, gaze yaw and pitch."""
_UNPACKING = (zipfile.BadZipFile, zlib.error, NotImplementedError, KeyError, ValueError, EOFError, RecursionError)
"""What a damaged archive may raise."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Appearance:
    """Performance → texture and shape of one donor.

    texture = mean + sum over k of coefficients[k] * basis[k] * scales[k]. Its first guess is
    coefficients = ((features - centre) / spread, 1) @ regressor, off by `doubt`; the picture of who is drawn corrects it.
    """

    donor_id: str
    template_commitment: str
    level: str
    seed: int
    neutral: F32
    """468x3 centimetres, image axes: the face with all expression coefficients zero."""
    shape_doubt: F32
    """1: centimetres that it may be off, see `imaging.doubt`."""
    rest: F32
    """51: the coefficients of the calm face."""
    mean: F32
    """SxSx3 coded RGB 0..1 under the donor's mean light."""
    basis: np.ndarray
    """KxSxSx3 int8; K may be 0."""
    scales: F32
    """K: what one step of the basis is worth in coded RGB."""
    centre: F32
    """FEATURES."""
    spread: F32
    """FEATURES."""
    regressor: F32
    """(FEATURES + 1) x K."""
    doubt: F32
    """K: standard deviation of a coefficient about its first guess."""
    covered: F32
    """MxFEATURES: the performances that the capture showed."""
    looks: F32
    """Mx4: where the eyes looked and how far they were open, see `imaging.lids`; openings in usual ones."""
    eyes: U8
    """Mx2xHxWx3 coded RGB under the donor's mean light: the eyes then, the template's left one first."""
    eyes_seen: F32
    """Mx2, 0..1: how well each was seen."""

    def __post_init__(self) -> None:
        side, count = self.mean.shape[0], len(self.basis)
        for name, shape, dtype in (
            ("neutral", (468, 3), np.float32), ("shape_doubt", (1,), np.float32),
            ("rest", (51,), np.float32), ("mean", (side, side, 3), np.float32),
            ("basis", (count, side, side, 3), np.int8), ("scales", (count,), np.float32),
            ("centre", (FEATURES,), np.float32), ("spread", (FEATURES,), np.float32),
            ("regressor", (FEATURES + 1, count), np.float32), ("doubt", (count,), np.float32),
            ("covered", (None, FEATURES), np.float32), ("looks", (len(self.covered), 4), np.float32),
            ("eyes", (len(self.covered), 2, None, None, 3), np.uint8), ("eyes_seen", (len(self.covered), 2), np.float32),
        ):  # fmt: skip
            object.__setattr__(self, name, frozen(getattr(self, name), name, shape, dtype))

    @property
    def side(self) -> int:
        """Texels along an edge of the template."""
        return self.mean.shape[0]

    def to_bytes(self) -> bytes:
        """The file's content; the same appearance gives the same bytes."""
        header = {
            "format": FORMAT, "version": VERSION, "donor_id": self.donor_id, "level": self.level, "seed": self.seed,
            "template_commitment": self.template_commitment,
        }  # fmt: skip
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays["mean"] = np.rint(np.clip(self.mean, 0, 1) * 65535).astype(np.uint16)
        return pack(header, arrays)

    @classmethod
    def from_bytes(cls, content: bytes) -> Appearance:
        """Read what `to_bytes` wrote.

        Raises:
            UnreadableMedia: not such a file, another version, or damaged.
        """
        header, arrays = unpack(content, FORMAT, VERSION, _ARRAYS)
        arrays["mean"] = (arrays["mean"] / 65535).astype(np.float32)
        try:
            return cls(
                donor_id=str(header["donor_id"]), template_commitment=str(header["template_commitment"]),
                level=str(header["level"]), seed=int(str(header["seed"])), **arrays,
            )  # fmt: skip
        except (KeyError, ValueError) as error:
            raise UnreadableMedia(
                f"the learnt appearance is damaged: {error}", advice="learn the donor again"
            ) from error


def coded(rows: Iterable[F32]) -> tuple[npt.NDArray[np.int8], F32]:
    """(`Appearance.basis`, `scales`) of rows of one shape: each in 127 steps either way, and what one step of it is worth."""
    steps, scales = list[npt.NDArray[np.int8]](), list[np.float32]()
    for row in rows:
        peak = np.maximum(np.abs(row).max(), np.float32(1e-9))
        steps.append(np.rint(row / peak * 127).astype(np.int8))
        scales.append(peak / 127)
    return np.array(steps, np.int8), np.array(scales, np.float32)


_ARRAYS = (
    "neutral",
    "shape_doubt",
    "rest",
    "mean",
    "basis",
    "scales",
    "centre",
    "spread",
    "regressor",
    "doubt",
    "covered",
    "looks",
    "eyes",
    "eyes_seen",
)


def pack(header: Mapping[str, object], arrays: dict[str, np.ndarray]) -> bytes:
    """An npz archive with fixed dates: `header.json` beside one .npy member per array."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(zipfile.ZipInfo("header.json"), json.dumps(header, sort_keys=True))
        for name, array in arrays.items():
            member = BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def unpack(
    content: bytes, kind: str, version: int, names: tuple[str, ...]
) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Header and arrays that `pack` wrote.

    Raises:
        UnreadableMedia: not such a file, another version, or damaged.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            header = json.loads(archive.read("header.json"))
            if header.get("format") != kind or header.get("version") != version:
                raise UnreadableMedia(
                    f"this is not a {kind} file of version {version}, or it was made by an older version of this program",
                    advice="make it again with this program: learn the donor, or track the footage, once more",
                )
        arrays = arrays_in(BytesIO(content), names)
    except _UNPACKING as error:
        raise UnreadableMedia(f"a {kind} file is damaged: {error}", advice="make it again with this program") from error
    return header, arrays
