"""How large a picture may be: hostile headers must not be able to ask for more memory than a machine has."""

from __future__ import annotations

from bianlian.errors import UnsupportedMedia
from bianlian.records.frame import Size

MAX_SIDE = 16_384
"""Pixels; the limit of H.264 level 6.2 and HEVC level 6.2 lies at 16,384 and 16,888."""
MAX_PIXELS = 89_478_485
"""Pixels; where Pillow begins to speak of a decompression bomb: a quarter of a GiB of RGB."""
MIN_SIDE = 16
"""Pixels; one macroblock. Below it there is no face, and x264 and x265 refuse."""


def check_size(size: Size, name: str) -> None:
    """Refuse pictures of (height, width) outside the limits.

    Raises:
        UnsupportedMedia: too large or too small.
    """
    height, width = size
    if max(size) > MAX_SIDE or height * width > MAX_PIXELS:
        raise UnsupportedMedia(
            f"{name} is {width}x{height} pixels; the limit is {MAX_SIDE} a side and {MAX_PIXELS / 1e6:.0f} million in all.",
            advice="Scale it down first.",
        )
    if min(size) < MIN_SIDE:
        raise UnsupportedMedia(f"{name} is only {width}x{height} pixels.", advice="Give footage that shows a face.")
