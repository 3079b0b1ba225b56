"""The donor's face for one performance: where its points lie and what its skin looks like."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from bianlian.compositing.change import leading
from bianlian.compositing.eyes import whites_between
from bianlian.compositing.performer import Performer
from bianlian.imaging.colour import threefold
from bianlian.imaging.doubt import apart, credence
from bianlian.imaging.face_space import SMALL, FaceSpace, plain_skin, small
from bianlian.imaging.light import TWO_FACES, coarse, factor, light_between, relit
from bianlian.imaging.mesh import combined
from bianlian.imaging.occlusion import fine, stray
from bianlian.imaging.performance import POSE, enlarged, performance, soft_step
from bianlian.imaging.seam import anchor_weights, own_share
from bianlian.imaging.shadow import cast_shadow
from bianlian.imaging.shape import F64, SHOWN_OR_HIDDEN, onto_performer
from bianlian.imaging.template import OVAL
from bianlian.records.appearance import Appearance
from bianlian.records.arrays import F32
from bianlian.records.face import EXPRESSION_NAMES, Face

_YAW = POSE.start
_LIPS = 13
"""The middle of the upper lip's inner edge."""
_KNOWN, _UNKNOWN = 0.2, 0.4
"""Radians from the nearest pose of the capture: drawn in full up to the first, not at all from the second."""
_EXPRESSED, _STRANGE = 0.8, 1.4
"""How far eyes and mouth may do more than the capture showed, root of the summed squares of coefficients: drawn in full up to the
first. Ordinary talk stays below .66 on all of ten synthetic pairs; a mouth that is .6 wider open than any sample loses .4 dB."""
_HEARSAY = 0.2
"""Standard deviation, in coded values at a coarse texel, of what one person's change tells of another's. .1 to .4 serve alike."""
_DARK = np.float32(0.01)
_DRAWN = 0.02
"""The donor's share from which a texel counts as drawn."""
_INNER, _DULL = 0.5, 0.33
"""The donor's share from which a face tells its tone, and how much of it, the darkest, does not. Over 72 synthetic pairs the
colour errs by .026 log units, by .040 with the median over all skin (docs/engine.md)."""
_BURNT, _ROUNDS = 0.97, 9
"""Value of a mean texture from which a channel was burnt out in most frames, and how often its tone is told anew by what was told
before. Worth .03 to .1 of FLIP where the highlights of a face are burnt out."""
_SKIN, _BEARD = 0.15, 0.35
"""Log difference up to which two faces both show skin, and from which one of them shows a beard, or a fringe."""
_RIM = 0.45
"""Centimetres by which a bearded chin reaches below the landmarks' outline; less at its sides, which face down less. .4 to .6
serve alike."""
_STEEP, _PROFILE = 0.9, 1.15
"""Radians of yaw at which the landmarks become a guess, and are one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Role:
    """A donor's appearance fitted to one performer: everything that does not change from frame to frame."""

    appearance: Appearance
    performer: Performer
    offset: F32
    """468x3, see `shape.donor_offset`; none where the performer's own shape is not known, as of a mouth that never closes."""
    share: F64
    """468: how much of the donor is drawn at each vertex, see `seam.own_share` and `seam.brow_weights`."""
    drawn_at: npt.NDArray[np.bool_]
    """468: the corners of all triangles of which something is drawn."""
    turn: F64
    """3x3: from the donor's head frame to the performer's."""
    limits: F32
    """2xK: the range of the coefficients over the capture."""
    mean: F32
    """SMALL x SMALL x 3: the appearance's mean."""
    drawn: F32
    """SMALL x SMALL x 3: the donor doing what the performer usually does."""
    coarse_basis: F32
    """(K, COARSE²*3): the appearance's basis in coded RGB, as the performer's picture is compared with it."""
    gain: F32
    """(K, COARSE²*3): how a difference at a texel moves the coefficients, see `_gain`."""
    light: F32
    """9x3: from the donor's mean light and skin tone to the performer's, see `_common_light`."""
    shadow: F32
    """COARSE x COARSE x 3: what the performer's usual light casts, see `shadow.cast_shadow`."""
    whites: F32
    """3, see `eyes.whites_between`."""
    fine: F32
    """SMALL x SMALL: the fine structure of the performer's usual look, see `occlusion.fine`."""
    heed: F32
    """SMALL x SMALL, 0..1: what the performer's change counts; nothing in a beard or a brow where the donor has none."""

    def texture(self, features: F32, change: F32, seen: F32) -> F32:
        """SxSx3 coded RGB of the donor under its mean light.

        The performance gives a first guess of the coefficients; `change` (see `change.change`), where it was `seen`
        (SMALL x SMALL), corrects it, and then gives the broad part of the texture, to which the donor's gives the fine one.
        """
        side = self.appearance.side
        change = 1 + threefold(self.heed) * (change - 1)
        guess = _coefficients(self.appearance, features)
        told = coarse(self.drawn * change - self.mean).ravel()
        wrong = (told - guess @ self.coarse_basis) * np.repeat(coarse(seen).ravel(), 3)
        coefficients = np.clip(guess + self.gain @ wrong, self.limits[0], self.limits[1])
        texture = combined(self.appearance.mean, coefficients * self.appearance.scales, self.appearance.basis)
        texture *= enlarged(leading(change, self.drawn, small(texture), seen), side)
        return texture

    def features(self, face: Face, rotation: F64) -> F32:
        """The performance as the donor would have given it, head turned by the performer's `rotation`."""
        return performance(face, rotation @ self.turn, self.performer.rest)

    def coverage(self, features: F32) -> tuple[float, str]:
        """(0..1, reason): how well the capture covers a performance; the reason is empty at 1."""
        known = self.appearance.covered[:, POSE]
        away = float(np.linalg.norm(known - features[POSE], axis=1).min())
        beyond = np.maximum(features[:_YAW] - self.appearance.covered[:, :_YAW].max(axis=0), 0) * SHOWN_OR_HIDDEN
        part = "eyes close" if EXPRESSION_NAMES[1 + int(beyond.argmax())].startswith("eye") else "mouth moves"
        return min(
            (1.0, ""),
            (1 - _ramp(abs(float(features[_YAW])), _STEEP, _PROFILE), "the head is turned to profile"),
            (1 - _ramp(away, _KNOWN, _UNKNOWN), "the head is turned beyond what the donor's capture shows"),
            (
                1 - _ramp(float(np.linalg.norm(beyond)), _EXPRESSED, _STRANGE),
                f"the {part} beyond what the donor's capture shows",
            ),
            key=lambda finding: finding[0],
        )


