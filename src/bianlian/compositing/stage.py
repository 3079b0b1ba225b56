"""Frames and their faces in, composites out: perform, relight, matte, blend.

A composite depends on its own frame and at most `LEAD_IN` frames before it, never on more. So footage can be rendered in
chunks, by several processes, or after a crash: feed that many frames before a chunk, drop their composites, and every pixel is
the one of an uninterrupted run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from bianlian.compositing.blend import laid_over
from bianlian.compositing.blur import blur_between, blurred
from bianlian.compositing.change import change, surely
from bianlian.compositing.eyes import openness, with_eyes
from bianlian.compositing.grain import dimmed, grain
from bianlian.compositing.mouth import with_open_mouth
from bianlian.compositing.perform import Role, cast_role
from bianlian.compositing.performer import Performer, face_box, small_texture
from bianlian.errors import ConsentRefused, InternalError
from bianlian.imaging.black import raised, sunk
from bianlian.imaging.colour import PixelBox, planes_with_rgb, rgb_float_from_frame, threefold
from bianlian.imaging.face_space import SMALL, FaceSpace
from bianlian.imaging.glasses import GlassesFinder, around, glasses_finder
from bianlian.imaging.lids import shut, with_shut
from bianlian.imaging.light import coarse, light_between, relit
from bianlian.imaging.occlusion import OccluderFinder, occluder_finder
from bianlian.imaging.performance import enlarged
from bianlian.imaging.shape import F64, Placement, drawn_points, place
from bianlian.imaging.template import EYES, painted
from bianlian.records.appearance import Appearance
from bianlian.records.arrays import F32
from bianlian.records.composite import Composite, PlacedFace
from bianlian.records.face import Face, TrackedFace
from bianlian.records.frame import Frame
from bianlian.records.grant import Grant

_DAMPING = np.array([0.46, 0.27, 0.16, 0.11], np.float32)
"""Weights of the light of a frame and the ones before it."""
_SUDDEN = 0.1
"""Change of light, root mean square over the channels, that is no noise any more: between frames up to three apart it was .05 at
most in talk under moving light, under noise of 9 codes and at CRF 40, and .1 to 1.2 in fades, flashes and coloured light."""
LEAD_IN = len(_DAMPING) - 1
"""Frames before the first wanted one that `compose` must be fed."""
_VISIBLE = 1 / 255
"""Grain weaker than this is left out: nobody sees it, and rounding has as much."""
SMALLEST_BOX = 16
"""Pixels; a face that is nearly out of the picture is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cast:
    """Who plays whom: permission, the donor's appearance, and the performer."""

    grant: Grant
    appearance: Appearance
    performer: Performer

    def __post_init__(self) -> None:
        if self.grant.donor_id != self.appearance.donor_id:
            raise ConsentRefused(
                "the grant names another donor than the appearance shows", code="grant-donor",
                advice="learn the donor again and run the swap from the start",
            )  # fmt: skip
        if self.grant.template_commitment != self.appearance.template_commitment:
            raise ConsentRefused(
                "the appearance does not belong to the enrolment that the grant was given for", code="grant-template",
                advice="learn the donor again after the last enrolment",
            )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Lookout:
    """What sees things in front of a face."""

    occluders: OccluderFinder
    glasses: GlassesFinder


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Front:
    """What is in front of one face in one frame."""

    hidden: F32
    """COARSE x COARSE, see `occlusion.OccluderFinder`."""
    glasses: F32 | None
    """SMALL x SMALL, see `glasses.GlassesFinder`; none where the performer wears none."""

    def at_vertices(self, space: FaceSpace) -> F32:
        """468, 0..1: how much of each vertex is behind something."""
        return space.at_vertices(self.hidden if self.glasses is None else np.maximum(self.hidden, coarse(self.glasses)))

    def drawn(self, where: F32, points: F32, share: F64, space: FaceSpace) -> F32:
        """HxW, 0..1: how much of each pixel is in front of the donor's face, whose template coordinates are `where` (HxWx2).

        Glasses are finer than hands, so they are drawn through the performer's own `points` and not through the donor's.
        """
        front = _at(self.hidden, where, space)
        if self.glasses is None:
            return front
        own, _ = space.drawn(points[: len(share)], share, (where.shape[0], where.shape[1]))
        return np.maximum(front, _at(self.glasses, own, space))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sight:
    """What one frame shows of a performer's face."""

    placement: Placement
    features: F32
    """The performance as the donor would have given it."""
    light: F32
    """9x3, from the performer's usual light to this frame's."""
    front: _Front
    change: F32
    """SMALL x SMALL x 3, see `change.change`, and how `sure` it is."""
    sure: F32
    look: F32
    """4, see `lids.lids`, openings in usual ones."""

    def clear(self, space: FaceSpace) -> F32:
        """468, 0..1: where there is detail to tell blur by: not behind something, and not on lids that are shut."""
        clear = 1 - self.front.at_vertices(space)
        for lids, opened in zip(EYES, openness(self.look), strict=True):
            clear[list(lids)] *= opened
        return clear


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Moment:
    """What later frames may need of an earlier one."""

    index: int
    centre: F32
    size: float
    light: F32


