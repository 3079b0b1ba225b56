"""The seam of the pixel marks: what `mark_frames` asks of an invisible mark. Reading is in `verification/interface.py`."""

from __future__ import annotations

from typing import Protocol

from bianlian.records.composite import Composite


class FrameMark(Protocol):
    """An invisible mark that lives in the pixels of the placed faces."""

    def embed(self, composite: Composite) -> Composite:
        """Return the composite with the mark in the planes of its faces, and `faces` as they came.

        Called once for every frame in display order, so an implementation may count frames or hop patterns by
        `composite.frame.index`. A composite without a drawn face (no `faces`, or a matte of zeros) comes back as it is.
        Pixels outside the faces' mattes stay bit-identical.
        """
        ...
