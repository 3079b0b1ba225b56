"""Lay the canonical face flat for texture space; writes `imaging/layout.npz`.

    python tools/layout.py face_landmarker.task

Every part of a face should get as many texels as it ever takes up in a picture: lids when they are closed, what is between the
lids when they are wide open, the mouth when the jaw is down. So each triangle's rest shape has the longest edges that it has in
any of these faces, and the layout is the one that strains the triangles least (symmetric Dirichlet energy, Smith and Schaefer
2015, "Bijective parameterization with free boundaries"), from an embedding without folds (Tutte 1963), with the outline of the
canonical layout held in place.
"""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bianlian.imaging.mesh import I32
from bianlian.imaging.shape import F64, expression_basis
from bianlian.imaging.template import EYES, MOUTH, OVAL
from bianlian.records.face import EXPRESSION_NAMES
from bianlian.weights.canonical import CanonicalMesh, read_canonical_mesh

_FACES: tuple[dict[str, float], ...] = (
    {},
    {"eyeBlinkLeft": 1, "eyeBlinkRight": 1},
    {"eyeWideLeft": 0.5, "eyeWideRight": 0.5},
    {"jawOpen": 0.6},
)
_FAVOURED = ((EYES[0] + EYES[1], 0.4, 0.8), (MOUTH, 0.1, 1.0))
"""Vertices around which edges are longer than they are, by what share, and how far around, centimetres: there one looks first."""
_ROUNDS = 300
_ARMIJO = 1e-4
_SLIMMEST = 0.02
"""The least height of a rest shape over its base: longest edges need not make a triangle."""


def main() -> None:
    mesh = read_canonical_mesh(Path(sys.argv[1]))
    low, high = mesh.uv.min(axis=0), mesh.uv.max(axis=0)
    flat = ((mesh.uv - low) / (high - low) * 0.98 + 0.01).astype(np.float64)
    edges = rest_edges(mesh)
    layout = relaxed(without_folds(flat, mesh.triangles), mesh.triangles, edges)
    path = Path(str(resources.files("bianlian.imaging"))) / "layout.npz"
    np.savez_compressed(path, layout=layout.astype(np.float32))
    print(f"{path.name}: {len(layout)} vertices")


def rest_edges(mesh: CanonicalMesh) -> F64:
    """Tx3 centimetres: of each triangle the edges opposite its corners, the longest over all `_FACES`, more where favoured."""
    canonical = mesh.vertices.astype(np.float64) * (1, -1, -1)
    basis, names = expression_basis(), EXPRESSION_NAMES[1:]
    faces = [canonical + sum(value * basis[names.index(name)] for name, value in face.items()) for face in _FACES]
    size = np.ones(len(canonical))
    for vertices, more, reach in _FAVOURED:
        away = np.linalg.norm(canonical[:, None] - canonical[list(vertices)], axis=2).min(axis=1)
        size *= 1 + more * np.exp(-((away / reach) ** 2))
    one, other = mesh.triangles[:, [1, 2, 0]], mesh.triangles[:, [2, 0, 1]]
    longest = np.max([np.linalg.norm(face[one] - face[other], axis=2) for face in faces], axis=0)
    return longest * (size[one] + size[other]) / 2


def without_folds(flat: F64, triangles: I32) -> F64:
    """468x2: the outline as in `flat`, every other vertex the mean of its neighbours."""
    springs, free = _springs(len(flat), triangles), _free(len(flat))
    held = np.setdiff1d(np.arange(len(flat)), free)
    layout = flat.copy()
    layout[free] = np.linalg.solve(springs[np.ix_(free, free)], -springs[np.ix_(free, held)] @ flat[held])
    return layout


def relaxed(layout: F64, triangles: I32, edges: F64) -> F64:
    """468x2: the least strained layout that is reached from `layout` by descent along the gradient of springs' forces."""
    turned = np.sign(np.median(np.linalg.det(_sides(layout, triangles))))
    layout = layout * (turned, 1)
    rest = _rest_shapes(edges)
    weights = np.linalg.det(rest) / np.linalg.det(rest).sum()
    rest *= np.sqrt(np.linalg.det(_sides(layout, triangles)).sum() / np.linalg.det(rest).sum())
    back, free = np.linalg.inv(rest), _free(len(layout))
    smooth = np.linalg.inv(_springs(len(layout), triangles)[np.ix_(free, free)])
    energy, slope = _strain(layout, triangles, back, weights)
    step = 1.0
    for _ in range(_ROUNDS):
        way = np.zeros_like(layout)
        way[free] = -smooth @ slope[free]
        step *= 2
        while True:
            tried = layout + step * way
            found, next_slope = _strain(tried, triangles, back, weights)
            if found <= energy + _ARMIJO * step * float((slope * way).sum()):
                break
            step /= 2
        layout, energy, slope = tried, found, next_slope
    return layout * (turned, 1)


def _strain(layout: F64, triangles: I32, back: F64, weights: F64) -> tuple[float, F64]:
    """(symmetric Dirichlet energy, 468x2 its gradient); infinite where a triangle is folded."""
    stretch = _sides(layout, triangles) @ back
    if np.linalg.det(stretch).min() <= 0:
        return np.inf, np.zeros_like(layout)
    inverse = np.linalg.inv(stretch)
    energy = float(weights @ ((stretch**2).sum(axis=(1, 2)) + (inverse**2).sum(axis=(1, 2))))
    turned = inverse.transpose(0, 2, 1)
    pull = 2 * weights[:, None, None] * (stretch - turned @ inverse @ turned) @ back.transpose(0, 2, 1)
    gradient = np.zeros_like(layout)
    np.add.at(gradient, triangles[:, 1], pull[:, :, 0])
    np.add.at(gradient, triangles[:, 2], pull[:, :, 1])
    np.add.at(gradient, triangles[:, 0], -pull.sum(axis=2))
    return energy, gradient


def _sides(layout: F64, triangles: I32) -> F64:
    """Tx2x2: the two sides of each triangle that leave its first corner, as columns."""
    first = layout[triangles[:, 0]]
    return np.stack([layout[triangles[:, 1]] - first, layout[triangles[:, 2]] - first], axis=2)


def _rest_shapes(edges: F64) -> F64:
    """Tx2x2, as `_sides`: triangles of these edge lengths, the second side's end at the height that they give."""
    opposite, second, first = edges.T
    along = (second**2 + first**2 - opposite**2) / (2 * first)
    height = np.sqrt(np.maximum(second**2 - along**2, (_SLIMMEST * first) ** 2))
    return np.stack([np.stack([first, along], axis=1), np.stack([np.zeros_like(first), height], axis=1)], axis=1)


def _springs(count: int, triangles: I32) -> F64:
    """count x count: the Laplacian of the mesh, all edges alike."""
    laplacian = np.zeros((count, count))
    for corner in range(3):
        one, other = triangles[:, corner], triangles[:, (corner + 1) % 3]
        laplacian[one, other] = laplacian[other, one] = -1
    np.fill_diagonal(laplacian, -laplacian.sum(axis=1))
    return laplacian


def _free(count: int) -> npt.NDArray[np.intp]:
    return np.setdiff1d(np.arange(count), OVAL)


if __name__ == "__main__":
    main()
