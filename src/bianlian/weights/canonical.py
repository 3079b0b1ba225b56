"""MediaPipe's canonical face mesh, read from `geometry_pipeline_metadata_landmarks.binarypb` in the landmarker's bundle.

The file is a protocol buffer (mediapipe/modules/face_geometry/protos/geometry_pipeline_metadata.proto and mesh_3d.proto):
field 1 the mesh (3: vertex buffer of x y z u v floats, 4: index buffer), field 2 a (landmark, weight) pair each for the
pose fit. A walk over its wire format is shorter than a dependency.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bianlian.errors import InstallationError
from bianlian.records.arrays import F32, frozen

VERTICES = 468
TRIANGLES = 898
_MEMBER = "geometry_pipeline_metadata_landmarks.binarypb"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CanonicalMesh:
    """A neutral face: the first 468 landmarks in space and in a flat template. Eyes and mouth are filled."""

    vertices: F32
    """468x3, centimetres; x to the viewer's right, y up, z towards the camera."""
    uv: F32
    """468x2, 0..1, origin at the template's top left."""
    triangles: npt.NDArray[np.int32]
    """898x3 vertex numbers."""
    pose_weights: F32
    """468, for the weighted similarity fit that gives the head pose; zero for most vertices."""

    def __post_init__(self) -> None:
        for name, shape, dtype in (
            ("vertices", (VERTICES, 3), np.float32),
            ("uv", (VERTICES, 2), np.float32),
            ("triangles", (TRIANGLES, 3), np.int32),
            ("pose_weights", (VERTICES,), np.float32),
        ):
            object.__setattr__(self, name, frozen(getattr(self, name), name, shape, dtype))


def bundle_member(bundle: Path, member: str) -> bytes:
    """Bytes of a file inside a `.task` bundle (a zip archive).

    Raises:
        InstallationError: not such a bundle.
    """
    try:
        with zipfile.ZipFile(bundle) as archive:
            return archive.read(member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise InstallationError(
            f"{bundle.name} is not the face landmarker's bundle: {error}", advice="run: bianlian models pull"
        ) from error


def read_canonical_mesh(bundle: Path) -> CanonicalMesh:
    """The canonical mesh of `face_landmarker.task`.

    Raises:
        InstallationError: the bundle does not hold one of the expected size.
    """
    metadata = bundle_member(bundle, _MEMBER)
    mesh = b""
    weights = np.zeros(VERTICES, np.float32)
    try:
        for field, value in _fields(metadata):
            if field == 1 and isinstance(value, bytes):
                mesh = value
            elif field == 2 and isinstance(value, bytes):
                pair = dict(_fields(value))
                weights[int.from_bytes(_as_bytes(pair.get(1, 0)), "little")] = struct.unpack("<f", _as_bytes(pair[2]))[
                    0
                ]
        floats = np.frombuffer(b"".join(_as_bytes(value) for field, value in _fields(mesh) if field == 3), "<f4")
        indices = [value for field, value in _fields(mesh) if field == 4]
        vertices = floats.reshape(VERTICES, 5).astype(np.float32)
        triangles = np.array(indices, np.int32).reshape(TRIANGLES, 3)
    except (ValueError, IndexError, KeyError, struct.error) as error:
        raise InstallationError(
            f"the canonical mesh in {bundle.name} cannot be read: {error}", advice="run: bianlian models pull"
        ) from error
    return CanonicalMesh(
        vertices=vertices[:, :3].copy(), uv=vertices[:, 3:].copy(), triangles=triangles, pose_weights=weights
    )


def _as_bytes(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.to_bytes(8, "little")


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of one protobuf message: varints as int, everything else as bytes."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        wire = key & 7
        if wire == 0:
            value, position = _varint(message, position)
            yield key >> 3, value
            continue
        if wire == 2:
            length, position = _varint(message, position)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        yield key >> 3, message[position : position + length]
        position += length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position
