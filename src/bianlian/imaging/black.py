"""The black level: in haze, under a flat grade and on a faded copy nothing in the picture is black.

Light multiplies and haze adds. So what haze adds is taken off before anything is said about light, and laid over what is drawn;
else a donor's brows and pupils would be the darkest things in the picture, and all shading too strong.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bianlian.imaging.colour import luma_from_frame
from bianlian.records.arrays import F32
from bianlian.records.frame import Frame

_PERCENT = 0.01
"""Share of a picture that is its darkest part. Ten times as much is up to .05 farther from black, by what there is to be seen."""
_SAMPLED = 256
"""Pixels along the shorter side that are looked at."""
_BAR = 0.1
"""Coded luma that no pixel of the black bars beside a picture reaches."""
_MARGIN = 0.02
"""How far the darkest thing that is seen is from black. Nineteen clear clips read -.04 to .02, twelve hazy ones .07 to .19; to
take off too much costs more fidelity than to take off too little."""
_LEAST = 0.02
"""A lower level is none."""


def darkest(frame: Frame) -> float:
    """Coded luma, about 0..1, of the darkest part of a picture, black bars beside it left out."""
    luma = luma_from_frame(frame, step=max(1, min(frame.size) // _SAMPLED))
    bright = luma > _BAR
    luma = luma[bright.any(axis=1)][:, bright.any(axis=0)]
    return float(np.percentile(luma, _PERCENT)) if luma.size else 0.0


def black_level(darkest_parts: Iterable[float]) -> float:
    """The coded value, 0..1, that all of a clip is raised by, from `darkest` of its frames; 0 for clear footage."""
    level = min(darkest_parts, default=0.0) - _MARGIN
    return level if level >= _LEAST else 0.0


def sunk(rgb: F32, black: float) -> F32:
    """Coded `rgb`, raised by `black`, as it would be without; what is darker becomes negative."""
    return (rgb - np.float32(black)) / np.float32(1 - black) if black else rgb


def raised(rgb: F32, black: float) -> F32:
    """The inverse of `sunk`."""
    return rgb * np.float32(1 - black) + np.float32(black) if black else rgb
