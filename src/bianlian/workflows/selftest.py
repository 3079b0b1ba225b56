"""How fast this machine is: the stages that every frame goes through, run on made footage that shows nobody.

Core time is measured, not wall time, so other work on the machine hardly counts. The face is the canonical mesh; the networks
take as long for it as for anybody.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bianlian.imaging.colour import PixelBox, planes_with_rgb, rgb_float_from_frame
from bianlian.imaging.face_space import FaceSpace, build_face_space
from bianlian.marking.label import LabelStyle, plan_label
from bianlian.marking.stage import mark_frames
from bianlian.marking.watermark.code import code_book
from bianlian.marking.watermark.embedder import FaceWatermark
from bianlian.media.decode import frames
from bianlian.media.encode import EncodeSettings, write_chunk
from bianlian.media.probe import describe
from bianlian.records.arrays import F32
from bianlian.records.composite import Composite, PlacedFace
from bianlian.records.face import LANDMARKS
from bianlian.records.frame import ColourSpec, Frame, Size, SourceInfo
from bianlian.records.time import Instant
from bianlian.tracking.landmarks import FaceLandmarker, region_of_landmarks
from bianlian.tracking.sampling import FrameSampler
from bianlian.weights.canonical import read_canonical_mesh

SIZES: tuple[Size, ...] = ((720, 1280), (1080, 1920))
FRAMES = 32
FACE_SHARE = 0.45
"""Height of the face over the frame's: a talking head."""
RATE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Core time of each stage at one size, and what a swap makes of it."""

    size: Size
    stages: dict[str, float]
    """Milliseconds of one core a frame."""

    def expected_fps(self, workers: int) -> float:
        """Frames a second of a whole swap with one face."""
        return workers * 1e3 / (sum(self.stages.values()) * WHOLE)


WHOLE = 2.3
"""Time of both cores in a whole first swap, in which they are not always busy, over the core time of the measured stages:
89 ms a frame over 38 (60 s of 720p, one face, level standard)."""


def measured_speeds(bundle: Path) -> tuple[Speed, ...]:
    """Measure at every size; about ten seconds.

    Args:
        bundle: the face landmarker's file.

    Raises:
        InstallationError: a model or the temporary folder cannot be used.
    """
    landmarker = FaceLandmarker(bundle)
    space = build_face_space(read_canonical_mesh(bundle))
    return tuple(_speed(size, landmarker, space) for size in SIZES)


def _speed(size: Size, landmarker: FaceLandmarker, space: FaceSpace) -> Speed:
    points = _points(size, space)
    region, drawn = region_of_landmarks(points), list[Composite]()
    footage = _footage(size)
    _drawn(footage[0], points, space)  # compiles what is compiled on first use
    start = footage[0].instant
    label = plan_label(size, (), style=LabelStyle(), start=start)
    watermark = FaceWatermark(code_book(bytes(32)), "0" * 32)
    with tempfile.TemporaryDirectory(prefix="bianlian-doctor-") as scratch:
        path = Path(scratch) / "made.mp4"
        landmarks = _core_ms(lambda: [landmarker.landmarks_of(FrameSampler(frame), region) for frame in footage])
        draw = _core_ms(lambda: drawn.extend(_drawn(frame, points, space) for frame in footage))
        marked = list(mark_frames(iter(drawn[:1]), label=label, watermark=watermark))
        mark = _core_ms(lambda: marked.extend(mark_frames(iter(drawn[1:]), label=label, watermark=watermark)))
        encode = _core_ms(lambda: write_chunk(marked, _source(path, size), EncodeSettings(threads=1), path))
        decode = _core_ms(lambda: list(frames(describe(path))))
    stages = {"decode": decode, "landmarks": landmarks, "draw": draw, "mark": mark, "encode": encode}
    return Speed(size=size, stages=stages)


def _core_ms(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return 1e3 * (time.process_time() - began) / FRAMES


def _points(size: Size, space: FaceSpace) -> F32:
    """478x3: the canonical face, frontal, in the middle."""
    shape = space.canonical - space.canonical.mean(axis=0)
    points = shape * (FACE_SHARE * size[0] / np.ptp(shape[:, 1])) + (size[1] / 2, size[0] / 2, 0)
    return np.concatenate([points, np.repeat(points[:1], LANDMARKS - len(points), axis=0)]).astype(np.float32)


def _footage(size: Size) -> list[Frame]:
    """Soft shapes that drift, under fresh noise."""
    random = np.random.default_rng(1)
    coarse = random.integers(60, 190, (9, 16), np.uint8)
    ground = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    grey = np.full((size[0] // 2, size[1] // 2), 128, np.uint8)
    noise = random.integers(0, 4, (4, *size), np.uint8)
    return [
        Frame(
            index=index, instant=Instant(pts=index, time_base=Fraction(1, RATE)), duration=1, colour=ColourSpec(), bit_depth=8,
            planes=(np.roll(ground, 2 * index, axis=1) + noise[index % 4], grey, grey),
        )
        for index in range(FRAMES)
    ]  # fmt: skip


def _drawn(frame: Frame, points: F32, space: FaceSpace) -> Composite:
    """A plain texture on the face: the raster, the remap and the way into RGB and back that every drawn face takes."""
    (left, top), (right, bottom) = points[:, :2].min(axis=0).astype(int), points[:, :2].max(axis=0).astype(int) + 1
    box = PixelBox(left=left, top=top, right=right, bottom=bottom).clipped(frame.size)
    rgb = rgb_float_from_frame(frame, box)
    local = points[:468] - np.array([box.left, box.top, 0], np.float32)
    where, share = space.drawn(local, space.share, box.size)
    texture = np.full((space.template.side, space.template.side, 3), 0.6, np.float32)
    face = cv2.remap(texture, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    matte = cv2.convertScaleAbs(share, alpha=255)
    planes = planes_with_rgb(frame, box, rgb + (face - rgb) * share[..., None], matte)
    placed = PlacedFace(
        person=1,
        donor_id="",
        left=box.left,
        top=box.top,
        matte=matte,
        points_image=points,
        confidence=1.0,
        fade_reason="",
    )
    return Composite(frame=replace(frame, planes=planes), faces=(placed,))


def _source(path: Path, size: Size) -> SourceInfo:
    return SourceInfo(
        path=path, sha256="", is_image=False, container="mov", codec="h264", size=size, rotation=0,
        time_base=Fraction(1, RATE), average_rate=Fraction(RATE), frame_estimate=FRAMES, start_pts=0, colour=ColourSpec(),
        bit_depth=8, chroma_shift=(1, 1), sample_aspect=Fraction(1), streams=(),
    )  # fmt: skip
