"""The fine grain of a donor's skin: pores, freckles, brow hair and stubble, which a mean over many frames washes out.

Single frames hold it. Each third of the face takes it from the frame that shows that third best, so that nothing is averaged away
and the sides of a turned face are not the stretched pixels of a frontal one. Only where a capture is noisy, so many frames are
averaged that its noise is not learnt as skin.
"""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.imaging.colour import LUMA
from bianlian.imaging.face_space import FaceSpace
from bianlian.imaging.performance import enlarged, soft_step
from bianlian.imaging.template import Template, openings
from bianlian.learning.flow import follow, smooth_flow
from bianlian.records.arrays import F32

_GRAIN = 0.005
"""Standard deviation that parts the fine from the broad, share of the template's side. A mean holds well what is broader, and
at twice this a pixel's misplacement costs more than sharpness gains (docs/engine.md)."""
_OPENINGS = 0.3
"""How much of the grain is replaced in and around the eyes and the mouth, where it does not stay in its place."""
_AROUND = 0.025
"""How far around, share of the side: as far as lashes reach, which else are drawn on closed lids."""
_RIM = 0.016
"""Share of the side that is left out beside what a frame does not show: an outline is sharp, but it is no skin."""
_CENTRES, _REACH = (0.16, 0.5, 0.84), 0.35
"""The thirds, across the template: where each counts most, and how far from there it starts to count little."""
_STEEP = 4
"""How quickly one third passes into the next: where two frames mix, both are blurred."""
_CLEAR, _MOST = 1.1 / 255, 12
"""Deviation of fine grain at one place of the skin, from frame to frame, that a single frame may have, and the most frames that
are averaged. Six clear captures read .5 to 1.1 codes, two with noise of 8 codes 3.4 and 3.7."""
_LOOKS = 40
"""Frames that tell it."""
_SKIN, _SMOOTHEST = 0.5, 25
"""How surely a texel is skin and seen to tell it, and the per cent of them that are free of beard and wrinkles that move."""
_NORMAL = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
_UNLIKELY, _FAINT = 3.0, np.float32(1 / 255)
"""Standard deviations beyond which grain is not the skin's, and what is too faint to tell."""


def weighted_mean(textures: F32, seen: F32, weights: F32) -> F32:
    """SxSx3 mean of `textures` (NxSxSx3) where they were `seen` (NxSxS); each counts as `weights` (N) says."""
    summed, total = np.zeros(textures.shape[1:], np.float32), np.full(seen.shape[1:], 1e-3, np.float32)
    for texture, visible, weight in zip(textures, seen, weights, strict=True):
        summed += texture * (weight * visible)[..., None]
        total += weight * visible
    return summed / total[..., None]


def with_detail(mean: F32, textures: F32, seen: F32, still: F32, space: FaceSpace) -> F32:
    """`mean` (SxSx3) with the grain of single ones of `textures` (NxSxSx3 coded RGB 0..1, even light).

    `still` (N, 0..1) says how free each is of expression and of what is in front. Where none of the chosen was `seen` (NxSxS)
    the mean stays.
    """
    spread, thirds = _GRAIN * len(mean), _thirds(space)
    worths = [_worths(texture, _safe(part), thirds) for texture, part in zip(textures, seen, strict=True)]
    most, stray = _usual_grain(textures[:: -(-len(textures) // _LOOKS)])
    ranked = np.argsort(-np.array(worths) * still[:, None], axis=0, kind="stable")[: _enough(stray, seen, space)]
    fine, total, shown = np.zeros_like(mean), np.full_like(seen[0], 1e-12), np.zeros_like(seen[0])
    for third, chosen in zip(thirds, ranked.T, strict=True):
        for best in chosen:
            view = _safe(seen[best])
            texture = follow(textures[best], smooth_flow(textures[best], mean, view))
            weight = cv2.GaussianBlur(view**2 * third, (0, 0), 4 * spread) ** _STEEP
            grain = _likely(_grain(texture), most)
            fine, total = fine + weight[..., None] * grain, total + weight
            shown = np.maximum(shown, view)
    strength = cv2.GaussianBlur(np.minimum(2 * shown, 1), (0, 0), spread) * _strength(space.template)
    return mean + strength[..., None] * (fine / total[..., None] - _grain(mean))


def _usual_grain(textures: F32) -> tuple[F32, F32]:
    """(SxS, SxS): how strong the grain of `textures` (NxSxSx3) may be at each texel, and its standard deviation among them."""
    looks = np.stack([_grain(texture @ LUMA) for texture in textures])
    usual = np.median(looks, axis=0)
    stray = _NORMAL * np.median(np.abs(looks - usual), axis=0)
    return (np.abs(usual) + _UNLIKELY * stray).astype(np.float32), stray.astype(np.float32)


def _enough(stray: F32, seen: F32, space: FaceSpace) -> int:
    """How many frames must be averaged so that their noise is no more than a clear frame's, by how far grain strays at each texel
    (`stray`, SxS) of the skin that is `seen` (NxSxS)."""
    skin = enlarged(space.skin, seen.shape[1]) * seen.mean(axis=0) > _SKIN
    noise = float(np.percentile(stray[skin], _SMOOTHEST)) if skin.any() else 0.0
    return int(np.clip(round((noise / _CLEAR) ** 2), 1, _MOST))


def _likely(grain: F32, most: F32) -> F32:
    """`grain` (SxSx3) that is nowhere stronger than `most` (SxS): a rim of glasses or a hair that crosses the face in the chosen
    frame stands out from what is there in others."""
    strength = np.abs(grain @ LUMA)
    return grain * np.minimum(1, (most + _FAINT) / np.maximum(strength, _FAINT))[..., None]


def _safe(seen: F32) -> F32:
    """What a frame shows, less a rim beside what it does not."""
    rim = 2 * round(_RIM * len(seen)) + 1
    return cv2.erode(seen, np.ones((rim, rim)))


def _thirds(space: FaceSpace) -> list[F32]:
    """SxS each, 0..1: how much a texel of the donor's share belongs to the left, the middle and the right of the template."""
    side = space.template.side
    across = np.arange(side, dtype=np.float32) / side
    inside = (space.template.spread(space.share) > 0.02).astype(np.float32)
    return [inside * soft_step(np.abs(across - centre), _REACH, 0) for centre in _CENTRES]


def _worths(texture: F32, seen: F32, thirds: list[F32]) -> list[float]:
    """How well a frame serves for each third: how squarely and how sharply it shows it."""
    energy = (_grain(texture) ** 2).sum(axis=2)
    views = [seen**2 * third for third in thirds]
    areas = [float(view.sum()) for view in views]
    return [area * float(np.sqrt((energy * view).sum() / (area + 1))) for view, area in zip(views, areas, strict=True)]


def _strength(template: Template) -> F32:
    """SxS: 1, and `_OPENINGS` around the eyes and the mouth."""
    around = 2 * round(_AROUND * template.side) + 1
    wide = cv2.dilate(openings(template), np.ones((around, around)))
    return 1 - np.float32(1 - _OPENINGS) * cv2.GaussianBlur(wide, (0, 0), _GRAIN * template.side)


def _grain(texture: F32) -> F32:
    return texture - cv2.GaussianBlur(texture, (0, 0), _GRAIN * len(texture))
