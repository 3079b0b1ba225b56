"""The tone curve between capture and footage: a flat or a steep grade, or a camera's own.

A curve is near enough a power of the coded values, and a power makes eyes, lips and all shading stand out more or less from the
skin. How much they do so on a face at rest is much the same from person to person, so that a large difference is the curve's.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from bianlian.compositing.performer import Performer
from bianlian.imaging.colour import LUMA
from bianlian.imaging.face_space import FaceSpace
from bianlian.imaging.light import coarse
from bianlian.imaging.performance import soft_step
from bianlian.imaging.template import EYES, LIPS, filled
from bianlian.records.appearance import Appearance, coded
from bianlian.records.arrays import F32

_OWN, _CURVE = 0.1, 0.4
"""Log quotient of two faces' contrasts up to which it is the persons', and from which it is the curve's. Between persons before
one camera it has a standard deviation of .12 (nine synthetic ones; seven real ones likewise)."""
_FEW, _MANY = 4, 16
"""Frames of the performer up to which nothing is said, and from which all is: a single one is sharper than a mean and may show a
mouth, which reads as .25 of contrast; eight read as .13, sixteen as .03."""
_ODD = 0.25
"""How far one of the features may be from the median of them: painted lips, or pale ones, are no curve."""
_STEEPEST = np.float32(1.5)
"""The largest power: what is darkest would else be torn apart."""
_SKIN = 60
"""Percentile of a face that is its skin; .01, .1 and .1 of the face, the eyeballs and the lips are their dark."""
_DARK_FACE, _DARK_BALL, _DARK_LIP = 1, 10, 10
_DARKEST = np.float32(0.04)
"""Coded value under which one dark is as another."""
_FAINT = 0.05
"""The least depth, log units, of a feature that is to be seen."""
_FINE, _BROAD = 0.8, 2.0
"""Standard deviations, coarse texels, between and under which lie the details by whose quotient a face is sharp, whatever the
curve. Over eighteen sharp synthetic clips the log of it has a standard deviation of .1; a blur of 1 takes .8."""
_ALIKE = 1.15
"""Quotient of two sharp faces' sharpness that may be their own."""
_BLURS = np.arange(0.3, 2.05, 0.1)


def in_contrast_of(performer: Performer, appearance: Appearance, space: FaceSpace) -> Appearance:
    """The same appearance through the tone curve of the performer's picture."""
    mean = coarse(appearance.mean)
    power = _power_between(mean, performer, space)
    if power == 1:
        return appearance
    skin = np.maximum(np.percentile(mean[_skin(space)], _SKIN, axis=0), _DARKEST).astype(np.float32)

    def through(values: F32) -> F32:
        return skin * np.maximum(values / skin, _DARKEST / 4) ** power

    curved = through(appearance.mean)
    slope = power * curved / np.maximum(appearance.mean, _DARKEST)
    basis, steps = coded(row * slope for row in appearance.basis)
    codes = np.tile(np.linspace(0, 1, 256, dtype=np.float32)[:, None], 3)
    table = np.rint(255 * np.minimum(through(codes), 1)).astype(np.uint8)
    return replace(
        appearance, mean=curved, basis=basis.reshape(appearance.basis.shape), scales=appearance.scales * steps,
        eyes=np.stack([table[appearance.eyes[..., channel], channel] for channel in range(3)], axis=-1),
    )  # fmt: skip


def _power_between(mean: F32, performer: Performer, space: FaceSpace) -> np.float32:
    """The power that makes the features of a donor's `mean` (COARSE x COARSE x 3) stand out as the performer's do; 1 where that
    may be the persons' own."""
    worn, eyes = performer.reference, _eyes(space)
    apart = contrasts(_as_sharp_as(mean, worn, eyes), space) - contrasts(_as_sharp_as(worn, mean, eyes), space)
    apart = np.clip(apart, np.median(apart) - _ODD, np.median(apart) + _ODD).mean()
    sure = soft_step(np.abs(apart), _OWN, _CURVE) * soft_step(performer.frames[0], _FEW, _MANY)
    return np.minimum(np.exp(sure * apart), _STEEPEST)


def contrasts(face: F32, space: FaceSpace) -> F32:
    """4: log of how far, in log units, features of a mean texture (COARSE x COARSE x 3) stand out from its skin: the darkest of
    the whole face, of the eyeballs and of the lips, and the eyes with their lids."""
    luma, template = _log_luma(face), space.template
    inner = space.coarse_share() > 0.5
    balls, lips = (coarse(filled(template, *outlines)) > 0.3 for outlines in (EYES, (LIPS,)))
    skin = np.percentile(luma[_skin(space)], _SKIN)
    parts = (inner, _DARK_FACE), (balls, _DARK_BALL), (lips, _DARK_LIP)
    depths = [skin - np.percentile(luma[part], dark) for part, dark in parts]
    return np.log(np.maximum([*depths, luma[_eyes(space)].std()], _FAINT)).astype(np.float32)


def _as_sharp_as(other: F32, face: F32, eyes: npt.NDArray[np.bool_]) -> F32:
    """`face` blurred until it is no sharper than the `other` (both COARSE x COARSE x 3): blur takes contrast too, and is matched
    by itself (`blur.py`)."""
    enough, blurred = _ALIKE * _sharpness(other, eyes), face
    for spread in _BLURS:
        if _sharpness(blurred, eyes) <= enough:
            break
        blurred = cv2.GaussianBlur(face, (0, 0), float(spread))
    return blurred


def _sharpness(face: F32, eyes: npt.NDArray[np.bool_]) -> float:
    """How much fine detail there is about the `eyes` of a mean texture (COARSE x COARSE x 3), over the broader."""
    luma = _log_luma(face)
    broad, broader = (cv2.GaussianBlur(luma, (0, 0), spread) for spread in (_FINE, _BROAD))
    return float((luma - broad)[eyes].std() / max((broad - broader)[eyes].std(), 1e-6))


def _log_luma(face: F32) -> F32:
    return np.log(np.maximum(face @ LUMA, _DARKEST))


def _eyes(space: FaceSpace) -> npt.NDArray[np.bool_]:
    """COARSE x COARSE: the eyes with their lids."""
    lids = np.zeros((space.template.side, space.template.side), np.float32)
    for eye in space.eyes:
        lids[eye.part] = np.maximum(lids[eye.part], eye.lids)
    return coarse(lids) > 0.3


def _skin(space: FaceSpace) -> npt.NDArray[np.bool_]:
    return (space.coarse_share() > 0.5) & (space.skin > 0.5)
