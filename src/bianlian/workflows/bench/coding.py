"""Marks and codec, as a swap uses them, for clips of the bench."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bianlian.imaging.colour import rgb_from_frame
from bianlian.imaging.metrics import Mask
from bianlian.marking.interface import FrameMark
from bianlian.marking.label import Label, LabelStyle, plan_label
from bianlian.marking.stage import mark_frames
from bianlian.marking.watermark.embedder import FaceWatermark
from bianlian.media.decode import frames
from bianlian.media.encode import EncodeSettings, write_chunk
from bianlian.media.probe import describe
from bianlian.records.arrays import U8
from bianlian.records.composite import Composite
from bianlian.records.frame import SourceInfo
from bianlian.tracking.store import TrackReader
from bianlian.workflows.house import House


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coding:
    """How results of one piece of footage are marked and coded."""

    source: SourceInfo
    label: Label
    watermark: FrameMark

    def coded(self, composites: Iterable[Composite]) -> list[U8]:
        """The pictures that a player would show: marked, coded at the default quality, decoded."""
        with tempfile.TemporaryDirectory(prefix="bianlian-bench-") as scratch:
            path = Path(scratch) / "coded.mp4"
            marked = mark_frames(iter(composites), label=self.label, watermark=self.watermark)
            write_chunk(marked, self.source, EncodeSettings(), path)
            return [rgb_from_frame(frame) for frame in frames(describe(path))]

    def changed(self, composite: Composite) -> Mask:
        """HxW: where a mark or a face was put."""
        mask = np.zeros(self.source.size, np.bool_)
        for plate in (self.label.text, *self.label.marks):
            height, width = plate.keep.shape
            mask[plate.top : plate.top + height, plate.left : plate.left + width] = True
        for face in composite.faces:
            height, width = face.matte.shape
            mask[face.top : face.top + height, face.left : face.left + width] |= face.matte > 0
        return mask


def coding_for(house: House, footage: SourceInfo, track: TrackReader) -> Coding:
    """The coding of a swap with everything left as it is."""
    start = next(iter(track.instants(0, 1)))
    label = plan_label(footage.size, track.boxes(), style=LabelStyle(), start=start)
    return Coding(source=footage, label=label, watermark=FaceWatermark(house.code_book(), "bench"))
