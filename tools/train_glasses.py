#!/usr/bin/env python3
"""Train the network that finds glasses (`imaging/glasses.py`); writes its weights.

    train_glasses.py BUNDLE OUT.npz CLIP... [--scenes 700] [--minutes 35] [--seed 0]

BUNDLE is the face landmarker's file. Each CLIP shows one synthetic performer without glasses, talking or acting. Glasses are
drawn on in space, so that they turn with the head and stand before it, and their mattes are exact. Needs PyTorch, which the
program itself does not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor
from training import (
    Net,
    Performer,
    Sample,
    broad,
    falling_light,
    fit,
    maps_of,
    performer,
    reader,
    spoiler,
    stroked,
)  # fmt: skip

from bianlian.compositing.performer import small_texture
from bianlian.imaging.face_space import SMALL, FaceSpace, build_face_space
from bianlian.imaging.glasses import _standing_out
from bianlian.imaging.shape import Placement, place
from bianlian.imaging.template import LOWER_LIDS, UPPER_LIDS, unwrap
from bianlian.records.arrays import F32
from bianlian.weights.canonical import read_canonical_mesh

F64 = npt.NDArray[np.float64]
_LOOKS = 60
"""Frames of a clip that scenes are made of, and how many a scene takes."""
_PER_SCENE = 8
_BRIDGE = 6
"""The landmark on the bridge of the nose."""
_EYES_APART = 6.3
"""Centimetres between the middles of the eyes of the face whose measures the glasses are given in."""
_LABEL = 40 / 255, 100 / 255
"""The matte, dilated by a texel, from which a texel is labelled as glasses, and at which in full."""
_WIDTHS = 16, 24, 32
"""Channels at half, a quarter and an eighth of the size."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectacles:
    """Lines and panes in space, centimetres in a head's frame, and how they look."""

    panes: tuple[F64, ...]
    lines: tuple[tuple[F64, float], ...]
    """Each with its width; the rims, bridges and hinges."""
    arms: tuple[tuple[float, F64], ...]
    """Each with its side, -1 or 1."""
    width: float
    colour: F64
    opacity: float
    tint: F64
    """RGB of the panes and how much of it there is."""
    glare: tuple[float, F64]
    """How strong the reflections on the panes are, and where from their middles, in centimetres."""
    shadow: tuple[float, F64]
    shine: tuple[float, float]


def spectacles(neutral: F64, rng: np.random.Generator) -> Spectacles:
    """Some that fit the face `neutral` (468x3)."""
    eyes = [neutral[sorted({*up, *low})].mean(axis=0) for up, low in zip(UPPER_LIDS, LOWER_LIDS, strict=True)]
    left, right = sorted(eyes, key=lambda eye: float(eye[0]))
    unit, middle = float(np.linalg.norm(right - left)) / _EYES_APART, (left + right) / 2
    width = unit * (rng.uniform(0.05, 0.14) if rng.uniform() < 0.5 else rng.uniform(0.15, 0.5))
    front, wrap = (
        min(left[2], right[2], neutral[_BRIDGE, 2]) - unit * rng.uniform(0.15, 0.5),
        rng.uniform(0.01, 0.05) / unit,
    )
    kind = rng.choice(["full", "full", "full", "half", "dark"])
    across, down = outline(rng)
    apart, low = rng.uniform(-0.15, 0.35), rng.uniform(0, 0.55)

    def bent(x: F64, y: F64) -> F64:
        return np.stack([x, y, front + wrap * (x - middle[0]) ** 2], axis=-1)

    panes = [
        bent(eye[0] + side * unit * (apart + across), eye[1] + unit * (low + down))
        for eye, side in ((left, -1), (right, 1))
    ]
    rims = [np.concatenate([pane, pane[:1]]) if kind != "half" else _upper(pane) for pane in panes]
    bridge = _bridge(panes, middle, unit, rng, bent)
    lines = [(rim, width) for rim in rims] + [(bridge, 1.1 * width)]
    if rng.uniform() < 0.12:
        lines.append((bridge - np.array([0, 0.7 * unit, 0]), width))
    arms = [(side, _arm(pane, side, unit, rng)) for pane, side in zip(panes, (-1.0, 1.0), strict=True)]
    colour, opacity = _material(rng)
    tint = rng.uniform(0.75, 0.98) if kind == "dark" else rng.uniform(0, 0.12 if rng.uniform() < 0.8 else 0.35)
    return Spectacles(
        panes=tuple(panes), lines=tuple(lines), arms=tuple(arms), width=width, colour=colour, opacity=opacity,
        tint=np.append(rng.uniform(0, 0.25, 3), tint),
        glare=(rng.uniform(0.1, 0.5) * (rng.uniform() < 0.35), rng.normal(size=2) * 0.6),
        shadow=(rng.uniform(0, 0.35) * (rng.uniform() < 0.6), unit * np.array([rng.uniform(-0.3, 0.3), rng.uniform(0.1, 0.6)])),
        shine=(rng.uniform(0, 0.8), rng.uniform(0, 2 * np.pi)),
    )  # fmt: skip


