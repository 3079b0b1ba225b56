"""What the trainings of the small networks (`imaging/network.py`) share: performers, what spoils pictures, the network, its
pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bianlian.imaging.colour import rgb_from_frame
from bianlian.imaging.face_space import SMALL, FaceSpace
from bianlian.imaging.shape import neutral_shape
from bianlian.imaging.template import openings
from bianlian.media.decode import frames
from bianlian.media.probe import describe
from bianlian.records.arrays import F32, U8
from bianlian.records.face import Face, Pose, Quality
from bianlian.tracking.expression import ExpressionModel
from bianlian.tracking.gaze import gazes
from bianlian.tracking.landmarks import FaceLandmarker, region_of_detection, region_of_landmarks
from bianlian.tracking.pose import PoseFit
from bianlian.weights.canonical import read_canonical_mesh

F64 = npt.NDArray[np.float64]
Sample = tuple[F32, F32, F32]
"""3xSxS evidence, C x S/2 x S/2 of what is around, SxS label."""
_LOOKS = 60
"""Frames of a clip that scenes are made of."""
_WIDTHS = 16, 24, 32
"""Channels at half, a quarter and an eighth of the size."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Performer:
    """Frames of one clip with the face in each, and its shape at rest."""

    pictures: tuple[U8, ...]
    faces: tuple[Face, ...]
    neutral: F64