def at_side(appearance: Appearance, side: int) -> Appearance:
    """The same appearance with textures of `side` x `side`."""
    if side == appearance.side:
        return appearance
    way = cv2.INTER_AREA if side < appearance.side else cv2.INTER_LINEAR
    scale = side / appearance.side

    def resized(picture: np.ndarray) -> np.ndarray:
        large = cv2.resize(picture.astype(np.float32), None, fx=scale, fy=scale, interpolation=way)
        return large if picture.dtype == np.float32 else np.rint(large).astype(picture.dtype)

    basis = np.array([resized(picture) for picture in appearance.basis], np.int8).reshape(-1, side, side, 3)
    eyes = np.array([[resized(eye) for eye in pair] for pair in appearance.eyes])
    return replace(appearance, mean=resized(appearance.mean), basis=basis, eyes=eyes)


def cast_role(appearance: Appearance, performer: Performer, space: FaceSpace) -> Role:
    """Fit a donor to a performer. Takes some tens of milliseconds; done once per chunk."""
    donor, own = (
        who.neutral + np.tensordot(who.rest.astype(np.float64), space.expressions, 1) for who in (appearance, performer)
    )
    anchor = anchor_weights(space.rim, space.chin, performer.settled.astype(np.float64))
    offset = _offset(appearance, performer, apart(donor, own, performer.settled.astype(np.float64), space), space)
    features = appearance.covered
    coefficients = np.stack([_coefficients(appearance, row) for row in features])
    shadow = _cast_shadow(coarse(appearance.mean), performer.reference, space)
    light = _common_light(coarse(appearance.mean) * shadow, performer.reference, space)
    rows = zip(appearance.basis, appearance.scales, strict=True)
    coarse_basis = np.stack([coarse(row.astype(np.float32)).ravel() * scale for row, scale in rows])
    mean = small(appearance.mean)
    lit = coarse(mean) * factor(space.light, light) * shadow
    beard = space.beard * soft_step(space.at_vertices(_differ(lit, performer.reference)), _SKIN, _BEARD)
    share = _share(performer, lit, space)
    return Role(
        appearance=appearance, performer=performer,
        offset=_to_the_edge(offset, beard, space),
        turn=onto_performer(donor, own, space.rim, anchor)[1],
        limits=np.stack([coefficients.min(axis=0), coefficients.max(axis=0)]).astype(np.float32),
        mean=mean, drawn=_usual(appearance, performer, mean), coarse_basis=coarse_basis,
        gain=_gain(coarse_basis, appearance.doubt, space),
        share=share, drawn_at=_corners(share > 0, space), light=light, shadow=shadow,
        whites=whites_between(relit(mean, space.light, light, shadow), performer.usual, space),
        fine=fine(performer.usual), heed=_heed(lit, performer.reference),
    )  # fmt: skip


