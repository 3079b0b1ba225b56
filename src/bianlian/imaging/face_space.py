"""Everything about the canonical face that learning and composing share, at one template size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from bianlian.imaging.colour import LUMA
from bianlian.imaging.light import COARSE, LightBasis, coarse, light_basis
from bianlian.imaging.mesh import I32, facing, interpolated
from bianlian.imaging.seam import brow_weights, seam_weights
from bianlian.imaging.shape import F64, expression_basis
from bianlian.imaging.template import (
    BROWS,
    EYE_CORNERS,
    EYES,
    LIPS,
    MOUTH,
    Part,
    Template,
    build_template,
    filled,
    openings,
    resized,
)
from bianlian.records.arrays import F32

SMALL = 2 * COARSE
SIDE, LARGE_SIDE = 256, 512
"""Texels along an edge of the template, for ordinary faces and for large ones."""
_LARGE = 360.0
"""Pixels of height from which a face is large: 256 texels then hold less than its picture does. 768 texels hold hardly more than
512 of a face 590 pixels high (docs/engine.md)."""
_LIDS, _LIDS_EDGE = 0.045, 0.012
"""How far the lids reach beyond their edges, and the width over which they pass into the skin around; shares of the template."""
_LIP_EDGE = 0.006
"""Width, as a share of the template, over which lips pass into what is between them."""
_HARDLY = 0.02
"""What of a weight is left out where it would only cost time."""
_EDGE = 0.01
"""Width, in face heights, over which the drawn face fades in from its outline."""


class Mesh(Protocol):
    """What is needed of `weights.canonical.CanonicalMesh`."""

    @property
    def vertices(self) -> F32: ...
    @property
    def triangles(self) -> I32: ...
    @property
    def pose_weights(self) -> F32: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Eye:
    """Where an eye lies in the template."""

    part: Part
    """What holds it, HxW."""
    lids: F32
    """HxW, 0..1: the eye with its lids."""
    ball: F32
    """HxW, 0..1: what lies between the lids."""
    opening: Part
    """What of the part holds the ball."""
    across: F32
    """2 texels, from its left corner to its right one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceSpace:
    """The canonical face at one template size. Costs about 0.1 s to build; made once and handed round."""

    template: Template
    small: Template
    """SMALL texels, for light and occlusion."""
    canonical: F64
    """468x3 centimetres, image axes."""
    pose_weights: F64
    """468."""
    expressions: F64
    """51x468x3, see `shape.expression_basis`."""
    share: F64
    """468: the donor's share of each vertex of the canonical face."""
    beard: F64
    """468: what the share may grow to where the performer has a beard and the donor none."""
    brows: F64
    """468: what is drawn of the donor at each vertex at least, see `seam.brow_weights`."""
    hair: F64
    """468: where hair may hang before the face, see `seam.brow_weights`."""
    rim: F64
    """468: the vertices beside the seam."""
    chin: F64
    """468: the vertices of the chin."""
    light: LightBasis
    skin: F32
    """COARSE x COARSE, 0..1: skin without brows, eyes, lips and the edge."""
    mouth: F32
    """side x side, 0..1: what an open mouth shows, between the lips."""
    eyes: tuple[Eye, Eye]
    """The left one in the template first; parts of one size."""
    front: float
    """Sign of a triangle's area when it faces the camera."""

    def at(self, side: int) -> FaceSpace:
        """The same with a template of `side` texels."""
        if side == self.template.side:
            return self
        template = resized(self.template, side)
        return replace(self, template=template, mouth=_mouth(template), eyes=_eyes(template))

    def at_vertices(self, texture: F32) -> F32:
        """468: a square texture (any size, one channel) at the vertices."""
        where = self.template.uv * np.float32(len(texture) / self.template.side)
        return cv2.remap(texture, where[:, None], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]

    def coarse_share(self) -> F32:
        """COARSE x COARSE: the donor's share of each texel of the canonical face."""
        return coarse(self.template.spread(self.share))

    def drawn(self, points: F32, share: F64, size: tuple[int, int]) -> tuple[F32, F32]:
        """Draw the face whose image points (468x3) lie in a picture of `size`, with the donor's `share` of each vertex (468).

        Returns:
            (HxWx2 template coordinates, -9 outside; HxW donor's share, 0 outside).
        """
        triangles = self.template.triangles
        attributes = np.concatenate([self.template.uv, share[:, None].astype(np.float32)], axis=1)
        keep = facing(points, triangles) * self.front > 0
        across, down, matte = cv2.split(interpolated(points, attributes, triangles, size, keep, outside=(-9, -9, 0)))
        width = 2 * max(1, round(_EDGE * float(np.ptp(points[:, 1])))) + 1
        inside = cv2.blur((across >= 0).astype(np.float32), (width, width), borderType=cv2.BORDER_REPLICATE)
        return cv2.merge((across, down)), matte * np.maximum(2 * inside - 1, 0)


