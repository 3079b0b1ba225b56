"""The canonical face: a 256 px square that every face is laid into by an affine fit of its landmarks.

Embedder and reader use the same fit, so rotation, scale, cropping, a squeezed aspect ratio and mild perspective cancel. The
set of points is symmetric, so a mirrored face lands as the mirror image of the square.
"""

from __future__ import annotations

import numpy as np

from bianlian.records.arrays import F32

SIDE = 256
"""Width and height of the canonical face in pixels."""

_ANCHORS = np.array(
    [
        (5, 127.5, 115.3), (10, 127.5, 12.7), (21, 35.4, 49.4), (36, 90.5, 129.5), (52, 78.9, 61.5), (67, 81.7, 16.0),
        (68, 54.7, 45.8), (69, 87.7, 34.7), (92, 96.7, 160.5), (103, 60.8, 22.8), (107, 109.4, 54.9), (109, 102.9, 13.0),
        (110, 73.0, 91.0), (118, 69.9, 110.7), (123, 45.1, 127.0), (124, 54.9, 78.4), (127, 26.8, 89.3),
        (132, 33.0, 157.7), (151, 127.5, 35.0), (167, 118.0, 153.1), (168, 127.5, 77.6), (207, 70.5, 155.0),
        (218, 112.9, 132.2), (221, 104.7, 74.2), (232, 101.9, 95.9), (234, 27.9, 111.3), (251, 219.6, 49.4),
        (266, 164.5, 129.5), (282, 176.1, 61.5), (297, 173.3, 16.0), (298, 200.3, 45.8), (299, 167.3, 34.7),
        (322, 158.3, 160.5), (332, 194.2, 22.8), (336, 145.6, 54.9), (338, 152.1, 13.0), (339, 182.0, 91.0),
        (347, 185.1, 110.7), (352, 209.9, 127.0), (353, 200.1, 78.4), (356, 228.2, 89.3), (361, 222.0, 157.7),
        (393, 137.0, 153.1), (427, 184.5, 155.0), (438, 142.1, 132.2), (441, 150.3, 74.2), (452, 153.1, 95.9),
        (454, 227.1, 111.3),
    ],
    dtype=np.float64,
)  # fmt: skip
"""(landmark, x, y): 48 points of MediaPipe's canonical mesh, 13 px a unit, without lips, jaw and eyelids, which move."""
_INDEX = _ANCHORS[:, 0].astype(np.intp)
_SOLVE = np.linalg.pinv(np.column_stack([_ANCHORS[:, 1:], np.ones(len(_ANCHORS))]))


def image_from_canonical(points_image: F32) -> F32:
    """The affine map, 2x3, from canonical pixels to image pixels that fits the landmarks (478x3) in the least squares."""
    return (_SOLVE @ points_image[_INDEX, :2]).T.astype(np.float32)


def face_scale(matrix: F32) -> float:
    """Image pixels for each canonical pixel: the square root of the map's area change."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def squeeze(matrix: F32) -> float:
    """How unequal the map's two axes are, 0..1: 1 for a face seen frontally, about the cosine of the yaw for a turned one."""
    large, small = np.linalg.svd(matrix[:, :2], compute_uv=False)
    return float(small / large) if large > 0 else 0.0
