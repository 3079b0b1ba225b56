"""When the pictures of a file are shown, read from its packets without decoding any."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bianlian.media.containers import main_video, promised_end, reading, time_base_of

Ticks = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stamps:
    """The main video's presentation stamps."""

    time_base: Fraction
    pts: Ticks
    """Ascending, in ticks."""
    keys: Ticks
    """Those at which decoding can begin."""
    end: Fraction
    """Seconds at which the container says that the video ends; 0 where it does not say."""


def stamps_of(path: Path) -> Stamps:
    """The stamps of a video file; 16 bytes of memory a picture.

    Raises:
        UnreadableMedia: damaged.
        NothingToSwap: no video in it.
    """
    shown: list[int] = []
    keys: list[int] = []
    with reading(path) as container:
        stream = main_video(container, path)
        for packet in container.demux(stream):
            if packet.pts is not None and not packet.is_discard:
                shown.append(packet.pts)
                if packet.is_keyframe:
                    keys.append(packet.pts)
        return Stamps(
            time_base=time_base_of(stream), pts=np.sort(np.array(shown, np.int64)), keys=np.sort(np.array(keys, np.int64)),
            end=promised_end(stream),
        )  # fmt: skip
