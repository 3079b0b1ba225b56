"""Footage in black and white, or in one tone: no colour comes in with the donor."""

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
second on it is in colour. .067 at most in black and white and two sepias, under noise and at CRF 28 too; .17 with two thirds of
the colour taken away; .29 and more in colour, under coloured light, over-exposed and at CRF 40 too."""
_DARK = np.float32(10 / 255)
"""Coded values below which a quotient is noise."""


def in_tones_of(performer: Performer, appearance: Appearance) -> Appearance:
    """The same appearance in the tones of the performer's picture: greys where that has no colours.

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
    """0..1: whether a performer's mean texture (HxWx3 coded RGB) is in one tone or in colour."""
    seen = reference[reference.min(axis=2) > _DARK]
    if not len(seen):
        return 1.0
    quotients = np.log(seen[:, ::2] / seen[:, 1:2])
    low, high = np.percentile(quotients, [2, 98], axis=0)
    return float(soft_step((high - low).max(), _ONE_TONE, _COLOURED))
