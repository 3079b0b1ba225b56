"""Preview: a few frames of a swap on a contact sheet, before the time for the whole is spent. Permitted, screened and marked
like every result; the track that it makes is the one that the swap uses."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from bianlian.compositing.stage import LEAD_IN, compose
from bianlian.errors import CallerError, NothingToSwap
from bianlian.imaging.colour import PixelBox, rgb_from_frame
from bianlian.marking.label import LabelStyle, plan_label
from bianlian.marking.manifest.facts import SourceType
from bianlian.marking.stage import mark_frames
from bianlian.marking.xmp import xmp_packet
from bianlian.media.decode import frames
from bianlian.media.images import image_kind, write_picture
from bianlian.media.probe import describe, sha256_of
from bianlian.records.arrays import U8
from bianlian.records.composite import Composite, MarkedFrame, PlacedFace
from bianlian.records.face import EXPRESSION_NAMES, Box, Face
from bianlian.records.frame import ColourSpec, Frame, Matrix
from bianlian.records.progress import Progress, Reporter
from bianlian.tracking.store import TrackReader
from bianlian.workflows.casting import FileSwap, id_of, permission, prepared, request_of, require_persons, sealing_of
from bianlian.workflows.house import House
from bianlian.workflows.job import JobFolder
from bianlian.workflows.render import Render
from bianlian.workflows.sealing import Result, checked, released, sealed
from bianlian.workflows.swap import SwapRequest, file_swap
from bianlian.workflows.swap_file import noting_refusals
from bianlian.workflows.tracks import track_footage

CELL = 360
"""Pixels: side of the square that a picture is fitted into."""
_GAP = 8
_COLUMNS = 6
_BAND = 0.2
"""Height of the empty band for the label, over the sheet's shorter side."""
_ROOM = 1.1
"""Side of what is shown over the box that the face is drawn in."""
MOST_FRAMES = 24
_CANDIDATES = 1500
"""Frames of the track that are considered."""
_PAPER = 250
_JAW_OPEN = EXPRESSION_NAMES.index("jawOpen")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRequest:
    """What the user asks for."""

    footage: Path
    sheet: Path
    """PNG, JPEG or WebP; an earlier preview is replaced."""
    casts: Mapping[int, str]
    performer: Path
    level: str = "standard"
    frames: int = 6
    label_language: str = "zh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """A released contact sheet."""

    sheet: Path
    indices: tuple[int, ...]
    """The frames that it shows, from left to right."""
    least_confidence: float
    """Of all faces on it; below 1 the original shows through."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Moment:
    """One frame, before and after."""

    before: Frame
    composite: Composite


def preview(house: House, request: PreviewRequest, reporter: Reporter) -> Previewed:
    """Draw a few frames, spread over what the performer does, and release them on one sheet.

    Raises:
        CallerError: too many frames, another kind of file; no such donor.
        Refusal: consent, content or marks; noted in the ledger.
        MediaError: the footage cannot be used.
    """
    image_kind(request.sheet)
    _require_room(house, request.sheet)
    if not 1 <= request.frames <= MOST_FRAMES:
        raise CallerError(f"A preview has 1 to {MOST_FRAMES} frames, not {request.frames}.")
    asked = SwapRequest(
        footage=(request.footage,), output=request.sheet.parent, casts=request.casts, performer=request.performer,
        level=request.level, label_language=request.label_language,
    )  # fmt: skip
    job, source = file_swap(house, asked, reporter), describe(request.footage)
    paper = {**request_of(job, source.sha256), "preview": [request.frames, request.sheet.suffix.lower()]}
    folder = JobFolder(output=request.sheet, job_id=id_of(house, paper), request=paper)
    folder.open(resume=False)
    try:
        with noting_refusals(house, folder, source):
            return _run(job, folder, request, reporter)
    finally:
        folder.close(is_done=True)  # there is nothing to go on with


def _require_room(house: House, sheet: Path) -> None:
    """An earlier preview may be replaced, nothing else."""
    if sheet.exists():
        digest = sha256_of(sheet)
        if not any(made.sha256 == digest for made in house.registry.outputs()):
            raise CallerError(
                f"{sheet} exists already and is not ours.", advice="Move it away, or choose another name."
            )


