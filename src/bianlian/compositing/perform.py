"""The donor's face for one performance: where its points lie and what its skin looks like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bianlian.compositing.performer import Performer
from bianlian.imaging.face_space import FaceSpace, plain_skin
from bianlian.imaging.light import coarse, factor, light_between
from bianlian.imaging.performance import performance
from bianlian.imaging.shape import F64, donor_offset, onto_performer
from bianlian.records.appearance import Appearance
from bianlian.records.arrays import F32
from bianlian.records.face import Face

_YAW, _PITCH = 51, 52
_KNOWN, _UNKNOWN = 0.2, 0.4
"""Radians from the nearest pose of the capture: drawn in full up to the first, not at all from the second."""
_STEEP, _PROFILE = 0.9, 1.15
"""Radians of yaw at which the landmarks become a guess, and are one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Role:
    """A donor's appearance fitted to one performer: everything that does not change from frame to frame."""

    appearance: Appearance
    performer: Performer
    offset: F32
    """468x3, see `shape.donor_offset`."""
    turn: F64
    """3x3: from the donor's head frame to the performer's."""
    basis: F32
    """(K, S*S*3) float32, scaled to coded RGB."""
    limits: F32
    """2xK: the range of the coefficients over the capture."""
    light: F32
    """9x3: from the donor's mean light and skin tone to the performer's, see `_common_light`."""

    def texture(self, features: F32) -> F32:
        """SxSx3 coded RGB of the donor under its mean light."""
        side = self.appearance.side
        if not len(self.basis):
            return self.appearance.mean
        coefficients = np.clip(_coefficients(self.appearance, features), self.limits[0], self.limits[1])
        change = (coefficients @ self.basis).astype(np.float32)
        return self.appearance.mean + change.reshape(side, side, 3)

    def features(self, face: Face, rotation: F64) -> F32:
        """The performance as the donor would have given it, head turned by the performer's `rotation`."""
        return performance(face, rotation @ self.turn, self.performer.rest)

    def coverage(self, features: F32) -> tuple[float, str]:
        """(0..1, reason): how well the capture covers a performance; the reason is empty at 1."""
        known = self.appearance.covered[:, [_YAW, _PITCH]]
        away = float(np.linalg.norm(known - features[[_YAW, _PITCH]], axis=1).min())
        near = 1 - _ramp(away, _KNOWN, _UNKNOWN)
        front = 1 - _ramp(abs(float(features[_YAW])), _STEEP, _PROFILE)
        if min(near, front) >= 1:
            return 1.0, ""
        if front < near:
            return front, "the head is turned to profile"
        return near, "the head is turned beyond what the donor's capture shows"


def cast_role(appearance: Appearance, performer: Performer, space: FaceSpace) -> Role:
    """Fit a donor to a performer. Takes some tens of milliseconds; done once per chunk."""
    donor, own = (
        who.neutral + np.tensordot(who.rest.astype(np.float64), space.expressions, 1) for who in (appearance, performer)
    )
    features = appearance.covered
    coefficients = np.stack([_coefficients(appearance, row) for row in features])
    side = appearance.side
    basis = appearance.basis.reshape(len(appearance.basis), side * side * 3).astype(np.float32)
    return Role(
        appearance=appearance, performer=performer, offset=donor_offset(donor, own, space.share, space.rim),
        turn=onto_performer(donor, own, space.rim)[1], basis=basis * appearance.scales[:, None],
        limits=np.stack([coefficients.min(axis=0), coefficients.max(axis=0)]).astype(np.float32),
        light=_common_light(coarse(appearance.mean), performer.reference, space),
    )  # fmt: skip


def _common_light(donor: F32, performer: F32, space: FaceSpace) -> F32:
    """The light between two even-lit mean textures (COARSE x COARSE x 3): its shape point by point where both show plain skin,
    its strength from the brighter four fifths of each one's skin, so that beard, stubble and brows do not darken the tone."""
    light = light_between(space.light, performer, donor, plain_skin(space, donor) * plain_skin(space, performer))
    light[0] += np.log(_tone(performer, space) / _tone(donor * factor(space.light, light), space))
    return light


def _tone(texture: F32, space: FaceSpace) -> F32:
    skin = texture[space.skin > 0.5]
    brightness = skin.sum(axis=1)
    return np.maximum(skin[brightness >= np.percentile(brightness, 20)].mean(axis=0), np.float32(1e-3))


def _coefficients(appearance: Appearance, features: F32) -> F32:
    row = np.append((features - appearance.centre) / appearance.spread, np.float32(1))
    return row.astype(np.float32) @ appearance.regressor


def _ramp(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))
