"""Face shape from landmarks: pose by scaled orthography, a person's neutral shape by motion, the donor's on the performer.

The landmark network's own depth is a prior more than a measurement: two persons' canonical shapes differ by some degrees of
pitch that no picture supports. Depth is therefore solved from how the points move across the image while the head turns
(factorisation with known expressions), which brought predicted donor points nearer to the true ones (docs/engine.md).

Axes here are the image's: x right, y down, z away from the camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from io import BytesIO

import cv2
import numba
import numpy as np
import numpy.typing as npt

from bianlian.records.arrays import F32, arrays_in
from bianlian.records.face import EXPRESSION_NAMES, Face

F64 = npt.NDArray[np.float64]
VERTICES = 468
_FLIP = np.diag([1.0, -1.0, -1.0])
_DILUTION = 1.5
"""The turn between two neutral shapes is fitted too small, because it rests on noisy depth (regression dilution). Over twelve
synthetic pairs 1.4 to 2.0 bring the donor's points 10 to 14 % nearer to the truth than 1."""
_STILL = 0.12
"""Centimetres that a point may move with the expression before it counts a third: the expression model's movements are not this
person's own. Two neutral shapes of one person come nearer, synthetic or real; .1 to .17 serve alike (docs/engine.md)."""
_FEW = 1 / 3
"""Frames that are worth as much as the guess that the performer has the donor's shape: of one picture three quarters of what sets
the donor's points apart are drawn, of three nine tenths. They come 6 to 14 and 3 % nearer to the truth (docs/engine.md)."""
_SQUARELY, _SIDEWAYS, _HIDDEN = 6, 0.5, 0.1
"""How landmarks lose in worth as the head turns away: the power of the cosine that all lose by, how much of its worth a point
keeps that is seen edge-on, and what one on the far side keeps at least. 4 to 8, and .02 to .3, serve alike (docs/engine.md)."""
SHOWN_OR_HIDDEN = np.array([name.startswith(("eyeBlink", "cheek", "jaw", "mouth")) for name in EXPRESSION_NAMES[1:]])
"""The expressions (51) that show what is hidden at rest, or hide what is seen: lids, teeth, tongue."""
_CALM = 0.1
"""What these may read in a calm face: .13 was the most over fourteen persons, where brows and squints read up to .6."""
_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placement:
    """Where a shape stands in the image: points = scale * (shape @ rotation.T)[:, :2] + shift."""

    scale: float
    rotation: F64
    """3x3."""
    shift: F64
    """2."""


def expression_basis() -> F64:
    """51x468x3: how the points move with each expression coefficient but the first, centimetres per unit.

    Fitted on synthetic performers (VALID avatars, MIT); what matters is that donor and performer share one.
    """
    packed = resources.files("bianlian.imaging").joinpath("expressions.npz").read_bytes()
    return arrays_in(BytesIO(packed))["basis"].astype(np.float64)


def fit_pose(shape: F64, points: F64, weights: F64, rotation: F64, *, rounds: int = 4) -> Placement:
    """Scaled-orthographic pose of `shape` (Nx3) that brings it to `points` (Nx2), Gauss-Newton from `rotation`."""
    weights = weights / weights.sum()
    middle, centre = weights @ shape, weights @ points
    local, target, scale = shape - middle, points - centre, 1.0
    for _ in range(rounds):
        normal, wrong = 1e-9 * np.eye(4), np.zeros(4)
        scale = _gauss_newton(local @ rotation.T, target, weights, normal, wrong)
        rotation = cv2.Rodrigues(np.linalg.solve(normal, wrong)[:3])[0] @ rotation
    return Placement(scale=scale, rotation=rotation, shift=centre - scale * (rotation @ middle)[:2])


