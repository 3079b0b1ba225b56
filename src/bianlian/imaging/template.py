"""Face texture space: the canonical mesh laid flat, with room for what only opened or closed eyes and mouths show.

A face is *unwrapped* through the landmarks into this template and *drawn* back through other landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from io import BytesIO

import cv2
import numpy as np
import numpy.typing as npt

from bianlian.imaging.mesh import I32, facing, interpolated, spread_over
from bianlian.records.arrays import F32, arrays_in

UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
UPPER_LIDS = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (263, 466, 388, 387, 386, 385, 384, 398, 362))
LOWER_LIDS = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (263, 249, 390, 373, 374, 380, 381, 382, 362))
MOUTH = (*UPPER_LIP, *LOWER_LIP[::-1])
"""The outline of what lies between the lips."""
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
"""The outline of the lips."""
EYES = tuple((*upper, *lower[::-1]) for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True))
"""The outlines of what lies between the lids."""
IRISES = (468, 473)
"""The middles of the irises, the eye on the left of an upright face first."""
EYE_CORNERS = ((33, 133), (362, 263))
"""Of each eye, the corner on the left of an upright face and the one on its right."""
BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
"""The outlines of the brows."""
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
_SAME = 0.04
"""Template distance, share of the side, up to which two texels count as the same part of the face."""
_FINER = 0.1
"""How much of a pixel what is sampled may be coarser than half way to the next whole number of its pixels before it is shrunk by
that number first. Whole numbers are three times as fast."""

Part = tuple[slice, slice]
"""Rows and columns of a texture."""
WHOLE: Part = slice(None), slice(None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Template:
    """The flat layout at one size, with the maps that unwrapping and drawing need."""

    side: int
    """Texels along an edge; the template is square."""
    uv: F32
    """468x2, texels."""
    triangles: I32
    """898x3."""
    corners: I32
    """side x side x3 vertex numbers per texel; outside the face those of the nearest texel inside."""
    shares: F32
    """side x side x3 barycentric coordinates, likewise: what is drawn at the very outline must not mix with emptiness."""
    inside: npt.NDArray[np.bool_]
    """side x side: the face."""
    areas: F32
    """898 signed areas in the template."""

    def coordinates(self, points: F32, part: Part = WHOLE) -> F32:
        """side x side x2, or a `part` of it: where each texel lies in the picture with these landmarks (Nx2 or Nx3, pixels)."""
        flat = points[:468, :2].astype(np.float32)
        return spread_over(self.corners[part], self.shares[part], flat)

    def spread(self, vertex_values: npt.NDArray[np.floating]) -> F32:
        """side x side: a value per vertex (468), interpolated over the face; outside as at the nearest texel inside."""
        return spread_over(self.corners, self.shares, vertex_values[:, None].astype(np.float32))[..., 0]


def layout() -> F32:
    """468x2 in 0..1: where each vertex of the canonical mesh lies in the template (made by `tools/layout.py`)."""
    packed = resources.files("bianlian.imaging").joinpath("layout.npz").read_bytes()
    return arrays_in(BytesIO(packed))["layout"]


def build_template(triangles: I32, side: int) -> Template:
    """The template of `side` texels, from the canonical mesh's triangles."""
    return _laid_out(layout() * np.float32(side - 1), triangles, side)


def resized(template: Template, side: int) -> Template:
    """The same layout at another size."""
    return _laid_out(template.uv * np.float32((side - 1) / (template.side - 1)), template.triangles, side)


def _laid_out(uv: F32, triangles: I32, side: int) -> Template:
    flat = np.concatenate([uv, np.zeros((len(uv), 1), np.float32)], axis=1)
    numbers = np.arange(len(triangles), dtype=np.float32)
    exploded = flat[triangles.ravel()]
    unit = np.tile(np.eye(3, dtype=np.float32), (len(triangles), 1))
    attributes = np.concatenate([np.repeat(numbers, 3)[:, None], unit], axis=1)
    drawn = interpolated(exploded, attributes, np.arange(len(exploded), dtype=np.int32).reshape(-1, 3), (side, side))
    inside = np.isfinite(drawn[..., 0])
    _, nearest = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    filled = drawn[inside][nearest - 1]
    corners, shares = triangles[np.rint(filled[..., 0]).astype(int)], filled[..., 1:]
    return Template(
        side=side, uv=uv, triangles=triangles, corners=corners, shares=shares, inside=inside,
        areas=facing(uv, triangles),
    )  # fmt: skip


def filled(template: Template, *outlines: tuple[int, ...]) -> F32:
    """side x side: 1 within the polygons of these vertices, 0 outside."""
    mask = np.zeros((template.side, template.side), np.float32)
    for outline in outlines:
        cv2.fillPoly(mask, [template.uv[list(outline)].round().astype(np.int32)], 1.0)
    return mask


