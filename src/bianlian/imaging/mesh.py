"""Drawing a triangle mesh: which template point each pixel shows, and where each template texel lies in a picture."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from bianlian.records.arrays import F32

I32 = npt.NDArray[np.int32]


@numba.njit(cache=True, fastmath=True, nogil=True)
def _raster(
    points: F32, attributes: F32, triangles: I32, keep: npt.NDArray[np.bool_], depth: F32, values: F32
) -> None:  # pragma: no cover - compiled
    height, width = depth.shape
    channels = attributes.shape[1]
    for number in range(triangles.shape[0]):
        if not keep[number]:
            continue
        a, b, c = triangles[number, 0], triangles[number, 1], triangles[number, 2]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-6:
            continue
        left, right = max(0, int(np.ceil(min(ax, bx, cx)))), min(width - 1, int(np.floor(max(ax, bx, cx))))
        top, bottom = max(0, int(np.ceil(min(ay, by, cy)))), min(height - 1, int(np.floor(max(ay, by, cy))))
        inverse = 1.0 / area
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                u = ((bx - x) * (cy - y) - (cx - x) * (by - y)) * inverse
                v = ((cx - x) * (ay - y) - (ax - x) * (cy - y)) * inverse
                w = 1.0 - u - v
                if u < -1e-5 or v < -1e-5 or w < -1e-5:
                    continue
                z = u * points[a, 2] + v * points[b, 2] + w * points[c, 2]
                if z < depth[y, x]:
                    depth[y, x] = z
                    for k in range(channels):
                        values[y, x, k] = u * attributes[a, k] + v * attributes[b, k] + w * attributes[c, k]


def facing(points: F32, triangles: I32) -> F32:
    """Signed area of each triangle in the plane (N), half pixels² of the first two coordinates; sign tells the side."""
    first, second, third = (points[triangles[:, k], :2] for k in range(3))
    one, two = second - first, third - first
    return (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]).astype(np.float32)


def interpolated(
    points: F32, attributes: F32, triangles: I32, size: tuple[int, int], keep: npt.NDArray[np.bool_] | None = None
) -> F32:
    """Vertex attributes at each pixel of a picture of `size`, nearest triangle in front.

    Args:
        points: Nx3, x and y in pixels of the picture, z smaller is nearer.
        attributes: NxK float32.
        triangles: Mx3; `keep` (M) leaves some of them out.

    Returns:
        HxWxK float32, NaN where no triangle lies.
    """
    depth = np.full(size, np.inf, np.float32)
    values = np.full((*size, attributes.shape[1]), np.nan, np.float32)
    kept = np.ones(len(triangles), np.bool_) if keep is None else keep
    _raster(
        np.ascontiguousarray(points, np.float32),
        np.ascontiguousarray(attributes, np.float32),
        triangles, kept, depth, values,
    )  # fmt: skip
    return values