def small(texture: F32) -> F32:
    """`texture` (SxS or SxSxC) averaged down to SMALL x SMALL."""
    return cv2.resize(texture, (SMALL, SMALL), interpolation=cv2.INTER_AREA)


def side_for(height: float) -> int:
    """Texels along the template's edge for faces of this height, pixels."""
    return LARGE_SIDE if height >= _LARGE else SIDE


def build_face_space(mesh: Mesh, *, side: int = SIDE) -> FaceSpace:
    """The face space of `side` texels."""
    template, smaller = (build_template(mesh.triangles, texels) for texels in (side, SMALL))
    canonical = mesh.vertices.astype(np.float64) * (1.0, -1.0, -1.0)
    share, beard, rim, chin = seam_weights(canonical)
    brows, hair = brow_weights(canonical)
    return FaceSpace(
        template=template,
        small=smaller,
        canonical=canonical,
        pose_weights=mesh.pose_weights.astype(np.float64),
        expressions=expression_basis(),
        share=share,
        beard=beard,
        brows=brows,
        hair=hair,
        rim=rim,
        chin=chin,
        skin=_skin(template, share),
        mouth=_mouth(template),
        eyes=_eyes(template),
        light=light_basis(canonical.astype(np.float32), mesh.triangles, template),
        front=float(np.sign(np.median(template.areas))),
    )


def _mouth(template: Template) -> F32:
    return cv2.GaussianBlur(filled(template, MOUTH), (0, 0), _LIP_EDGE * template.side)


def _eyes(template: Template) -> tuple[Eye, Eye]:
    return _eye(template, EYES[0], EYE_CORNERS[0]), _eye(template, EYES[1], EYE_CORNERS[1])


def _eye(template: Template, outline: tuple[int, ...], corners: tuple[int, int]) -> Eye:
    side = template.side
    opening = filled(template, outline)
    reach = round(_LIDS * side)
    lids = cv2.GaussianBlur(cv2.dilate(opening, np.ones((2 * reach + 1,) * 2)), (0, 0), _LIDS_EDGE * side)
    part = _eye_part(template, outline)
    ball = cv2.GaussianBlur(opening, (0, 0), _LIP_EDGE * side)[part]
    left, right = template.uv[list(corners)]
    return Eye(part=part, lids=lids[part], ball=ball, opening=_extent(ball > _HARDLY), across=right - left)


def _extent(mask: npt.NDArray[np.bool_]) -> Part:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _eye_part(template: Template, outline: tuple[int, ...]) -> Part:
    """Whole steps of a 128th of the template, so that a part holds the same at every size."""
    step = template.side / 128
    corners, one = template.uv[list(outline)] / step, template.uv[list(EYES[0])] / step
    middle = ((corners.min(axis=0) + corners.max(axis=0)) / 2).round()
    half = (np.ptp(one, axis=0) / 2 + 128 * (_LIDS + 3 * _LIDS_EDGE)).round()
    (left, top), (right, bottom) = ((middle + way * half) * step for way in (-1, 1))
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def _skin(template: Template, share: F64) -> F32:
    step = template.side / 256
    features = cv2.dilate(openings(template), np.ones((round(9 * step),) * 2))
    features = np.maximum(features, filled(template, *BROWS, LIPS))
    features = cv2.dilate(features, np.ones((round(5 * step),) * 2))
    inner = cv2.erode(template.inside.astype(np.uint8), np.ones((round(9 * step),) * 2)).astype(np.float32)
    inner *= template.spread(share) > 0.02
    return coarse(inner * (1 - cv2.GaussianBlur(features, (0, 0), 2 * step)))


def plain_skin(space: FaceSpace, reference: F32) -> F32:
    """COARSE x COARSE, 0..1: the skin of one person without beard, stubble and deep shade, by its brightness.

    `reference` is the person's mean texture under even light (COARSE x COARSE x 3). The darker 40 % of the skin fades out.
    """
    luma = reference @ LUMA
    luma = luma + luma[:, ::-1]  # the template is symmetric: light from one side must not pass for skin
    skin = luma[space.skin > 0.5]
    if not len(skin):
        return np.zeros((COARSE, COARSE), np.float32)
    low, high = np.percentile(skin, (30, 50))
    return space.skin * np.clip((luma - low) / max(float(high - low), 1e-3), 0, 1).astype(np.float32)
