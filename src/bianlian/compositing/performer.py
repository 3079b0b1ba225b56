"""What must be known about the performer before a face can be put on: shape, skin and how steady they look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bianlian.compositing.grain import grain_over, roughness
from bianlian.errors import NothingToSwap, UnreadableMedia
from bianlian.imaging.black import black_level, darkest, sunk
from bianlian.imaging.colour import PixelBox, rgb_float_from_frame
from bianlian.imaging.doubt import shape_doubt
from bianlian.imaging.face_space import SMALL, FaceSpace, plain_skin
from bianlian.imaging.glasses import WORN, GlassesFinder, around, glasses_finder
from bianlian.imaging.lids import lids, usual_openings
from bianlian.imaging.light import COARSE, coarse, factor, light_between, relit
from bianlian.imaging.occlusion import stray
from bianlian.imaging.performance import enlarged
from bianlian.imaging.seam import pupils_apart
from bianlian.imaging.shape import at_rest, neutral_shape, resting_expression
from bianlian.imaging.template import unwrap, visibility
from bianlian.records.appearance import pack, unpack
from bianlian.records.arrays import F32, frozen
from bianlian.records.face import Face, TrackedFace
from bianlian.records.frame import Frame

FORMAT, VERSION = "bianlian-performer", 11
_LIVELY = 4
"""How much more the variance of an expression counts than its mean. At 4 the bench pairs change by at most .01 dB."""
_THROUGH = np.float32(0.02)
"""What skin behind glasses still counts: somewhere it may never be seen otherwise."""
_ARRAYS = (
    "neutral",
    "shape_doubt",
    "pupils",
    "known",
    "settled",
    "rest",
    "reference",
    "tolerance",
    "usual",
    "grain",
    "habit",
    "liveliness",
    "open",
    "glasses",
    "black",
    "frames",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Performer:
    """One performer over one piece of footage."""

    neutral: F32
    """468x3 centimetres, image axes: the face with all expression coefficients zero."""
    shape_doubt: F32
    """1: centimetres that it may be off, see `doubt.shape_doubt`."""
    pupils: F32
    """1: centimetres between them, see `seam.pupils_apart`."""
    known: F32
    """468, 0..1: how well each point of it is known, see `shape.at_rest`."""
    settled: F32
    """468, 0..1: how often each point is seen at rest."""
    rest: F32
    """51: the coefficients of the calm face."""
    reference: F32
    """COARSE x COARSE x 3 coded RGB: the mean texture under the mean light."""
    tolerance: F32
    """COARSE x COARSE: how far, in log units, the texture usually strays from the reference under the frame's light."""
    usual: F32
    """SMALL x SMALL x 3 coded RGB: the mean of the textures, each brought to the reference's light."""
    grain: F32
    """2: standard deviation of the plate's grain, see `grain.grain_over`."""
    habit: F32
    """51: the mean expression above rest."""
    liveliness: F32
    """51: its standard deviation."""
    open: F32
    """2: how far the eyes are usually open, see `lids.usual_openings`."""
    glasses: F32
    """1: the share of the frames in which glasses are worn."""
    black: F32
    """1: what all coded values of the footage are raised by, see `black.black_level`. All textures here are without."""
    frames: F32
    """1: how many frames were looked at."""

    def __post_init__(self) -> None:
        for name, shape in (
            ("neutral", (468, 3)), ("shape_doubt", (1,)), ("pupils", (1,)), ("known", (468,)),
            ("settled", (468,)), ("rest", (51,)), ("reference", (COARSE, COARSE, 3)),
            ("tolerance", (COARSE, COARSE)), ("usual", (SMALL, SMALL, 3)), ("grain", (2,)),
            ("habit", (51,)), ("liveliness", (51,)), ("open", (2,)), ("glasses", (1,)), ("black", (1,)), ("frames", (1,)),
        ):  # fmt: skip
            object.__setattr__(self, name, frozen(getattr(self, name), name, shape, np.float32))

    def look(self, points: F32) -> F32:
        """4: `lids.lids` of the landmarks of this performer in a frame, openings in usual ones."""
        return lids(points) / np.append(np.ones(2, np.float32), self.open)

    def under(self, light: F32, space: FaceSpace) -> F32:
        """SMALL x SMALL x 3: the usual look under `light`, clipped as the plate clips."""
        return np.minimum(relit(self.usual, space.light, light), np.float32(1))

    def stillness(self) -> float:
        """0..1: how far the `usual` look is one expression and not a mean over many; 1 for a photograph, .1 for ordinary talk."""
        habit, moved = float((self.habit**2).sum()), float((self.liveliness**2).sum())
        return habit / max(habit + _LIVELY * moved, 1e-6)

    def wears_glasses(self) -> bool:
        """Whether to look for glasses in every frame."""
        return bool(self.glasses[0] >= WORN)

    def to_bytes(self) -> bytes:
        """The file's content, without pickles; the same performer gives the same bytes."""
        return pack({"format": FORMAT, "version": VERSION}, {name: getattr(self, name) for name in _ARRAYS})

    @classmethod
    def from_bytes(cls, content: bytes) -> Performer:
        """Read what `to_bytes` wrote.

        Raises:
            UnreadableMedia: not such a file, another version, or damaged.
        """
        _, arrays = unpack(content, FORMAT, VERSION, _ARRAYS)
        try:
            return cls(**arrays)
        except ValueError as error:
            raise UnreadableMedia(
                f"the performer's file is damaged: {error}", advice="track the footage again"
            ) from error


