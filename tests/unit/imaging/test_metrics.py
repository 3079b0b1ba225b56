"""The measures: perfect is perfect, worse is worse, skin tone alone can be taken out."""

from __future__ import annotations

import math

import cv2
import numpy as np

from bianlian.imaging.metrics import colour_fit, flicker, flip_error, psnr, ssim_luma

PICTURE = cv2.resize(np.random.default_rng(1).integers(40, 200, (12, 12, 3), np.uint8), (96, 96))
MASK = np.zeros((96, 96), bool)
MASK[20:80, 20:80] = True


def test_a_picture_is_its_own_truth() -> None:
    assert psnr(PICTURE, PICTURE, MASK) == math.inf
    assert ssim_luma(PICTURE, PICTURE, MASK) == 1
    assert flip_error(PICTURE, PICTURE, MASK) < 1e-6
    assert flicker((PICTURE, PICTURE), (PICTURE, PICTURE), MASK) == 0


def test_what_lies_outside_the_mask_does_not_count() -> None:
    other = PICTURE.copy()
    other[:10] = 0
    assert psnr(other, PICTURE, MASK) == math.inf


def test_more_noise_is_worse_by_every_measure() -> None:
    noise = np.random.default_rng(2).normal(0, 1, PICTURE.shape)
    little, much = (np.clip(PICTURE + noise * amount, 0, 255).astype(np.uint8) for amount in (4, 25))
    assert psnr(little, PICTURE, MASK) > psnr(much, PICTURE, MASK) + 10
    assert ssim_luma(little, PICTURE, MASK) > ssim_luma(much, PICTURE, MASK)
    assert flip_error(little, PICTURE, MASK) < flip_error(much, PICTURE, MASK)


def test_a_colour_fit_takes_out_gain_and_offset() -> None:
    toned = np.clip(PICTURE * np.array([0.8, 0.9, 1.1]) + 8, 0, 255).astype(np.uint8)
    assert psnr(toned, PICTURE, MASK) < 25
    assert psnr(colour_fit(toned, PICTURE, MASK), PICTURE, MASK) > 40
