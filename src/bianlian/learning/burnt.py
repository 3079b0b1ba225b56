"""Burnt-out skin of a capture: the channels that are lost are told from those that are not.

The red of a face burns out long before its blue. In another light what was burnt would lack red beside what was not: shadows,
which kept it, would look sunburnt.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from bianlian.imaging.face_space import FaceSpace
from bianlian.imaging.performance import enlarged, soft_step
from bianlian.records.arrays import F32

_FULL, _BURNT = 0.9, 0.97
"""Coded values from which a channel may have lost something, and from which it is lost."""
_SOFT = 0.01
"""Standard deviation, share of the template's side, over which what was lost is spread: noise would else tear its edge."""
_FEW = 0.02
"""Share of the skin that may be burnt out as it is: highlights are."""
_DARK = 0.2
"""Coded value under which the quotient of two channels is noise."""
_GREY = 0.05
"""Log quotient of two channels up to which a colour is grey, and tells nothing of others."""


def unburnt(textures: F32, seen: F32, space: FaceSpace) -> F32:
    """`textures` (NxSxSx3 coded RGB, of which NxSxS was `seen`) of a clear capture as they are; of a burnt-out one, changed in
    place, with what its skin would be above 1, all at so low an exposure that nothing is."""
    skin = (enlarged(space.skin, seen.shape[1]) * seen) > 0.5
    colours = textures[skin]
    burnt = colours >= _BURNT
    if not burnt.any(axis=1).mean() > _FEW:
        return textures
    least, second, most = np.argsort(burnt.mean(axis=0), kind="stable")
    quotient, lean = _quotient(colours, second, least), _lean(colours, least, second, most)
    for texture in textures:
        known = texture[..., least]
        texture[..., second] = _told(texture[..., second], quotient * known)
        leaning = np.log(np.maximum(texture[..., second], _DARK) / np.maximum(known, _DARK))
        texture[..., most] = _told(texture[..., most], texture[..., second] * np.exp(lean * leaning))
    textures /= np.float32(max(float(np.percentile(textures[skin], 99.5)), 1.0))
    return textures


def _told(channel: F32, guess: F32) -> F32:
    """SxS: a `channel` of a texture, and where it is burnt out what it is by a `guess`; without an edge between."""
    more = np.maximum(guess / np.maximum(channel, _DARK), 1) - 1
    return channel * (1 + cv2.GaussianBlur(more * soft_step(channel, _FULL, _BURNT), (0, 0), _SOFT * len(channel)))


def _quotient(colours: F32, lost: int, known: int) -> float:
    """Of two channels of a skin's `colours` (Nx3), where neither is lost."""
    clear = colours[_clear(colours)]
    return float(np.median(clear[:, lost] / clear[:, known])) if len(clear) else 1.0


def _lean(colours: F32, least: int, second: int, most: int) -> float:
    """How much farther than the `second` channel from the `least` lies the `most` from the second, in logarithms: what is white,
    an eye or a tooth, then stays so."""
    clear = np.log(colours[_clear(colours)])
    apart = clear[:, second] - clear[:, least]
    told = np.abs(apart) > _GREY
    return float(np.median((clear[told, most] - clear[told, second]) / apart[told])) if told.any() else 0.0


def _clear(colours: F32) -> npt.NDArray[np.bool_]:
    return (colours.max(axis=1) < _BURNT) & (colours.min(axis=1) > _DARK)