def compose(
    frames: Iterable[tuple[Frame, tuple[TrackedFace, ...]]], casts: Mapping[int, Cast], space: FaceSpace
) -> Iterator[Composite]:
    """Put each cast donor's face on its performer; everybody else, and every pixel outside the mattes, keeps its bits.

    Args:
        frames: in order, each with the tracked faces of that frame.
        casts: by person number; each grant must name that person.
        space: of the template size that the appearances were learnt at.

    Raises:
        InternalError: a cast under another person's number, or appearances of another template size.
    """
    roles: dict[int, Role] = {}
    for person, cast in casts.items():
        if cast.grant.person != person:
            raise InternalError(f"the grant for person {cast.grant.person} was used for person {person}")
        if cast.appearance.side != space.template.side:
            raise InternalError(f"appearance of {cast.appearance.side} texels in a space of {space.template.side}")
        roles[person] = cast_role(cast.appearance, cast.performer, space)
    lookout = _lookout(space)
    pasts: dict[int, deque[_Moment]] = {person: deque(maxlen=LEAD_IN) for person in casts}
    for frame, faces in frames:
        composite = Composite(frame=frame, faces=())
        for tracked in faces:
            if tracked.person in roles:
                role, past = roles[tracked.person], pasts[tracked.person]
                composite = _with_face(composite, tracked, role, past, space, lookout)
        yield composite


def _lookout(space: FaceSpace) -> _Lookout:
    return _Lookout(occluders=occluder_finder(space), glasses=glasses_finder(space))


def _with_face(
    composite: Composite, tracked: TrackedFace, role: Role, past: deque[_Moment], space: FaceSpace, lookout: _Lookout
) -> Composite:
    frame, face = composite.frame, tracked.face
    box = face_box(face, frame)
    if min(box.size) < SMALLEST_BOX:
        return composite
    black = float(role.performer.black[0])
    rgb = sunk(rgb_float_from_frame(frame, box), black)
    sight = _sight(rgb, face, box, role, space, lookout)
    moment = _Moment(index=frame.index, centre=face.points_image.mean(axis=0), size=face.box.height, light=sight.light)
    light = _damped(moment, past)
    past.append(moment)
    points = drawn_points(face, sight.placement, role.offset)
    inner = _drawn_box(points[role.drawn_at], box, frame)
    if min(inner.size) <= 0:
        return composite
    rgb = rgb[inner.top - box.top : inner.bottom - box.top, inner.left - box.left : inner.right - box.left]
    corner = np.array([inner.left, inner.top, 0], np.float32)
    worn = face.points_image - corner
    where, share = space.drawn(points - corner, role.share, inner.size)
    texture = role.texture(sight.features, sight.change, sight.sure)
    texture = with_eyes(texture, role.appearance, sight.features, sight.look, role.whites, space)
    texture = with_open_mouth(relit(texture, space.light, role.light + light, role.shadow), rgb, worn, space)
    drawn = painted(texture, where, points, space.template)
    drawn = blurred(drawn, blur_between(rgb, worn, drawn, points - corner, sight.clear(space)))
    strength = role.performer.grain * np.float32(dimmed(light))
    if strength[0] > _VISIBLE:
        drawn += threefold(grain(inner.size, strength, seed=(frame.index, tracked.person)))
    share *= 1 - sight.front.drawn(where, worn, role.share, space)
    confidence, reason = role.coverage(sight.features)
    matte = laid_over(rgb, drawn, share * np.float32(confidence))
    placed = PlacedFace(
        person=tracked.person, donor_id=role.appearance.donor_id, left=inner.left, top=inner.top, matte=matte,
        points_image=np.concatenate([points, face.points_image[len(points) :]]),
        confidence=confidence, fade_reason=reason,
    )  # fmt: skip
    changed = replace(frame, planes=planes_with_rgb(frame, inner, raised(rgb, black), matte))
    return Composite(frame=changed, faces=(*composite.faces, placed))


