"""Composite → MarkedFrame: the invisible mark into the face first, then the visible label on top of everything.

The only place that makes a `MarkedFrame`; a test reads the syntax tree of the whole package to keep it so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bianlian.marking.interface import FrameMark
from bianlian.marking.label import Label
from bianlian.records.composite import Composite, MarkedFrame


def mark_frames(composites: Iterator[Composite], *, label: Label, watermark: FrameMark) -> Iterator[MarkedFrame]:
    """Mark every frame: watermark in the face pixels, visible label on top, so that nothing can be drawn over it.

    Frames keep their order, stamps and size.

    Raises:
        CallerError: a frame has another size than the label was planned for.
    """
    for composite in composites:
        watermarked = watermark.embed(composite)
        labelled = replace(watermarked, frame=label.apply(watermarked.frame))
        yield MarkedFrame(composite=labelled, label_is_visible=label.is_shown_at(labelled.frame.instant))