def _offset(appearance: Appearance, performer: Performer, difference: F32, space: FaceSpace) -> F32:
    """468x3: see `Role.offset`; of the `difference` between the two shapes (see `doubt.apart`), what is known of it."""
    credible = credence(difference, (float(appearance.shape_doubt[0]), float(performer.shape_doubt[0])), space)
    return (np.float32(credible) * difference * (space.share * performer.known)[:, None]).astype(np.float32)


def _share(performer: Performer, lit: F32, space: FaceSpace) -> F64:
    """468: see `Role.share`. It grows over a beard that the performer wears, darker than the `lit` donor (COARSE x COARSE x 3); a
    donor's beard ends where their share does. It shrinks before a performer's fringe and locks, and a donor's are left out."""
    darker = space.at_vertices(_darker(lit, performer.reference))
    beard = space.beard * soft_step(darker, _SKIN, _BEARD)
    hair = space.hair * soft_step(np.abs(darker), _SKIN, _BEARD)
    own = own_share(performer.neutral.astype(np.float64), float(performer.pupils[0]))
    return np.maximum.reduce((own, space.brows, beard)) * (1 - hair)


def _usual(appearance: Appearance, performer: Performer, mean: F32) -> F32:
    """SMALL x SMALL x 3: the donor doing what the performer usually does; a frame changes the one as it changes the other.

    Over a clip both are usually calm, as the `mean` is. Where the performer hardly moves, in a photograph above all, the donor
    does the same as far as the expression says it.
    """
    features = appearance.centre.copy()
    features[:_YAW] += np.float32(performer.stillness()) * (performer.habit - features[:_YAW])
    weights = _coefficients(appearance, features) * appearance.scales
    habit = combined(np.zeros_like(appearance.mean), weights, appearance.basis)
    return mean + small(habit)


def _gain(basis: F32, doubt: F32, space: FaceSpace) -> F32:
    """The least-squares correction of coefficients that are uncertain by `doubt` from a picture that is by `_HEARSAY`."""
    share = np.repeat(space.coarse_share().ravel() > _DRAWN, 3)
    heard = basis * share
    hold = np.diag((_HEARSAY / np.maximum(doubt, 1e-6)) ** 2)
    return np.linalg.solve(heard @ basis.T + hold, heard).astype(np.float32)


def _cast_shadow(donor: F32, performer: F32, space: FaceSpace) -> F32:
    plain = plain_skin(space, donor) * plain_skin(space, performer)
    drawn = space.coarse_share() > _DRAWN
    return cast_shadow(space.light, donor, performer, drawn, plain)