def performer(clip: Path, read: Callable[[U8], Face], space: FaceSpace) -> Performer:
    """Evenly thinned frames of a clip."""
    pictures = [rgb_from_frame(frame) for frame in frames(describe(clip))]
    pictures = pictures[:: max(1, len(pictures) // _LOOKS)]
    faces = [read(picture) for picture in pictures]
    neutral = neutral_shape(faces, space.canonical, space.expressions, space.pose_weights)
    return Performer(pictures=tuple(pictures), faces=tuple(faces), neutral=neutral)


def reader(bundle: Path) -> Callable[[U8], Face]:
    """What finds the one face of a picture."""
    landmarker, expression, fit = FaceLandmarker(bundle), ExpressionModel(bundle), PoseFit(read_canonical_mesh(bundle))

    def face(picture: U8) -> Face:
        region = region_of_detection(landmarker.detect(picture)[0])
        points = landmarker.landmarks(
            picture, region_of_landmarks(landmarker.landmarks(picture, region).points_image)
        ).points_image
        rotation = fit.rotations(points[None])
        return Face(
            points_image=points.copy(), pose=Pose(rotation=rotation[0]), expression=expression.coefficients(points),
            gaze=gazes(points[None], rotation)[0].astype(np.float32),
            quality=Quality(size_px=float(np.ptp(points[:, 1])), sharpness=0.5, presence=1.0, covered=0.0),
        )  # fmt: skip

    return face


def falling_light(rng: np.random.Generator) -> Callable[[F32, tuple[int, int]], F32]:
    """A light that falls off across the face, with a hard shadow now and then."""
    angle, fall = rng.uniform(0, 2 * np.pi), rng.uniform(0, 1.4) * (rng.uniform() < 0.5)
    dark, edge = rng.uniform(0.4, 0.8) if rng.uniform() < 0.2 else 1.0, rng.uniform(-0.25, 0.25)

    def light(points: F32, size: tuple[int, int]) -> F32:
        rows, columns = np.indices(size, np.float32)
        (x, y), height = points[4, :2], float(np.ptp(points[:, 1]))
        along = ((columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)) / height
        step = 1 / (1 + np.exp(-np.clip((along - edge) * height / 3, -30, 30)))
        return (np.exp(np.clip(fall * along, -1.2, 0.5)) * (1 - (1 - dark) * step))[..., None].astype(np.float32)

    return light


def spoiler(rng: np.random.Generator) -> Callable[[F32], F32]:
    """Blur, noise and compression, each in some scenes."""
    blur = rng.uniform(0.4, 1.4) * (rng.uniform() < 0.3)
    noise = rng.uniform(0.5, 4) / 255 * (rng.uniform() < 0.4)
    quality = int(rng.uniform(35, 95)) if rng.uniform() < 0.6 else 100

    def spoilt(picture: F32) -> F32:
        soft = cv2.GaussianBlur(picture, (0, 0), blur) if blur else picture
        coded = np.clip(np.rint(255 * (soft + rng.normal(0, noise, soft.shape) * (noise > 0))), 0, 255).astype(np.uint8)
        stored = cv2.imencode(".jpg", coded, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.imdecode(stored, cv2.IMREAD_COLOR).astype(np.float32) / 255

    return spoilt


class Net(nn.Module):
    """`imaging.network.Network`, to be trained."""

    def __init__(self, maps: F32, around: int) -> None:
        """`maps` as `maps_of` gives them; `around`: channels of what is known of what is around."""
        super().__init__()
        half, quarter, eighth = _WIDTHS

        def seen(inputs: int, outputs: int, step: int = 1) -> nn.Conv2d:
            return nn.Conv2d(inputs, outputs, 3, step, 1)

        self.layers: dict[str, nn.Conv2d] = {
            "half_in": seen(3, half, 2), "half": seen(half + around + len(maps), half),
            "quarter_in": seen(half, quarter, 2), "quarter": seen(quarter, quarter),
            "eighth_in": seen(quarter, eighth, 2), "eighth": seen(eighth, eighth), "eighth_up": nn.Conv2d(eighth, quarter, 1),
            "quarter_out": seen(quarter, quarter), "quarter_up": nn.Conv2d(quarter, half, 1), "half_out": seen(half, half),
            "join": nn.Conv2d(half + 12, 16, 1), "odds": nn.Conv2d(16, 4, 1),
        }  # fmt: skip
        self.trained = nn.ModuleList(self.layers.values())
        self.register_buffer("maps", torch.tensor(maps))

    def forward(self, evidence: Tensor, around: Tensor) -> Tensor:
        """NxSxS log odds, as `Network.__call__`."""
        to, maps = self.layers, self.maps[None].expand(len(evidence), -1, -1, -1)
        half = F.relu(to["half"](torch.cat([F.relu(to["half_in"](evidence)), around, maps], 1)))
        quarter = F.relu(to["quarter"](F.relu(to["quarter_in"](half))))
        eighth = F.relu(to["eighth"](F.relu(to["eighth_in"](quarter))))
        quarter = F.relu(to["quarter_out"](quarter + F.interpolate(to["eighth_up"](eighth), scale_factor=2)))
        half = F.relu(to["half_out"](half + F.interpolate(to["quarter_up"](quarter), scale_factor=2)))
        gathered = torch.cat([half, F.pixel_unshuffle(evidence, 2)], 1)
        return F.pixel_shuffle(to["odds"](F.relu(to["join"](gathered))), 2)[:, 0]

    def save(self, path: Path) -> None:
        """In half precision, under the names that `network.read_network` expects."""
        arrays = {"maps": self.maps.numpy().astype(np.float16)}
        for name, layer in self.layers.items():
            weights = layer.weight.detach().numpy().astype(np.float16)
            if name == "join":  # PyTorch unshuffles colour by colour, the program texel by texel
                weights = np.concatenate(
                    [weights[:, :-12], weights[:, -12:].reshape(-1, 3, 4).swapaxes(1, 2).reshape(-1, 12, 1, 1)], 1
                )
            arrays[f"{name}.weights"] = weights[:, :, 0, 0] if weights.shape[2] == 1 else weights
            arrays[f"{name}.added"] = layer.bias.detach().numpy().astype(np.float16)
        np.savez_compressed(path, **arrays)


def maps_of(space: FaceSpace, side: int) -> F32:
    """3 x side/2 x side/2: where eyes and mouth are, how far from the middle line, how high."""
    half = side // 2
    soft = cv2.GaussianBlur(openings(space.small), (0, 0), 2 * SMALL / side)
    where = cv2.resize(soft, (half, half), interpolation=cv2.INTER_AREA)
    rows, columns = np.indices((half, half), np.float32) / (half - 1)
    return np.stack([where, np.abs(columns - 0.5) * 2, rows])


def stroked(evidence: Tensor, label: Tensor, rng: np.random.Generator) -> Tensor:
    """With short lines on a third of the faces that are nothing of it: hairs, wrinkles and shades have no place in renderings."""
    lines = np.stack([_lines(evidence.shape[-1], rng) * (rng.uniform() < 0.35) for _ in evidence])
    marked = evidence.clone()
    marked[:, 0] += torch.tensor(lines) * (label < 0.05)
    return marked


def _lines(side: int, rng: np.random.Generator) -> F32:
    """side x side, log units: one to five soft curves, darker or brighter than what is around."""
    picture = np.zeros((side, side), np.float32)
    for _ in range(rng.integers(1, 6)):
        steps = np.linspace(0, side * rng.uniform(0.04, 0.23), 12)
        turn = rng.uniform(0, 2 * np.pi) + rng.normal() * 0.06 * steps
        way = np.stack([np.cos(turn), np.sin(turn)], axis=1) * steps[1]
        path = np.rint(16 * (rng.uniform(0.12 * side, 0.88 * side, 2) + np.cumsum(way, axis=0))).astype(np.int32)
        line = np.zeros_like(picture)
        cv2.polylines(line, [path], False, 1.0, int(rng.integers(1, 4)), cv2.LINE_AA, 4)
        strength = np.float32(rng.choice([-1, -1, 1]) * rng.uniform(0.1, 0.6))
        picture += strength * cv2.GaussianBlur(line, (0, 0), rng.uniform(0.5, 1.5))
    return picture


def fit(
    net: Net,
    samples: list[Sample],
    disturbed: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]],
    weigh: Callable[[Tensor, Tensor], Tensor],
    *,
    batch: int,
    minutes: float,
    rng: np.random.Generator,
) -> None:
    """Adam on log loss, half of the faces mirrored.

    Args:
        disturbed: From evidence, what is around and label to the first two as the network is to see them.
        weigh: From what is around and label to how much each texel counts.
    """
    arrays = [np.stack(part).astype(np.float16) for part in zip(*samples, strict=True)]
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-3)
    for step in _paced(optimizer, minutes):
        chosen = rng.integers(0, len(samples), batch)
        evidence, around, label = (torch.tensor(array[chosen].astype(np.float32)) for array in arrays)
        if rng.uniform() < 0.5:
            evidence, around, label = evidence.flip(3), around.flip(3), label.flip(2)
        odds, weights = net(*disturbed(evidence, around, label)), weigh(around, label)
        losses = F.binary_cross_entropy_with_logits(odds, label, reduction="none")
        loss = (losses * weights).sum() / weights.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 200 == 0:
            print(f"step {step}: {loss.item():.4f}", flush=True)


def broad(count: int, cells: int, side: int, channels: int = 3) -> Tensor:
    """count x channels x side x side: smooth noise, so many `cells` across."""
    return F.interpolate(torch.randn(count, channels, cells, cells), size=(side, side), mode="bilinear")


def _paced(optimizer: torch.optim.Optimizer, minutes: float) -> Iterator[int]:
    """The steps of a training of so many minutes, its rate by a cosine."""
    begun, step = time.monotonic(), 0
    while (part := (time.monotonic() - begun) / (60 * minutes)) < 1:
        optimizer.param_groups[0]["lr"] = 3e-3 * (0.01 + 0.99 * min(1, step / 50) * (1 + np.cos(np.pi * part)) / 2)
        yield step
        step += 1
