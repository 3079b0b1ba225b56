"""Pictures of faces kept while tracking, so that who studies a person afterwards need not decode the footage again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bianlian.imaging.colour import PixelBox
from bianlian.records.arrays import Plane
from bianlian.records.face import Box
from bianlian.records.frame import Frame
from bianlian.tracking.observation import FrameObservation, box_of

PLACES = 63
"""At most; with faces of 300 px some 15 MB."""
_KEPT, _ASKED = 0.3, 0.15
"""Room around a face, of its height: when it is cut out, before smoothing moves it, and when its picture is asked for."""


def places_of(frame_count: int) -> range:
    """The frames of a clip that an album holds: every 2^n-th, so that it can thin out while the length is still unknown."""
    stride = 1
    while frame_count > stride * PLACES:
        stride *= 2
    return range(0, frame_count, stride)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cutting:
    """A part of a frame."""

    box: PixelBox
    planes: tuple[Plane, Plane, Plane]


class Album:
    """Faces cut out of the frames of `places_of`, as they pass by; empty where nothing was tracked."""

    def __init__(self) -> None:
        self._pages: dict[int, tuple[Frame, list[_Cutting]]] = {}

    def see(self, frame: Frame, observation: FrameObservation) -> None:
        """Take the next frame with what was seen in it."""
        kept = places_of(frame.index + 1)
        if frame.index == kept[-1] and observation.faces:
            boxes = [box_of(face.points_image) for face in observation.faces]
            self._pages[frame.index] = _empty(frame), [_cutting(frame, box) for box in boxes]
        for index in [index for index in self._pages if index % kept.step]:
            del self._pages[index]

    def picture(self, index: int, box: Box) -> Frame | None:
        """A frame that is empty but for the face in `box` and its surroundings; None where that was not kept."""
        frame, cuttings = self._pages.get(index, (None, []))
        if frame is None:
            return None
        wanted = _around(box, _ASKED, frame)
        held = (cutting for cutting in cuttings if _holds(cutting.box, wanted))
        return next((_pasted(frame, cutting) for cutting in held), None)


def _around(box: Box, room: float, frame: Frame) -> PixelBox:
    room *= box.height
    return PixelBox(
        left=int(box.left - room), top=int(box.top - room), right=int(box.right + room) + 1, bottom=int(box.bottom + room) + 1
    ).clipped(frame.size)  # fmt: skip


def _holds(outer: PixelBox, inner: PixelBox) -> bool:
    return (outer.left <= inner.left and outer.top <= inner.top
            and inner.right <= outer.right and inner.bottom <= outer.bottom)  # fmt: skip


def _empty(frame: Frame) -> Frame:
    """The frame without its pixels, in no memory."""
    luma, *chroma = (np.broadcast_to(np.zeros(1, plane.dtype), plane.shape) for plane in frame.planes)
    return replace(frame, planes=(luma, chroma[0], chroma[1]))


def _cutting(frame: Frame, box: Box) -> _Cutting:
    part = _around(box, _KEPT, frame)
    luma, *chroma = frame.planes
    parts = luma[part.slices], *(plane[part.chroma_slices(frame.chroma_shift)] for plane in chroma)
    return _Cutting(box=part, planes=(parts[0].copy(), parts[1].copy(), parts[2].copy()))


def _pasted(frame: Frame, cutting: _Cutting) -> Frame:
    luma, *chroma = (np.zeros(plane.shape, plane.dtype) for plane in frame.planes)
    luma[cutting.box.slices] = cutting.planes[0]
    for plane, part in zip(chroma, cutting.planes[1:], strict=True):
        plane[cutting.box.chroma_slices(frame.chroma_shift)] = part
    return replace(frame, planes=(luma, chroma[0], chroma[1]))
