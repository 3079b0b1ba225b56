"""Footage in black and white, in one tone or washed out: no colour comes in with the donor that it would not show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bianlian.compositing.performer import Performer
from bianlian.imaging.colour import LUMA
from bianlian.imaging.performance import soft_step
from bianlian.records.appearance import Appearance
from bianlian.records.arrays import F32

_ONE_TONE, _COLOURED = 0.07, 0.17
"""Range over a face (2 to 98 % of its texels) of the log quotients of its channels: up to the first it has one tone, from the
second on it may be in colour. .067 at most in black and white and two sepias, under noise and at CRF 28 too; .17 with two thirds
of the colour taken away; .29 and more in colour, under coloured light, over-exposed and at CRF 40 too."""
_TINTED, _VIVID = 0.005, 0.035
"""How far colours stray from those that brightness tells, over the mean brightness: up to the first a face has a tint, from the
second on all colours. .006 in film whose shadows have another tint than its lights; .02 and .03 in washed-out footage of real
persons; .034 and more in that of fourteen real and nine synthetic ones under any light (docs/engine.md)."""
_TERMS = 4
"""Of the polynomial of brightness that a tint is."""
_DARK = np.float32(10 / 255)
"""Coded values below which a colour is noise."""


def in_tones_of(performer: Performer, appearance: Appearance) -> Appearance:
    """The same appearance in the tones of the performer's picture: paler where that is washed out, greys where it has no colours.

    What tone the greys get is the light's matter.
    """
    colour = _colours(performer.reference)
    if colour == 1:
        return appearance

    def toned(picture: np.ndarray) -> np.ndarray:
        values = picture.astype(np.float32)
        greys = (values @ LUMA)[..., None]
        mixed = greys + np.float32(colour) * (values - greys)
        return mixed if picture.dtype == np.float32 else np.rint(mixed).astype(picture.dtype)

    basis = np.array([toned(row) for row in appearance.basis], np.int8).reshape(appearance.basis.shape)
    return replace(appearance, mean=toned(appearance.mean), basis=basis, eyes=toned(appearance.eyes))


def _colours(reference: F32) -> float:
    """0..1: how much a performer's mean texture (HxWx3 coded RGB) has of all colours; 0 in one tone or tint."""
    seen = reference[reference.min(axis=2) > _DARK]
    if len(seen) <= _TERMS:
        return 1.0
    quotients = np.log(seen[:, ::2] / seen[:, 1:2])
    low, high = np.percentile(quotients, [2, 98], axis=0)
    return float(
        min(soft_step((high - low).max(), _ONE_TONE, _COLOURED), soft_step(_strays(seen), _TINTED, _VIVID)),
    )


def _strays(seen: F32) -> F32:
    """How far the colours of N texels (Nx3) stray from those that their brightness tells, over its mean."""
    luma = seen @ LUMA
    powers, colours = luma[:, None] ** np.arange(_TERMS), seen[:, ::2] - luma[:, None]
    strays = colours - powers @ np.linalg.lstsq(powers, colours, rcond=None)[0]
    return np.linalg.norm(strays.std(axis=0)) / luma.mean()
