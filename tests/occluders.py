"""Things drawn before a face, each with where it is."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from bianlian.imaging.template import EYES
from bianlian.records.arrays import F32, U8

Draw = Callable[[U8, F32], tuple[U8, F32]]
"""From a picture (HxWx3 RGB) and the landmarks in it (478x3, pixels) to the picture with the thing, and to HxW, 0..1."""
CHEEK, CHIN, LIPS = 50, 152, 13
BLACK, WIRE = (25, 22, 20), (215, 215, 220)
"""Colours of glasses."""
FILLED = -1.0
"""A width of rims: dark panes."""


def with_hand(picture: U8, points: F32) -> tuple[U8, F32]:
    """A palm with four fingers over the mouth, round and of the cheek's own colour; and where it is."""
    size = float(np.ptp(points[:, 1]))
    x, y = (int(v) for v in points[CHEEK, :2])
    skin = np.median(picture[y - 4 : y + 5, x - 4 : x + 5].reshape(-1, 3), axis=0)
    left, lips = points[LIPS, 0] - 0.3 * size, points[LIPS, 1]
    bones = [((left, lips + 0.3 * size), (left + 0.2 * size, lips + 0.05 * size), 0.16 * size)]
    for finger in range(4):
        root = left + 0.15 * size, lips + (0.14 - 0.075 * finger) * size
        bones.append((root, (root[0] + 0.5 * size, root[1] - 0.04 * size * finger), 0.042 * size))
    hand, depth = np.zeros(picture.shape[:2], np.float32), np.zeros(picture.shape[:2], np.float32)
    for (ax, ay), (bx, by), radius in bones:
        yy, xx = np.mgrid[: picture.shape[0], : picture.shape[1]]
        along = np.clip(((xx - ax) * (bx - ax) + (yy - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2), 0, 1)
        round_ = 1 - ((xx - ax - along * (bx - ax)) ** 2 + (yy - ay - along * (by - ay)) ** 2) / radius**2
        depth = np.maximum(depth, np.sqrt(np.maximum(round_, 0)))
        hand[round_ > 0] = 1
    shaded = (0.55 + 0.5 * depth)[..., None] * skin
    soft = cv2.GaussianBlur(hand, (0, 0), 0.7)[..., None]
    return np.clip(picture * (1 - soft) + shaded * soft, 0, 255).astype(np.uint8), hand


def with_microphone(picture: U8, points: F32) -> tuple[U8, F32]:
    size = float(np.ptp(points[:, 1]))
    x, y = (int(v) for v in points[CHIN, :2] * 0.6 + points[LIPS, :2] * 0.4)
    microphone = np.zeros(picture.shape[:2], np.float32)
    cv2.circle(microphone, (x, y), int(0.13 * size), 1.0, -1)
    cv2.line(microphone, (x, y), (x + int(0.1 * size), y + int(0.8 * size)), 1.0, int(0.1 * size))
    rough = np.random.default_rng(0).uniform(35, 60, (*microphone.shape, 1))
    soft = cv2.GaussianBlur(microphone, (0, 0), 0.7)[..., None]
    return np.clip(picture * (1 - soft) + rough * soft, 0, 255).astype(np.uint8), microphone


def with_glasses(picture: U8, points: F32, colour: tuple[int, int, int], width: float) -> tuple[U8, U8]:
    """A picture with glasses on the face whose landmarks lie there, and the mask of their rims, panes if FILLED, and bridge."""
    rims = np.zeros(picture.shape[:2], np.uint8)
    corners = [points[list(eye), :2] for eye in EYES]
    centres = [eye.mean(axis=0) + np.array([0, 0.1 * np.ptp(eye[:, 0])]) for eye in corners]
    radius = 0.78 * np.mean([np.ptp(eye[:, 0]) for eye in corners])
    thick = -1 if width == FILLED else max(1, round(width * radius))

    def fixed(point: np.ndarray) -> tuple[int, int]:
        x, y = np.rint(point * 16).astype(int)
        return int(x), int(y)

    for centre in centres:
        cv2.ellipse(
            rims, fixed(centre), fixed(np.array([radius, 0.75 * radius])), 0, 0, 360, 255, thick, cv2.LINE_AA, 4
        )
    left, right = sorted(centres, key=lambda centre: float(centre[0]))
    across = np.array([radius, 0.0])
    cv2.line(rims, fixed(left + across), fixed(right - across), 255, abs(thick), cv2.LINE_AA, 4)
    share = rims[..., None] / 255
    return np.rint(picture * (1 - share) + np.array(colour) * share).astype(np.uint8), rims
