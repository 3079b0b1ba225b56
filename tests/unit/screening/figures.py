"""Drawn figures for the content gate: what can lawfully be tested. Nobody is depicted."""

import numpy as np


def mannequin(*, dressed: bool, size: int = 320, skin=(222, 178, 150), seed: int = 0):
    """size x size x 3 uint8: a standing figure of shaded ellipses, nude or in a plain shirt."""
    noise = np.random.default_rng(seed)
    picture = np.full((size, size, 3), (120, 130, 140), np.float32)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size

    def ellipse(at, radii, colour, soft=0.12, shaded=True):
        dx, dy = (x - at[0]) / radii[0], (y - at[1]) / radii[1]
        distance = np.sqrt(dx**2 + dy**2)
        cover = np.clip((1 - distance) / soft, 0, 1)[..., None]
        shade = (1 - 0.35 * np.clip(distance, 0, 1) ** 2 - 0.125 * (dx + dy))[..., None] if shaded else 1
        picture[:] = picture * (1 - cover) + cover * np.asarray(colour) * shade

    tone = np.asarray(skin, np.float32)
    cloth = np.array((40, 70, 120), np.float32)
    body = cloth if dressed else tone
    for at, radii, colour in [
        ((0.5, 0.95), (0.24, 0.35), body), ((0.5, 0.62), (0.2, 0.42), body), ((0.27, 0.62), (0.06, 0.3), body),
        ((0.73, 0.62), (0.06, 0.3), body), ((0.5, 0.32), (0.24, 0.09), body), ((0.5, 0.24), (0.06, 0.1), tone),
        ((0.5, 0.13), (0.095, 0.125), tone), ((0.5, 0.06), (0.12, 0.08), (60, 40, 30)),
    ]:  # fmt: skip
        ellipse(at, radii, colour)
    for side in (-1, 1):
        ellipse((0.5 + 0.035 * side, 0.13), (0.013, 0.008), (40, 30, 30), shaded=False)
        if not dressed:
            ellipse((0.5 + 0.09 * side, 0.5), (0.095, 0.1), tone * 1.05, soft=0.25)
            ellipse((0.5 + 0.09 * side, 0.52), (0.028, 0.027), tone * (0.75, 0.55, 0.5), soft=0.3, shaded=False)
            ellipse((0.5 + 0.09 * side, 0.52), (0.01, 0.01), tone * (0.6, 0.42, 0.4), shaded=False)
    ellipse((0.5, 0.185), (0.025, 0.008), (170, 80, 80), shaded=False)
    return np.clip(picture + noise.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