@numba.njit(cache=True, nogil=True)
def _gauss_newton(
    turned: F64, target: F64, weights: F64, normal: F64, wrong: F64
) -> float:  # pragma: no cover - compiled
    """The best scale, and in `normal` and `wrong` the equations for turns about x, y and z and for the scale; all centred."""
    along, size = 0.0, 0.0
    for v in range(len(turned)):
        x, y = turned[v, 0], turned[v, 1]
        along += weights[v] * (x * target[v, 0] + y * target[v, 1])
        size += weights[v] * (x * x + y * y)
    scale = along / size
    for v in range(len(turned)):
        x, y, z = turned[v]
        rows = ((0.0, scale * z, -scale * y, x), (-scale * z, 0.0, scale * x, y))
        misses = (target[v, 0] - scale * x, target[v, 1] - scale * y)
        for row, miss in zip(rows, misses):  # noqa: B905 - the compiler knows no `strict`
            for i in range(4):
                wrong[i] += weights[v] * row[i] * miss
                for j in range(4):
                    normal[i, j] += weights[v] * row[i] * row[j]
    return scale


def start_rotation(face: Face) -> F64:
    """The tracker's rotation in image axes, to start `fit_pose` from."""
    return _FLIP @ face.pose.rotation.astype(np.float64) @ _FLIP


def place(neutral: F64, basis: F64, weights: F64, face: Face) -> Placement:
    """Pose of a person of known neutral shape in one frame."""
    shape = neutral + np.tensordot(face.expression[1:].astype(np.float64), basis, 1)
    return fit_pose(shape, face.points_image[:VERTICES, :2].astype(np.float64), weights, start_rotation(face))


def neutral_shape(
    faces: Sequence[Face], canonical: F64, basis: F64, weights: F64, *, rounds: int = 10, depth_prior: float = 0.001
) -> F64:
    """468x3 centimetres: the person's face at rest, from its faces over a clip.

    Args:
        canonical: 468x3, image axes; the start, and what holds the depth where the head hardly turns.
        weights: 468, of the vertices in the pose fit.
        depth_prior: weight of the canonical depth against the evidence of all frames seen sideways.

    A face is taken to be symmetric: left and right points inform each other, so that a head which is always held to one side,
    or a single picture, still has depth.
    """
    points = np.stack([face.points_image[:VERTICES, :2] for face in faces]).astype(np.float64)
    neutral = canonical.copy()
    rotations = [start_rotation(face) for face in faces]
    moved, still = _moved(faces, basis)
    trust = still * _seen(np.stack(rotations), canonical)
    mirror = np.array([np.argmin(((canonical * _MIRROR - vertex) ** 2).sum(axis=1)) for vertex in canonical])
    for _ in range(rounds):
        placed = [
            fit_pose(neutral + offset, target, weights, rotation, rounds=3)
            for offset, target, rotation in zip(moved, points, rotations, strict=True)
        ]
        rotations = [placement.rotation for placement in placed]
        matrices = np.stack([placement.scale * placement.rotation[:2] for placement in placed])
        shifts = np.stack([placement.shift for placement in placed])
        wanted = points - shifts[:, None] - np.einsum("tij,tvj->tvi", matrices, moved)
        normal = np.einsum("tv,tij,tik->vjk", trust, matrices, matrices)
        evidence = np.einsum("tv,tij,tvi->vj", trust, matrices, wanted)
        hold = depth_prior * normal[:, 0, 0]
        normal[:, 2, 2] += hold
        evidence[:, 2] += hold * canonical[:, 2]
        both = normal + normal[mirror] * np.outer(_MIRROR, _MIRROR)
        neutral = np.linalg.solve(both, (evidence + evidence[mirror] * _MIRROR)[..., None])[..., 0]
    return neutral


