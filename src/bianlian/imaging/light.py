"""Light on a face as a smooth factor over its surface.

log(texture under one light) - log(texture under another) is fitted with second-order spherical harmonics of the canonical
normals (Ramamoorthi & Hanrahan 2001: nine terms hold 99 % of diffuse shading), per colour channel, robustly. So light and skin
tone pass over, but no feature of the face does.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numba
import numpy as np
import numpy.typing as npt

from bianlian.imaging.mesh import I32
from bianlian.imaging.template import Template
from bianlian.records.arrays import F32

F64 = npt.NDArray[np.float64]
TERMS = 9
COARSE = 64
"""Side at which light is fitted."""
ONE_FACE = np.array([0.0] + [0.06] * (TERMS - 1))
"""How strongly each term is held to zero between two pictures of one face; .03 to .3 serve alike on the bench, .001 loses half a
decibel."""
TWO_FACES = np.array([0.0, 0.001, 0.1, 0.1, 0.01, 0.01, 1.0, 1.0, 1.0])
"""The same between two persons: there the quadratic terms fit features more than light. Over ten synthetic pairs this is worth
0.1 dB and .013 of FLIP. The terms that change sign from side to side are free: faces are symmetric, so these are light
alone. Held like the others they lost a third of hard light from a side, and .15 to .3 of FLIP there (docs/engine.md)."""
_BURNT, _MORE = 0.98, 2
"""Coded value from which a channel is burnt out, and how many rounds more are needed where one is."""
_DARKEST = np.float32(4 / 255)
_MEAN = np.full(3, 1 / 3, np.float32)
_MISFIT = np.float32(0.15)
"""Log difference at which a texel counts half."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LightBasis:
    """The harmonics over the template, at the coarse size for fitting."""

    coarse: F32
    """COARSE² x 9."""


def light_basis(vertices: F32, triangles: I32, template: Template) -> LightBasis:
    """From the canonical `vertices` (468x3, image axes)."""
    normals = np.zeros_like(vertices)
    faces = np.cross(
        vertices[triangles[:, 1]] - vertices[triangles[:, 0]], vertices[triangles[:, 2]] - vertices[triangles[:, 0]]
    )
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    normals *= -np.sign(normals[:, 2].mean())
    spread = np.stack([template.spread(axis) for axis in normals.T], axis=-1)
    spread = coarse(spread)
    x, y, z = np.moveaxis(spread / np.maximum(np.linalg.norm(spread, axis=2, keepdims=True), 1e-6), 2, 0)
    terms = np.stack([np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1], axis=-1)
    return LightBasis(coarse=terms.reshape(-1, TERMS).astype(np.float32))


def coarse(image: F32) -> F32:
    """`image` averaged down to COARSE x COARSE."""
    return cv2.resize(image, (COARSE, COARSE), interpolation=cv2.INTER_AREA)


def light_between(
    basis: LightBasis, lit: F32, reference: F32, weights: F32, *, holds: F64 = ONE_FACE, rounds: int = 3
) -> F32:
    """9x3: the light that turns `reference` into `lit` (COARSE x COARSE x 3, coded 0..1), robustly.

    `weights` (COARSE x COARSE, 0..1) say where both are seen and are skin. All zeros give no change. `holds` (9): `ONE_FACE` or
    `TWO_FACES`. What is burnt out in `lit` may have had any more light.
    """
    chosen = np.flatnonzero(weights.ravel() > 0.25)
    if len(chosen) < 4 * TERMS:
        return np.zeros((TERMS, 3), np.float32)
    lit, reference = lit.reshape(-1, 3)[chosen], reference.reshape(-1, 3)[chosen]
    seen = change = np.log(np.maximum(lit, _DARKEST) / np.maximum(reference, _DARKEST))
    rows, strength, hold = basis.coarse[chosen], weights.ravel()[chosen], np.diag(holds)
    trust, light = strength, np.zeros((TERMS, 3))
    burnt = lit >= _BURNT
    is_burnt = bool(burnt.any())
    for _ in range(rounds + _MORE * is_burnt):
        normal, wrong = np.zeros((TERMS, TERMS), np.float32), np.zeros((TERMS, 3), np.float32)
        _add_up(rows, change, trust / trust.sum(), normal, wrong)
        light = np.linalg.solve(normal + hold, wrong).astype(np.float32)
        if is_burnt:
            change = np.where(burnt, np.maximum(seen, rows @ light), seen)
        misfit = np.abs(change - rows @ light) @ _MEAN
        trust = strength / (1 + (misfit / _MISFIT) ** 2)
    return light.astype(np.float32)


@numba.njit(cache=True, fastmath=True, nogil=True)
def _add_up(rows: F32, change: F32, trust: F32, normal: F32, wrong: F32) -> None:  # pragma: no cover - compiled
    """The weighted normal equations of `change` (Nx3) by `rows` (Nx9): added to `normal` (9x9) and `wrong` (9x3)."""
    for texel in range(len(rows)):
        for i in range(TERMS):
            weighted = trust[texel] * rows[texel, i]
            for j in range(TERMS):
                normal[i, j] += weighted * rows[texel, j]
            for k in range(3):
                wrong[i, k] += weighted * change[texel, k]


def factor(basis: LightBasis, light: F32) -> F32:
    """COARSE x COARSE x 3: the factor that `light` means, to be enlarged smoothly."""
    return np.exp(np.clip(basis.coarse @ light, -3, 3)).reshape(COARSE, COARSE, 3)


def relit(texture: F32, basis: LightBasis, light: F32, shadow: F32 | None = None) -> F32:
    """`texture` (SxSx3) under the other light, and in a `shadow` (COARSE x COARSE x 3, a factor) if one is given."""
    side, factors = texture.shape[0], factor(basis, light)
    if shadow is not None:
        factors *= shadow
    return texture * cv2.resize(factors, (side, side), interpolation=cv2.INTER_LINEAR)
