"""How far a picture is from the true one, inside a mask. Pictures are HxWx3 uint8 sRGB, masks HxW bool."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from bianlian.records.arrays import U8

Mask = npt.NDArray[np.bool_]
_WINDOW = 7
"""Side of SSIM's window, pixels: the default of scikit-image, with which the numbers for doing nothing were made."""


def psnr(picture: U8, truth: U8, mask: Mask) -> float:
    """Peak signal-to-noise ratio in dB over all channels inside `mask`; infinite for equal pictures."""
    error = float(np.mean((picture[mask].astype(np.float64) - truth[mask]) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def ssim_luma(picture: U8, truth: U8, mask: Mask) -> float:
    """Mean structural similarity of the luma inside `mask` (Wang et al. 2004; uniform window, sample covariance)."""
    one, two = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in (picture, truth))

    def mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return cv2.blur(values, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REFLECT)

    sample = _WINDOW**2 / (_WINDOW**2 - 1)
    mean_one, mean_two = mean(one), mean(two)
    var_one = sample * (mean(one * one) - mean_one**2)
    var_two = sample * (mean(two * two) - mean_two**2)
    both = sample * (mean(one * two) - mean_one * mean_two)
    light, contrast = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    score = (2 * mean_one * mean_two + light) * (2 * both + contrast)
    score = score / ((mean_one**2 + mean_two**2 + light) * (var_one + var_two + contrast))
    return float(score[mask].mean())


def flip_error(picture: U8, truth: U8, mask: Mask) -> float:
    """Mean FLIP error inside `mask`, 0..1 (Andersson et al. 2020; the package's own viewing distance, 67 pixels a degree)."""
    import flip_evaluator  # noqa: PLC0415 - slow to load, needed by the bench only

    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    around = (slice(max(0, rows[0] - 8), rows[-1] + 9), slice(max(0, columns[0] - 8), columns[-1] + 9))
    images = [np.ascontiguousarray(image[around].astype(np.float32) / 255) for image in (truth, picture)]
    error, _, _ = flip_evaluator.evaluate(images[0], images[1], "LDR", applyMagma=False)
    return float(np.asarray(error)[..., 0][mask[around]].mean())


def colour_fit(picture: U8, truth: U8, mask: Mask) -> U8:
    """`picture` after one gain and offset per channel, fitted to `truth` inside `mask` (takes out skin tone)."""
    fitted = picture.astype(np.float64)
    for channel in range(3):
        x, y = picture[mask][:, channel].astype(np.float64), truth[mask][:, channel].astype(np.float64)
        gain = float(np.cov(x, y)[0, 1] / max(float(x.var(ddof=1)), 1e-9))
        fitted[..., channel] = gain * (fitted[..., channel] - x.mean()) + y.mean()
    return np.clip(np.rint(fitted), 0, 255).astype(np.uint8)


def flicker(frames: tuple[U8, U8], truths: tuple[U8, U8], mask: Mask) -> float:
    """Mean absolute difference of the change between two successive frames, output against truth, 0..255."""
    change, true_change = (pair[1].astype(np.float32) - pair[0] for pair in (frames, truths))
    return float(np.abs(change - true_change)[mask].mean())