def _run(job: FileSwap, folder: JobFolder, request: PreviewRequest, reporter: Reporter) -> Previewed:
    house, source = job.house, describe(request.footage)
    job_id = folder.path.name
    permitted = permission(job, job_id, source)
    track = track_footage(house, source, reporter)
    require_persons(track, source, tuple(job.players))
    house.registry.issue(job_id, key_id=house.code_book().key_id, now=house.clock())
    render = prepared(permitted, job, track)
    indices = spread(track, tuple(job.players), count=request.frames)
    moments: list[_Moment] = []
    for index in indices:
        moments.append(_drawn(render, track, index))
        reporter.progress(Progress(stage="preview", done=len(moments), total=len(indices)))
    marked = _sheet(moments, render, job.style)
    faces = marked.composite.faces
    whole = sealing_of(permitted, job, track)
    # The manifest speaks of the sheet: an image of its own size, with the footage as its ingredient.
    sealing = replace(
        whole,
        source=replace(source, size=marked.frame.size, is_image=True),
        regions=tuple(map(_box_of, faces)),
        carries_watermark=False,
    )
    draft, finished = (folder.path / f"{name}{request.sheet.suffix.lower()}" for name in ("draft", "sealed"))
    write_picture(marked, draft, xmp=xmp_packet(sealing.label, SourceType.TRAINED.value))
    sealed(house, sealing, draft, finished)
    seen = checked(house, sealing, finished, house.landmarker(reporter), reporter)
    pairs = [(permitted.grants[person], permitted.uses[person]) for person in permitted.uses]
    request.sheet.unlink(missing_ok=True)
    released(house, sealing, pairs, Result(file=finished, output=folder.output, prints=seen.prints))
    return Previewed(
        sheet=request.sheet, indices=indices, least_confidence=min((face.confidence for face in faces), default=0.0)
    )