def outline(rng: np.random.Generator) -> tuple[F64, F64]:
    """(across, down) of a right pane around its middle, centimetres: round, square or narrowed towards the cheek."""
    angle, power = np.linspace(0, 2 * np.pi, 72, endpoint=False), 2 / rng.uniform(2, 4.5)
    wide = rng.uniform(2.1, 3)
    high = wide * rng.uniform(0.55, 0.95)
    across = wide * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
    down = high * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
    if rng.uniform() < 0.3:
        down = np.where(down > 0, down * rng.uniform(1, 1.3), down)
        across = across * (1 - rng.uniform(0, 0.2) * np.clip(down / high, 0, 1))
    return across, down + rng.uniform(-0.12, 0.12) * across + rng.uniform(-0.1, 0.35) * high


def _upper(pane: F64) -> F64:
    """The upper part of an outline, as an open line."""
    start = int(np.argmax(pane[:, 0]))
    line = np.roll(pane, -start, axis=0)
    return line[line[:, 1] <= np.quantile(line[:, 1], 0.58)]


def _bridge(
    panes: list[F64], middle: F64, unit: float, rng: np.random.Generator, bent: Callable[[F64, F64], F64]
) -> F64:
    height = middle[1] + unit * rng.uniform(-0.5, 0.5)
    inner = [pane[np.argmin(np.abs(pane[:, 0] - middle[0]) + 0.5 * np.abs(pane[:, 1] - height))] for pane in panes]
    steps = np.linspace(0, 1, 9)
    x = inner[0][0] + steps * (inner[1][0] - inner[0][0])
    y = inner[0][1] + steps * (inner[1][1] - inner[0][1]) - unit * rng.uniform(0, 0.35) * np.sin(np.pi * steps)
    return bent(x, y)


def _arm(pane: F64, side: float, unit: float, rng: np.random.Generator) -> F64:
    """From a pane's outer edge over the hinge to the ear."""
    top, height = pane[:, 1].min(), np.ptp(pane[:, 1])
    edge = pane[np.argmax(side * pane[:, 0] - 0.3 * np.abs(pane[:, 1] - top - 0.3 * height))]
    hinge = np.array(
        [edge[0] + side * unit * rng.uniform(0.1, 0.5), top + height * rng.uniform(0.15, 0.45), edge[2] + 0.3 * unit]
    )
    back = [np.array([side * rng.uniform(0.2, 0.8), rng.uniform(-0.3, 0.5), depth]) * unit for depth in (4.0, 9.0)]
    return np.stack([edge, hinge, *(hinge + step for step in back)])


def _material(rng: np.random.Generator) -> tuple[F64, float]:
    """(coded RGB 0..1, opacity) of the frame."""
    colours = {
        "dark": np.full(3, rng.uniform(0.01, 0.15)), "brown": np.array([0.3, 0.17, 0.08]) * rng.uniform(0.3, 1.4),
        "silver": np.full(3, rng.uniform(0.45, 0.9)), "gold": np.array([0.8, 0.65, 0.35]) * rng.uniform(0.6, 1.1),
        "any": rng.uniform(0, 0.8, 3), "clear": np.array([0.8, 0.75, 0.7]) * rng.uniform(0.8, 1.1),
    }  # fmt: skip
    kind = str(rng.choice(list(colours)))
    return colours[kind], rng.uniform(0.35, 0.7) if kind == "clear" else rng.uniform(0.85, 1)


def worn(picture: F32, glasses: Spectacles, placement: Placement) -> tuple[F32, F32]:
    """(`picture` (HxWx3, 0..1) with the glasses of a head that is placed so; HxW, their matte)."""
    size, scale = picture.shape[:2], placement.scale
    panes, frame = np.zeros((2, 2 * size[0], 2 * size[1]), np.float32)

    def image(line: F64) -> npt.NDArray[np.int32]:
        points = scale * (line @ placement.rotation.T)[:, :2] + placement.shift
        return np.rint((points + 0.5) * 32).astype(np.int32)  # twice the size, in sixteenths

    def stroke(line: F64, width: float) -> None:
        cv2.polylines(frame, [image(line)], False, 1.0, max(1, round(2 * scale * width)), cv2.LINE_AA, 4)

    for pane in glasses.panes:
        cv2.fillPoly(panes, [image(pane)], 1.0, cv2.LINE_AA, 4)
    for line, width in glasses.lines:
        stroke(line, width)
    for side, arm in glasses.arms:
        stroke(arm[:2], 1.2 * glasses.width)
        if side * placement.rotation[0, 2] > -0.05:  # else the head hides it
            stroke(arm[1:], glasses.width)
    frame, panes = (_shrunk(mask, size) for mask in (frame, panes))
    shown = _shaded(picture, frame, glasses, scale)
    tint = glasses.tint[3] * panes[..., None]
    shown = shown * (1 - tint) + tint * glasses.tint[:3]
    rows, columns = np.indices(size, np.float32)
    for pane in glasses.panes:
        x, y = scale * (pane @ placement.rotation.T)[:, :2].mean(axis=0) + placement.shift + scale * glasses.glare[1]
        spot = np.exp(-(((columns - x) / (1.1 * scale)) ** 2) - ((rows - y) / (0.6 * scale)) ** 2)
        shown += (glasses.glare[0] * spot * panes)[..., None] * (0.9 - shown)
    strength, phase = glasses.shine
    shine = 1 + strength * np.maximum(0, np.sin((rows + columns) / max(1, 0.8 * scale) + phase)) ** 8
    shown += (glasses.opacity * frame)[..., None] * (np.clip(glasses.colour * shine[..., None], 0, 1.1) - shown)
    dark = np.clip((glasses.tint[3] - 0.45) / 0.25, 0, 1)
    return shown.astype(np.float32), np.maximum(frame, panes * np.float32(dark))


