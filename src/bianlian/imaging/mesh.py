"""Drawing a triangle mesh: which template point each pixel shows, and where each template texel lies in a picture."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from bianlian.records.arrays import F32

I32 = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.int8] | npt.NDArray[np.uint8]

_SLACK = np.float32(1e-5)
"""Share of a triangle by which a pixel may lie beside it and still belong to it, so that none is missed between two."""


@numba.njit(cache=True, fastmath=True, nogil=True)
def _raster(
    points: F32, attributes: F32, triangles: I32, keep: npt.NDArray[np.bool_], outside: F32, values: F32
) -> None:  # pragma: no cover - compiled
    height, width, channels = values.shape
    depth = np.full((height, width), np.inf, np.float32)
    for y in range(height):
        for x in range(width):
            for k in range(channels):
                values[y, x, k] = outside[k]
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
        inverse = np.float32(1) / area
        across_u, across_v = (by - cy) * inverse, (cy - ay) * inverse
        for y in range(top, bottom + 1):
            # Barycentric coordinates along a row are straight lines; the row's span is where none of them is negative.
            first_u, first_v = (bx * (cy - y) - cx * (by - y)) * inverse, (cx * (ay - y) - ax * (cy - y)) * inverse
            start, stop = np.float32(left), np.float32(right)
            lines = ((first_u, across_u), (first_v, across_v), (1 - first_u - first_v, -across_u - across_v))
            for first, across in lines:
                if across > 1e-9:
                    start = max(start, (-_SLACK - first) / across)
                elif across < -1e-9:
                    stop = min(stop, (-_SLACK - first) / across)
                elif first < -_SLACK:
                    stop = start - 1
            for x in range(int(np.ceil(start)), int(np.floor(stop)) + 1):
                u, v = first_u + across_u * x, first_v + across_v * x
                w = 1 - u - v
                z = u * points[a, 2] + v * points[b, 2] + w * points[c, 2]
                if z < depth[y, x]:
                    depth[y, x] = z
                    for k in range(channels):
                        values[y, x, k] = u * attributes[a, k] + v * attributes[b, k] + w * attributes[c, k]


@numba.njit(cache=True, fastmath=True, nogil=True)
def _spread(corners: I32, shares: F32, values: F32, spread: F32) -> None:  # pragma: no cover - compiled
    for texel in range(corners.shape[0]):
        a, b, c = corners[texel, 0], corners[texel, 1], corners[texel, 2]
        u, v, w = shares[texel, 0], shares[texel, 1], shares[texel, 2]
        for k in range(values.shape[1]):
            spread[texel, k] = u * values[a, k] + v * values[b, k] + w * values[c, k]


@numba.njit(cache=True, fastmath=True, nogil=True)
def _combine(weights: F32, rows: Bytes, total: F32) -> None:  # pragma: no cover - compiled
    block = 4096  # of the total: stays in the first cache while every row passes
    for start in range(0, total.size, block):
        part = total[start : start + block]
        for number in range(weights.size):
            weight, row = weights[number], rows[number, start : start + block]
            for i in range(part.size):
                part[i] += weight * np.float32(row[i])


def combined(mean: F32, weights: npt.NDArray[np.floating], rows: Bytes) -> F32:
    """`mean` (any shape) plus its variations (K of that shape) by their weights (K), which stay small integers in memory."""
    total = mean.copy()
    _combine(weights.astype(np.float32), rows.reshape(len(weights), total.size), total.reshape(-1))
    return total


def spread_over(corners: I32, shares: F32, values: F32) -> F32:
    """Vertex values (NxC) at texels that lie between three vertices each: `corners` and `shares` are HxWx3, the result HxWxC."""
    spread = np.empty((*corners.shape[:2], values.shape[1]), np.float32)
    values = np.ascontiguousarray(values, np.float32)
    _spread(corners.reshape(-1, 3), shares.reshape(-1, 3), values, spread.reshape(-1, values.shape[1]))
    return spread


@numba.njit(cache=True, nogil=True)
def facing(points: F32, triangles: I32) -> F32:  # pragma: no cover - compiled
    """Signed area of each triangle in the plane (N), half pixels² of the first two coordinates; sign tells the side."""
    areas = np.empty(len(triangles), np.float32)
    for number in range(len(triangles)):
        a, b, c = triangles[number]
        one_x, one_y = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1]
        two_x, two_y = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1]
        areas[number] = one_x * two_y - one_y * two_x
    return areas


def interpolated(
    points: F32,
    attributes: F32,
    triangles: I32,
    size: tuple[int, int],
    keep: npt.NDArray[np.bool_] | None = None,
    *,
    outside: tuple[float, ...] = (np.nan,),
) -> F32:
    """Vertex attributes at each pixel of a picture of `size`, nearest triangle in front.

    Args:
        points: Nx3, x and y in pixels of the picture, z smaller is nearer.
        attributes: NxK float32.
        triangles: Mx3; `keep` (M) leaves some of them out.
        outside: K values, or one for all, where no triangle lies.

    Returns:
        HxWxK float32.
    """
    values = np.empty((*size, attributes.shape[1]), np.float32)
    background = np.broadcast_to(np.array(outside, np.float32), attributes.shape[1:])
    kept = np.ones(len(triangles), np.bool_) if keep is None else keep
    _raster(
        np.ascontiguousarray(points, np.float32),
        np.ascontiguousarray(attributes, np.float32),
        triangles, kept, background, values,
    )  # fmt: skip
    return values