def _common_light(donor: F32, performer: F32, space: FaceSpace) -> F32:
    """The light between two even-lit mean textures (COARSE x COARSE x 3): its shape where both show plain skin, its strength and
    colour by the skin that is bright on both."""
    both_plain = plain_skin(space, donor) * plain_skin(space, performer)
    light = light_between(space.light, performer, donor, both_plain, holds=TWO_FACES)
    light[0] += _tone_between(donor * factor(space.light, light), performer, space)
    return light


def _tone_between(lit: F32, performer: F32, space: FaceSpace) -> F32:
    """3: log of how much brighter the `performer` is than the donor, `lit` alike (both COARSE x COARSE x 3).

    Beard, brows, lips, make-up and the dark of eyes and mouth of either are among its darker `_DULL`.
    """
    inner = space.coarse_share() > _INNER
    worn, drawn = performer[inner], lit[inner]
    bright = np.logical_and(*(luma > np.quantile(luma, _DULL) for luma in (worn.sum(axis=1), drawn.sum(axis=1))))
    quotients = np.log(np.maximum(worn[bright], _DARK) / np.maximum(drawn[bright], _DARK))
    return np.array(
        [_middle(*channel) for channel in zip(quotients.T, worn[bright].T >= _BURNT, strict=True)], np.float32
    )


def _middle(quotients: F32, burnt: npt.NDArray[np.bool_]) -> float:
    """The mean of the middle half of N log quotients; where the performer is `burnt` out, the quotient may be any larger one."""
    quarter, middle = len(quotients) // 4, -np.inf
    for _ in range(_ROUNDS if burnt.any() else 1):
        supposed = np.sort(np.where(burnt, np.maximum(quotients, middle), quotients))
        middle = float(supposed[quarter : len(quotients) - quarter].mean())
    return middle


def _differ(donor: F32, performer: F32) -> F32:
    """COARSE x COARSE: how far two textures under the same light (COARSE x COARSE x 3) differ around each texel, in log units."""
    return cv2.GaussianBlur(stray(performer, donor), (0, 0), 2.0)


def _corners(vertices: npt.NDArray[np.bool_], space: FaceSpace) -> npt.NDArray[np.bool_]:
    """468: the corners of all triangles that have one of these `vertices` (468)."""
    triangles = space.template.triangles
    corners = np.zeros_like(vertices)
    corners[triangles[vertices[triangles].any(axis=1)]] = True
    return corners


def _darker(donor: F32, performer: F32) -> F32:
    """COARSE x COARSE: how much darker than the `donor` the `performer` is (both COARSE x COARSE x 3), in log units."""
    darker = np.log(np.maximum(donor, _DARK) / np.maximum(performer, _DARK)).mean(axis=-1)
    return cv2.GaussianBlur(darker, (0, 0), 2.0)


def _to_the_edge(offset: F32, beard: F64, space: FaceSpace) -> F32:
    """`offset` (468x3 centimetres) with the outline moved to the lower edge of the performer's chin, where one of two faces has a
    `beard` (468, 0..1)."""
    outline = list(OVAL)
    away = (space.canonical[outline] - space.canonical[_LIPS]) * (1, 1, 0)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    edge = _RIM * np.maximum(away[:, 1:2], 0) * away
    moved = offset.copy()
    moved[outline] += beard[outline, None] * (edge - offset[outline])
    return moved


def _heed(donor: F32, performer: F32) -> F32:
    """SMALL x SMALL, 0..1: not the change of what is dark on the `performer` and bright on the `donor` (COARSE x COARSE x 3): the
    hairs of a beard lie otherwise in every frame, and a brow slips from its place; both would mottle bare skin."""
    return 1 - enlarged(soft_step(_darker(donor, performer), _SKIN, _BEARD), SMALL)


def _coefficients(appearance: Appearance, features: F32) -> F32:
    row = np.append((features - appearance.centre) / appearance.spread, np.float32(1))
    return row.astype(np.float32) @ appearance.regressor


def _ramp(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)