def _shrunk(mask: F32, size: tuple[int, int]) -> F32:
    small = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_AREA)
    return np.clip(cv2.GaussianBlur(small, (0, 0), 0.5), 0, 1)


def _shaded(picture: F32, frame: F32, glasses: Spectacles, scale: float) -> F32:
    """The shadow of the frame on the skin."""
    strength, (x, y) = glasses.shadow
    moved = np.array([[1, 0, x * scale], [0, 1, y * scale]], np.float32)
    soft = cv2.GaussianBlur(frame, (0, 0), max(0.5, 0.12 * scale))
    shadow = np.clip(1.5 * cv2.warpAffine(soft, moved, frame.shape[::-1]), 0, 1)
    return picture * (1 - np.float32(strength) * shadow)[..., None]


def scene(who: Performer, wears: bool, space: FaceSpace, rng: np.random.Generator) -> list[Sample]:
    """Some frames of a performer with or without glasses; what is around is how well the face is seen there."""
    glasses = spectacles(who.neutral, rng) if wears else None
    scale = float(rng.choice([1, 1, 0.7, 0.5, 0.35]))
    tone = np.exp(rng.normal(size=3) * 0.12 + rng.normal() * 0.25)
    spoilt, lit = spoiler(rng), falling_light(rng)
    found = list[Sample]()
    for index in rng.choice(len(who.faces), min(_PER_SCENE, len(who.faces)), replace=False):
        face = who.faces[index]
        points = (face.points_image * scale).astype(np.float32)
        picture = cv2.resize(who.pictures[index], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) / 255 * tone
        picture, matte = (
            (picture * lit(points, picture.shape[:2])).astype(np.float32),
            np.zeros(picture.shape[:2], np.float32),
        )
        if glasses is not None:
            placed = place(who.neutral, space.expressions, space.pose_weights, face)
            here = Placement(scale=placed.scale * scale, rotation=placed.rotation, shift=placed.shift * scale)
            picture, matte = worn(picture, glasses, here)
        texture, seen = small_texture(spoilt(np.clip(picture, 0, 1)), points, space)
        label = cv2.dilate(np.clip(unwrap(matte, points, space.small), 0, 1).astype(np.float32), np.ones((3, 3)))
        low, high = _LABEL
        half = cv2.resize(seen, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        found.append(
            (_standing_out(texture), half[None], np.clip((label - low) / (high - low), 0, 1).astype(np.float32))
        )
    return found


def train(net: Net, samples: list[Sample], space: FaceSpace, *, minutes: float, rng: np.random.Generator) -> None:
    """Over what a donor's face is drawn on, where it is seen."""
    drawn = torch.tensor(0.03 + 0.97 * np.clip(space.small.spread(space.share), 0, 1))

    def disturbed(evidence: Tensor, seen: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        count = len(evidence)
        scaled = evidence * torch.exp(torch.randn(count, 1, 1, 1) * 0.3)
        noisy = scaled + torch.randn_like(evidence) * 0.02 * torch.rand(count, 1, 1, 1)
        return stroked(noisy, label, rng) + 0.08 * broad(count, 6, SMALL), seen

    def weigh(seen: Tensor, label: Tensor) -> Tensor:
        return drawn * (F.interpolate(seen, scale_factor=2)[:, 0] > 0.3) * (1 + 2 * (label > 0.2))

    fit(net, samples, disturbed, weigh, batch=16, minutes=minutes, rng=rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--scenes", type=int, default=700)
    parser.add_argument("--minutes", type=float, default=35)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    rng, space = np.random.default_rng(given.seed), build_face_space(read_canonical_mesh(given.bundle))
    read = reader(given.bundle)
    cast = [performer(clip, read, space) for clip in given.clips]
    samples = [
        sample for index in range(given.scenes) for sample in scene(cast[index % len(cast)], index % 4 != 3, space, rng)
    ]
    print(f"{len(samples)} textures of {len(cast)} clips")
    net = Net(maps_of(space, SMALL), around=1)
    train(net, samples, space, minutes=given.minutes, rng=rng)
    net.save(given.out)


if __name__ == "__main__":
    main()