def _sight(rgb: F32, face: Face, box: PixelBox, role: Role, space: FaceSpace, lookout: _Lookout) -> _Sight:
    """What the picture of a face's `box` (HxWx3) shows of the performer."""
    placement = place(role.performer.neutral.astype(np.float64), space.expressions, space.pose_weights, face)
    corner = np.array([box.left, box.top, 0], np.float32)
    worn, seen = small_texture(rgb, face.points_image - corner, space)
    light = light_between(space.light, coarse(worn), role.performer.reference, space.skin * coarse(seen))
    expected, sure = role.performer.under(light, space), surely(seen)
    front, worn, seen = _in_front(worn, seen, expected, role, lookout)
    sure = np.minimum(sure, seen)
    return _Sight(
        placement=placement, features=role.features(face, placement.rotation), light=light, front=front,
        change=change(worn, sure, expected), sure=sure,
        look=with_shut(role.performer.look(face.points_image), shut(worn, expected, space)),
    )  # fmt: skip


def _in_front(worn: F32, seen: F32, expected: F32, role: Role, lookout: _Lookout) -> tuple[_Front, F32, F32]:
    """(what is in front of the face; its texture `worn` and how well that is `seen`, without it)."""
    glasses = lookout.glasses(worn, seen) if role.performer.wears_glasses() else None
    if glasses is not None:  # they are no part of the skin, and nothing that came before it
        tinged = around(glasses)
        worn, seen = (worn + threefold(tinged) * (expected - worn)).astype(np.float32), seen * (1 - tinged)
    hidden = lookout.occluders(worn, seen, expected, role.fine, role.performer.tolerance)
    return _Front(hidden=hidden, glasses=glasses), worn, seen * (1 - enlarged(hidden, SMALL))


def _at(texture: F32, where: F32, space: FaceSpace) -> F32:
    """HxW: a square `texture` of any size at the template coordinates `where` (HxWx2), nothing outside the face."""
    return cv2.remap(texture, where * np.float32(len(texture) / space.template.side), None, cv2.INTER_LINEAR)


def _drawn_box(points: F32, box: PixelBox, frame: Frame) -> PixelBox:
    """The part of a face's `box` that holds these points: all that is drawn, three fifths of what is looked at."""
    (left, top), (right, bottom) = np.floor(points[:, :2].min(axis=0)), np.ceil(points[:, :2].max(axis=0))
    return PixelBox(
        left=max(box.left, int(left)), top=max(box.top, int(top)),
        right=min(box.right, int(right) + 1), bottom=min(box.bottom, int(bottom) + 1),
    ).clipped(frame.size)  # fmt: skip


def _damped(moment: _Moment, past: deque[_Moment]) -> F32:
    """Light, smoothed over the frames before, unless the face was elsewhere or unseen there; less, the more it was another."""
    kept: list[_Moment] = []
    for earlier in (moment, *reversed(past)):
        later = kept[-1] if kept else moment
        jump = float(np.linalg.norm(earlier.centre - later.centre))
        if earlier.index != moment.index - len(kept) or jump > 0.25 * moment.size:
            break
        kept.append(earlier)
    weights = _DAMPING[: len(kept)]
    lights = np.stack([earlier.light for earlier in kept])
    other = ((lights - moment.light) ** 2).sum(axis=(1, 2)) / np.float32(3 * _SUDDEN**2)
    return np.average(lights, axis=0, weights=weights * np.exp(-other))
