"""Where a pair of eyes looks and how far it is open, read from the landmarks of irises and lids, and from the picture."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.imaging.colour import LUMA
from bianlian.imaging.face_space import FaceSpace
from bianlian.imaging.performance import soft_step
from bianlian.imaging.template import EYE_CORNERS, EYES, IRISES
from bianlian.records.arrays import F32

_IRISES, _OUTLINES, _CORNERS = np.array(IRISES), np.array(EYES), np.array(EYE_CORNERS)
_NARROWEST = 0.15
"""The least that a person's usual opening can be: somebody may blink in a photograph."""

_ALIKE, _UNLIKE = 0.5, 0.1
"""Correlation of an eyeball with its usual look from which the eye is open, and up to which it may be shut. Of four synthetic
performers open ones had .44 and more in 95 of 100 frames, shut ones .4 and less."""
_LIVELY, _FLAT = 1.0, 0.75
"""Contrast over the usual one from which an eye is open, and up to which it may be shut: 1.0 and more in 95 of 100 frames,
.7 and less."""
_PLAIN = 1e-5
"""Variance of coded values that is nothing."""
_TOGETHER, _WINK = 0.15, 0.3
"""Difference of two eyes' openings up to which it is an error of the landmarks, for lids move together, and from which somebody
winks."""
SHUT = 0.35
"""The opening, in usual ones, that a shut eye reads at most."""


def lids(points: F32) -> F32:
    """4, from 478 landmarks (478x3 pixels), all in widths of an eye.

    Where the irises lie between the corners of their eyes, across (right in the picture) and down, mean of both; the openings of
    the eye on the left and of the one on the right of a face seen from the front. A turned head shortens eyes in the picture, so
    openings are in widths in space: a far eye that blinks would else pass for an open one.
    """
    plane = points[:, :2].astype(np.float64) @ (1, 1j)
    left, right = plane[_CORNERS].T
    # A complex number's product with the conjugate of a direction is its part along it and, times i, across it.
    along = np.conj(right - left) / np.abs(right - left) ** 2
    looks = ((plane[_IRISES] - (left + right) / 2) * along).mean()
    openings = np.ptp(((plane[_OUTLINES] - left[:, None]) * along[:, None]).imag, axis=1)
    openings *= np.abs(right - left) / np.linalg.norm(np.diff(points[_CORNERS], axis=1)[:, 0], axis=1)
    return np.array([looks.real, looks.imag, *openings], np.float32)


def usual_openings(pairs: F32) -> F32:
    """2: how far a person's eyes are usually open, from `lids` of many frames (Nx4): a narrow eye is not a closed one."""
    return np.maximum(np.median(pairs[:, 2:], axis=0), _NARROWEST).astype(np.float32)


def shut(texture: F32, usual: F32, space: FaceSpace) -> F32:
    """2, 0..1: how surely each eye is shut, by what a `texture` shows where the `usual` one, of one size and light, has eyeballs.

    The lids' landmarks of a turned head stand half as far apart as usual when the eye is shut. Its picture is plain, and has
    nothing of an eye's bright and dark; one that looks aside is as lively as ever.
    """
    found = np.zeros(2, np.float32)
    for index, eye in enumerate(space.eyes):
        part = tuple(
            slice(*(edge * len(texture) // space.template.side for edge in (way.start, way.stop))) for way in eye.part
        )
        weight = cv2.resize(eye.ball, texture[part].shape[1::-1], interpolation=cv2.INTER_AREA).ravel()
        weight /= weight.sum()
        own, known = (picture[part].reshape(-1, 3) @ LUMA for picture in (texture, usual))
        own, known = own - weight @ own, known - weight @ known
        spread, known_spread, shared = (weight @ product for product in (own * own, known * known, own * known))
        spread, known_spread = spread + _PLAIN, known_spread + _PLAIN
        alike, lively = shared / np.sqrt(spread * known_spread), np.sqrt(spread / known_spread)
        found[index] = soft_step(alike, _ALIKE, _UNLIKE) * soft_step(lively, _LIVELY, _FLAT)
    return found


def with_shut(looks: F32, shut: F32) -> F32:
    """`looks` (Nx4 or 4) with the openings of eyes that are `shut` (Nx2 or 2) taken down to what those of frontal heads have, and
    both eyes alike unless somebody winks: else a blink would show an open eye beside a shut one."""
    seen = looks.copy()
    openings = seen[..., 2:]
    openings -= shut * np.maximum(openings - SHUT, 0)
    apart = openings - openings.mean(axis=-1, keepdims=True)
    openings -= apart * soft_step(2 * np.abs(apart), _WINK, _TOGETHER)
    return seen