def face_box(face: Face, frame: Frame) -> PixelBox:
    """The even-edged box of a face with a margin for a donor's larger features, inside the picture."""
    box = face.box
    margin = 0.12 * box.height
    return PixelBox(
        left=int(box.left - margin), top=int(box.top - margin),
        right=int(box.right + margin) + 1, bottom=int(box.bottom + margin) + 1,
    ).clipped(frame.size)  # fmt: skip


def small_texture(rgb: F32, points: F32, space: FaceSpace) -> tuple[F32, F32]:
    """SMALL x SMALL x 3 texture of a face whose landmarks lie in `rgb`, and how well each texel is seen."""
    return unwrap(rgb, points, space.small).astype(np.float32), visibility(points, space.small)


def study(frames: Iterable[tuple[Frame, TrackedFace]], space: FaceSpace, *, limit: int = 64) -> Performer:
    """Study a performer from frames of the footage, evenly thinned to between limit/2 and `limit`.

    Raises:
        NothingToSwap: the performer is to be seen in no frame.
    """
    kept: list[tuple[Face, F32, F32, F32, float]] = []
    stride, count = 1, 0
    for frame, tracked in frames:
        if tracked.is_interpolated:
            continue
        if count % stride == 0:
            box = face_box(tracked.face, frame)
            corner = np.array([box.left, box.top, 0], np.float32)
            rgb = rgb_float_from_frame(frame, box)
            points = tracked.face.points_image - corner
            look = small_texture(rgb, points, space)
            kept.append((tracked.face, *look, roughness(rgb, points, space), darkest(frame)))
            if len(kept) == limit:
                kept, stride = kept[::2], stride * 2
        count += 1
    if not kept:
        raise NothingToSwap("the performer's face is to be seen in no frame", advice="run: bianlian people FOOTAGE")
    faces, looks, parts, roughs, darks = zip(*kept, strict=True)
    neutral = neutral_shape(faces, space.canonical, space.expressions, space.pose_weights)
    black = black_level(darks)
    textures, seen = sunk(np.stack(looks), black), np.stack(parts)
    rough = (np.stack(roughs) / (1 - black)).astype(np.float32)
    share, seen = _without_glasses(textures, seen, glasses_finder(space))
    reference, tolerance, lights, trust = habits(
        np.stack([coarse(texture) for texture in textures]), np.stack([coarse(part) for part in seen]), space
    )
    known, settled = at_rest(faces, space.expressions)
    rest, expressions = resting_expression(faces), np.stack([face.expression[1:] for face in faces])
    pupils = pupils_apart(faces, neutral, space.expressions, space.pose_weights)
    return Performer(
        neutral=neutral.astype(np.float32), shape_doubt=np.array([shape_doubt(faces, space)], np.float32),
        pupils=np.array([pupils], np.float32),
        known=known.astype(np.float32), settled=settled.astype(np.float32), rest=rest,
        reference=reference, tolerance=tolerance,
        open=usual_openings(np.stack([lids(face.points_image) for face in faces])),
        habit=(expressions - rest).mean(axis=0), liveliness=expressions.std(axis=0),
        usual=usual_look(textures, seen, lights, trust, space), grain=grain_over(rough, seen, lights, space),
        glasses=np.array([share], np.float32), black=np.array([black], np.float32),
        frames=np.array([len(faces)], np.float32),
    )  # fmt: skip


def _without_glasses(textures: F32, seen: F32, find: GlassesFinder) -> tuple[float, F32]:
    """(the share of frames in which glasses are worn; NxSxS, how well the face is `seen` where they are not before it)."""
    looks = list(zip(textures, seen, strict=True))
    share = find.share_worn(looks)
    if share < WORN:
        return share, seen
    worn = np.stack([around(find(*look)) for look in looks])
    return share, (seen * (1 - (1 - _THROUGH) * worn)).astype(np.float32)


def usual_look(textures: F32, seen: F32, lights: Sequence[F32], trust: F32, space: FaceSpace) -> F32:
    """SMALL x SMALL x 3: the mean of `textures` (NxSMALLxSMALLx3) brought to even light, over what was `seen` (NxSMALLxSMALL);
    `lights` and `trust` as `habits` gives them."""
    even = np.stack([relit(texture, space.light, -light) for texture, light in zip(textures, lights, strict=True)])
    weights = np.stack([part * enlarged(one, SMALL) for part, one in zip(seen, trust, strict=True)])[..., None]
    return (even * weights).sum(axis=0) / np.maximum(weights.sum(axis=0), np.float32(1e-3))


def habits(textures: F32, seen: F32, space: FaceSpace) -> tuple[F32, F32, list[F32], F32]:
    """(COARSE x COARSE x 3 even-light mean, robust: a passing hand does not count; COARSE x COARSE usual deviation from it; the
    light of each, 9x3, and the trust in it, N x COARSE x COARSE), of `textures` as coarse and how well each is `seen`."""
    trust: F32 = seen.copy()
    lights: list[F32] = []
    reference = np.zeros_like(textures[0])
    strays = np.zeros_like(seen)
    for _ in range(3):
        reference = (textures * trust[..., None]).sum(axis=0) / np.maximum(trust.sum(axis=0), 1e-3)[..., None]
        skin = plain_skin(space, reference)
        lights = [
            light_between(space.light, texture, reference, skin * part)
            for texture, part in zip(textures, seen, strict=True)
        ]
        for index, texture in enumerate(textures):
            strays[index] = stray(texture, reference * factor(space.light, lights[index]))
        trust = (seen / (1 + (strays / 0.25) ** 2)).astype(np.float32)
    tolerance = (strays * trust).sum(axis=0) / np.maximum(trust.sum(axis=0), 1e-3)
    return reference.astype(np.float32), tolerance.astype(np.float32), lights, trust
