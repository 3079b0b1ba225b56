"""What a capture shows of a donor, and what to add: the likeness can only be as good as this."""

from __future__ import annotations

import numpy as np

from bianlian.donors.series import Series
from bianlian.records.donor import Coverage
from bianlian.records.face import EXPRESSION_NAMES

_MOVED = 0.25
"""A blendshape whose 2nd to 98th percentile span this much has been shown well."""
_WANTED_YAW, _WANTED_PITCH = np.radians(25), np.radians(10)
"""Footage of conversation stays within these angles for most of the time."""
_WANTED = {
    "jawOpen": "open the mouth wide once",
    "eyeBlinkLeft": "close the eyes once",
    "mouthSmileLeft": "smile broadly",
    "browInnerUp": "raise the eyebrows",
    "mouthPucker": "say words with round lips (oo, w)",
}


def measure_coverage(series: Series) -> Coverage:
    """Ranges of pose (2nd to 98th percentile), expressions that moved, and what is missing in words."""
    seen = series.is_present
    yaw, pitch = _range(series.yaw[seen]), _range(series.pitch[seen])
    low, high = np.percentile(series.expression[seen], (2, 98), axis=0)
    moved = tuple(name for name, span in zip(EXPRESSION_NAMES, high - low, strict=True) if span >= _MOVED)
    missing = [
        f"turn the head further to your {side}"
        for side, reached in (("left", yaw[1] >= _WANTED_YAW), ("right", yaw[0] <= -_WANTED_YAW))
        if not reached
    ]
    missing += [
        f"tilt the head further {way}"
        for way, reached in (("up", pitch[1] >= _WANTED_PITCH), ("down", pitch[0] <= -_WANTED_PITCH))
        if not reached
    ]
    missing += [sentence for name, sentence in _WANTED.items() if name not in moved]
    return Coverage(yaw=yaw, pitch=pitch, expressions=moved, missing=tuple(missing))


def _range(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, (2, 98))
    return float(low), float(high)
