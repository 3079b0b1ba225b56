"""The eyes of every moment of a capture, as `compositing.eyes` mixes them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from bianlian.imaging.face_space import SIDE, Eye, FaceSpace
from bianlian.imaging.lids import lids, usual_openings
from bianlian.imaging.shape import F64
from bianlian.learning.ridge import ridge, with_constant
from bianlian.records.arrays import F32, U8
from bianlian.records.face import Face

_HOLD = 3.0
"""Moments that would have to differ for a kind of moment to count half. 1 to 10 serve alike."""
_FARTHEST = 4.0 / SIDE
"""Share of the template's side that landmarks of lids may be off; 2 leave a third of the blur of one donor."""
_BLUR = 5
"""Texels of blur before two pictures of an eye are compared; 3 to 7 serve alike."""
_ROUNDS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 20, 1e-3)
_FLAT = 1e-6


def looks_of(faces: Sequence[Face]) -> F32:
    """Nx4, see `Appearance.looks`."""
    looks = np.stack([lids(face.points_image) for face in faces])
    looks[:, 2:] /= usual_openings(looks)
    return looks


def eyes_of(textures: F32, seen: F32, looks: F32, turns: F32, space: FaceSpace) -> tuple[U8, F32]:
    """(Nx2xHxWx3, Nx2), see `Appearance.eyes` and `eyes_seen`.

    Args:
        textures: NxSxSx3 under one light, and how well each texel was `seen`, NxSxS.
        looks: Nx4, see `looks_of`.
        turns: Nx2 radians, yaw and pitch.

    The landmarks of lids are a texel off from frame to frame, and a mix of such moments is a smear. So each moment is laid over
    what moments of its kind look like in the mean.
    """
    patches, shown, farthest = list[U8](), list[F32](), _FARTHEST * textures.shape[1]
    for index, eye in enumerate(space.eyes):
        own = np.rint(255 * np.clip(textures[:, *eye.part], 0, 1)).astype(np.uint8)
        usual = _usual(own, np.concatenate([looks[:, [0, 1, 2 + index]], turns], axis=1).astype(np.float64))
        patches.append(np.stack([_laid_over(one, like, eye, farthest) for one, like in zip(own, usual, strict=True)]))
        shown.append(seen[:, *eye.part].mean(axis=(1, 2)))
    return np.stack(patches, axis=1), np.stack(shown, axis=1)


def _usual(patches: U8, kinds: F64) -> U8:
    """NxHxWx3: how moments of the `kinds` (NxK, the first three of them the look) of these `patches` look in the mean."""
    kinds = _standard(kinds)
    powers = _standard(np.concatenate([kinds, kinds**2, kinds[:, :2] * kinds[:, 2:3]], axis=1))
    weights, _ = ridge(powers, patches.reshape(len(patches), -1).astype(np.float64), _HOLD)
    return np.clip(with_constant(powers) @ weights, 0, 255).astype(np.uint8).reshape(patches.shape)


def _standard(values: F64) -> F64:
    return (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), _FLAT)


def _laid_over(patch: U8, like: U8, eye: Eye, farthest: float) -> U8:
    """`patch` moved over what it should look `like` (both HxWx3), no farther than so many texels; as it is, where they are too
    unlike to tell (Evangelidis & Psarakis 2008)."""
    height, width = patch.shape[:2]
    target, grey = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (like, patch))
    lids_alone = (eye.lids > 0.5).astype(np.uint8)
    try:
        _, move = cv2.findTransformECC(
            target, grey, np.eye(2, 3, dtype=np.float32), cv2.MOTION_TRANSLATION, _ROUNDS, lids_alone, _BLUR
        )
    except cv2.error:  # flat, or they do not come together
        return patch
    move[:, 2] *= min(1.0, farthest / max(float(np.linalg.norm(move[:, 2])), _FLAT))
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(patch, move, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