def _moved(faces: Sequence[Face], basis: F64) -> tuple[F64, F64]:
    """(Tx468x3 centimetres, Tx468): how far the expression moves each point, and how much the point says of the face at rest.

    The basis is not this person's own. Where an expression moves a point far from its place in the calm face it says little.
    """
    coefficients = np.stack([face.expression[1:] for face in faces]).astype(np.float64)
    moved = np.tensordot(coefficients, basis, 1)
    away = np.linalg.norm(moved - np.tensordot(resting_expression(faces).astype(np.float64), basis, 1), axis=2)
    return moved, np.maximum(
        np.exp(-((away / _STILL) ** 2)), 1e-9
    )  # a point that is never still has to be somewhere, too


def _seen(rotations: F64, canonical: F64) -> F64:
    """Tx468: how well the camera saw each point, by how far the head and the point's side of it are turned away."""
    outward = canonical - (0.0, canonical[:, 1].mean(), canonical[:, 2].max())
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    towards_camera = -rotations[:, 2] @ outward.T
    return np.abs(rotations[:, 2, 2, None]) ** _SQUARELY * np.clip(_SIDEWAYS + towards_camera, _HIDDEN, 1)


def at_rest(faces: Sequence[Face], basis: F64) -> tuple[F64, F64]:
    """(known, settled), each 468, 0..1: how well each point of the neutral shape is known, by the frame in which the expression
    moved it least, and by how many there are; and how often it is seen so again, for of a single picture nobody knows whether it
    is at rest."""
    still, count = _moved(faces, basis)[1], len(faces)
    best = still.max(axis=0)
    return best * count / (count + _FEW), (still.sum(axis=0) - best) / count


def resting_expression(faces: Sequence[Face]) -> F32:
    """51: what the expression model reads in this person's calm face, the lower quartile over the clip.

    It reads some people as frowning or squinting all the time; without this that would pass for their performance. But nobody's
    mouth is open at rest, whatever a single picture shows.
    """
    quartile = np.percentile(np.stack([face.expression[1:] for face in faces]), 25, axis=0)
    return np.minimum(quartile, np.where(SHOWN_OR_HIDDEN, _CALM, 1)).astype(np.float32)


def similarity(source: F64, target: F64, weights: F64) -> tuple[float, F64, F64]:
    """(scale, rotation, shift) with target ~ scale * source @ rotation.T + shift (Umeyama 1991, weighted)."""
    weights = weights / weights.sum()
    source_mean, target_mean = weights @ source, weights @ target
    spread = (source - source_mean) * weights[:, None]
    left, values, right = np.linalg.svd((target - target_mean).T @ spread)
    signs = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left @ signs @ right
    scale = float((values * np.diag(signs)).sum() / (weights @ ((source - source_mean) ** 2)).sum())
    return scale, rotation, target_mean - scale * rotation @ source_mean


def onto_performer(donor: F64, performer: F64, rim: F64, anchor: F64) -> tuple[float, F64, F64]:
    """(scale, rotation, shift) that brings the donor's neutral shape to the performer's: turned and sized along the seam, placed
    by the `anchor_weights`."""
    scale, rotation, _ = similarity(donor, performer, rim)
    rotation = cv2.Rodrigues(cv2.Rodrigues(rotation)[0] * _DILUTION)[0]
    return scale, rotation, anchor @ performer - scale * rotation @ (anchor @ donor)


def donor_offset(donor: F64, performer: F64, share: F64, rim: F64, anchor: F64) -> F32:
    """468x3: what to add to the performer's points, in their own head frame, to get the donor's inner face.

    The donor's neutral is fitted to the performer's along the seam, so the faces meet there, and its share runs out towards it.
    """
    scale, rotation, shift = onto_performer(donor, performer, rim, anchor)
    return (share[:, None] * (scale * donor @ rotation.T + shift - performer)).astype(np.float32)


def drawn_points(face: Face, placement: Placement, offset: F32) -> F32:
    """468x3 image points of the donor's face: the performer's landmarks moved by the turned offset."""
    turned = placement.scale * (offset @ placement.rotation.T.astype(np.float32))
    return (face.points_image[:VERTICES] + turned).astype(np.float32)