def spread(track: TrackReader, persons: Sequence[int], *, count: int) -> tuple[int, ...]:
    """At most `count` frames with somebody of `persons` in them, as unlike in pose and speech as there are, ascending.

    Raises:
        NothingToSwap: none of them is in the footage.
    """
    total = track.info.frame_count
    step = max(1, total // _CANDIDATES)
    found = [
        (index, _deed(tracked.face))
        for index in range(0, total, step)
        for tracked in next(iter(track.faces(index, index + 1)))
        if tracked.person in persons
    ]
    if not found:
        raise NothingToSwap("Nobody who is cast is to be seen in the footage.")
    deeds = np.array([deed for _, deed in found])
    chosen = [int(np.argmin(np.linalg.norm(deeds[:, :2], axis=1)))]  # the calmest look first, then farthest from all
    while len(chosen) < min(count, len(found)):
        away = np.linalg.norm(deeds[:, None] - deeds[None, chosen], axis=2).min(axis=1)
        if away.max() == 0:
            break
        chosen.append(int(away.argmax()))
    return tuple(sorted({found[at][0] for at in chosen}))


def _deed(face: Face) -> tuple[float, float, float]:
    """Pose in radians, and how far the mouth is open: a wide open mouth counts like half a radian."""
    return face.pose.yaw, face.pose.pitch, 0.5 * float(face.expression[_JAW_OPEN])


def _drawn(render: Render, track: TrackReader, index: int) -> _Moment:
    begin = max(0, index - LEAD_IN)
    start = next(iter(track.instants(begin, begin + 1)))
    last: deque[Frame] = deque(maxlen=1)

    def seen() -> Iterator[Frame]:
        for frame in islice(frames(render.source, start=start, start_index=begin), index + 1 - begin):
            last.append(frame)
            yield frame

    composites = compose(zip(seen(), track.faces(begin, index + 1), strict=True), render.casts, render.space)
    (composite,) = deque(composites, maxlen=1)
    return _Moment(before=last[0], composite=composite)


def _sheet(moments: Sequence[_Moment], render: Render, style: LabelStyle) -> MarkedFrame:
    """Footage above, result below, an empty band for the label; marked as one picture."""
    columns = min(_COLUMNS, len(moments))
    rows = -(-len(moments) // columns)
    pitch = CELL + _GAP
    height, width = rows * 2 * pitch + _GAP, columns * pitch + _GAP
    sheet = np.full((height + int(_BAND * min(height, width)), width, 3), _PAPER, np.uint8)
    faces: list[PlacedFace] = []
    for number, moment in enumerate(moments):
        row, column = divmod(number, columns)
        left, top = _GAP + column * pitch, _GAP + row * 2 * pitch
        box = _shown(moment)
        _, scale = _put(sheet, rgb_from_frame(moment.before, box), left, top)
        (at_left, at_top), scale = _put(sheet, rgb_from_frame(moment.composite.frame, box), left, top + pitch)
        faces += [_moved(face, box, scale, at_left, at_top) for face in moment.composite.faces]
    red, green, blue = (np.ascontiguousarray(sheet[..., channel]) for channel in range(3))
    frame = Frame(
        index=0, instant=moments[0].before.instant, duration=0, planes=(red, green, blue), bit_depth=8,
        colour=ColourSpec(matrix=Matrix.RGB, primaries=1, transfer=13, full_range=True),
    )  # fmt: skip
    everything = Box(left=0, top=0, right=width, bottom=height)
    # The profile with a label at the opening only is for films; a sheet keeps its label.
    shown = replace(style, opening_seconds=0 * style.opening_seconds)
    label = plan_label(frame.size, [everything, *map(_box_of, faces)], style=shown, start=frame.instant)
    composite = Composite(frame=frame, faces=tuple(faces))
    (marked,) = mark_frames(iter([composite]), label=label, watermark=render.watermark)
    return marked


def _shown(moment: _Moment) -> PixelBox:
    """The part of the frame around all faces that were drawn; all of it where none was."""
    size = moment.before.size
    boxes = [_box_of(face) for face in moment.composite.faces]
    if not boxes:
        return PixelBox(left=0, top=0, right=size[1], bottom=size[0]).clipped(size)
    union = boxes[0]
    for box in boxes[1:]:
        union = union.around(box)
    centre_x, centre_y = (union.left + union.right) / 2, (union.top + union.bottom) / 2
    reach = max(union.width, union.height) * _ROOM / 2
    return PixelBox(
        left=int(centre_x - reach), top=int(centre_y - reach), right=int(centre_x + reach), bottom=int(centre_y + reach)
    ).clipped(size)


def _put(sheet: U8, picture: U8, left: int, top: int) -> tuple[tuple[int, int], float]:
    """Fit a picture into a cell; returns where its corner is, and its scale."""
    height, width = picture.shape[:2]
    scale = CELL / max(height, width)
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    fitted = cv2.resize(picture, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=kind)
    left, top = left + (CELL - fitted.shape[1]) // 2, top + (CELL - fitted.shape[0]) // 2
    sheet[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    return (left, top), scale


def _moved(face: PlacedFace, box: PixelBox, scale: float, left: int, top: int) -> PlacedFace:
    """A placed face as it lies on the sheet."""
    rows, columns = face.matte.shape
    matte = cv2.resize(
        face.matte, (max(1, round(columns * scale)), max(1, round(rows * scale))), interpolation=cv2.INTER_AREA
    )
    corner = np.array([box.left, box.top, 0], np.float32)
    # Pixel centres: (x + 1/2) * scale - 1/2 in both axes.
    points = (face.points_image - corner + np.float32(0.5)) * np.float32(scale) - np.float32(0.5)
    points[:, :2] += (left, top)
    return replace(
        face, left=left + round((face.left - box.left) * scale), top=top + round((face.top - box.top) * scale),
        matte=matte.astype(np.uint8), points_image=points.astype(np.float32),
    )  # fmt: skip


def _box_of(face: PlacedFace) -> Box:
    rows, columns = face.matte.shape
    return Box(left=face.left, top=face.top, right=face.left + columns, bottom=face.top + rows)