def openings(template: Template) -> F32:
    """side x side, 0 or 1: what lies between the lids and between the lips."""
    return filled(template, MOUTH, *EYES)


def unwrap(picture: npt.NDArray[np.generic], points: F32, template: Template) -> npt.NDArray[np.generic]:
    """The texture (side x side x C, dtype of the picture) of the face whose landmarks lie in `picture` (HxWxC).

    A face that is much larger than the template is shrunk first, so that texels are means and not samples.
    """
    step = max(1, round(_enlargement(points, template) - _FINER))
    return _sampled(picture, template.coordinates(points), min(step, *picture.shape[:2]))


def painted(texture: F32, where: F32, points: F32, template: Template) -> F32:
    """HxWx3: `texture` at the template coordinates `where` (HxWx2) of the face whose image points (468x3) are given.

    A face that is much smaller than the template gets a smaller texture, so that its pixels are means and not samples.
    """
    step = max(1, round(1 / max(_enlargement(points, template), 1e-3) - _FINER))
    drawn = np.asarray(_sampled(texture, where, min(step, len(texture))), np.float32)
    contour = _contours(where, len(texture))
    rows, columns = np.flatnonzero(contour.any(axis=1)), np.flatnonzero(contour.any(axis=0))
    if len(rows):  # one sample a pixel is a row of dots there
        near = np.s_[max(0, rows[0] - 1) : rows[-1] + 2, max(0, columns[0] - 1) : columns[-1] + 2]
        drawn[near][contour[near]] = cv2.GaussianBlur(drawn[near], (3, 3), 0)[contour[near]]
    return drawn


def _contours(where: F32, side: int) -> npt.NDArray[np.bool_]:
    """HxW: the pixels where one part of the face stands before another, as a turned nose does before the cheek.

    There one steps across the template. Down it, from lid to lid or from lip to lip, is no contour: their line is dark.
    """
    across = where[..., 0]
    apart = np.abs(np.diff(across, axis=1)) > _SAME * side
    apart &= (across[:, 1:] >= 0) & (across[:, :-1] >= 0)
    contour = np.zeros(across.shape, np.bool_)
    contour[:, 1:] = apart
    contour[:, :-1] |= apart
    return contour


def _enlargement(points: F32, template: Template) -> float:
    """Pixels of the picture over texels of the template, along a line."""
    areas = np.abs(facing(points, template.triangles)) / np.maximum(np.abs(template.areas), 1e-6)
    return float(np.sqrt(np.median(areas)))


def _sampled(picture: npt.NDArray[np.generic], where: F32, step: int) -> npt.NDArray[np.generic]:
    """`picture` at the coordinates `where`, means over `step` x `step` pixels where its own are too fine."""
    if step > 1:
        height, width = (size // step for size in picture.shape[:2])
        picture = cv2.resize(picture[: height * step, : width * step], (width, height), interpolation=cv2.INTER_AREA)
        where = (where + np.float32(0.5)) / np.float32(step) - np.float32(0.5)
    return cv2.remap(picture, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def unhidden(points: F32, template: Template) -> F32:
    """side x side, 0 or 1: texels that no other part of the face stands before (a turned nose hides the cheek)."""
    corner = points[:468, :2].min(axis=0) - 1
    local = (points[:468] - np.append(corner, 0)).astype(np.float32)
    scale = np.float32(min(1.0, 160 / max(float(np.ptp(local[:, 1])), 1.0)))
    local *= scale
    width, height = (local[:, :2].max(axis=0) + 2).astype(int)
    front = np.nan_to_num(interpolated(local, template.uv, template.triangles, (int(height), int(width))), nan=-99.0)
    there = cv2.remap(front, template.coordinates(local), None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    apart = np.linalg.norm(there - template.coordinates(template.uv), axis=2)
    clear = (apart < template.side * _SAME).astype(np.uint8)
    return cv2.erode(clear, np.ones((3, 3))).astype(np.float32)


def visibility(points: F32, template: Template) -> F32:
    """side x side, 0..1: how squarely each texel faces the camera, from the areas of its triangles; 0 from behind.

    Closed lids and lips collapse the filling of eyes and mouth, which therefore counts as unseen.
    """
    seen = facing(points, template.triangles)
    ratio = seen / template.areas
    share = np.clip(ratio / np.float32(np.median(np.maximum(ratio, 0)) + 1e-9), 0, 1).astype(np.float32)
    vertices, length = template.triangles.ravel(), len(template.uv)
    vertex = np.bincount(vertices, np.repeat(share, 3), length) / np.maximum(np.bincount(vertices, minlength=length), 1)
    return np.clip((template.spread(vertex) - np.float32(0.12)) / np.float32(0.38), 0, 1)
