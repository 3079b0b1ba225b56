"""What the bench finds out about a result, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np

from bianlian.imaging.metrics import Mask, colour_fit, flicker, flip_error, psnr, ssim_luma
from bianlian.records.arrays import U8
from bianlian.workflows.bench.performance import Apart

_SCORES = (
    "fitted_psnr",
    "low_psnr",
    "flicker",
    "flicker_codec",
    "unrest",
    "unrest_codec",
    "untouched",
    "identity",
    "learn_seconds",
    "compose_fps",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """Means over frames inside the mask."""

    psnr: float
    ssim: float
    flip: float


_Record = TypeVar("_Record", Fidelity, Apart)


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """What a pair's results are compared with."""

    nothing: Fidelity
    """Of the footage as it is."""
    flicker_codec: float
    """Of the truth, coded once more as results are coded."""
    unrest_codec: float
    """How unsteady the truth's skin is, marked and coded as results are (`unrest.TrueSkin`)."""
    second_look: Apart
    """Two trackings of the footage: as it is, and its mirror image."""
    truth: Apart
    """The perfect swap against the footage: what another person's face alone makes of a performance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """One pair at one level."""

    pair: str
    level: str
    yardstick: Yardstick
    swapped: Fidelity
    fitted_psnr: float
    """After a global colour fit: takes a matched or kept skin tone out of the comparison."""
    low_psnr: float
    """Fifth percentile over frames."""
    flicker: float
    """Change from frame to frame, result against truth, 0..255."""
    unrest: float
    """How unsteady the skin of the marked and coded result is, over the truth's landmarks, levels of 255."""
    untouched: float
    """PSNR of the marked and coded result outside matte and label, against the footage."""
    performance: Apart
    """Result against footage."""
    identity: float
    """Share of the frames looked at that are nearest to the donor among all people of the pack."""
    learn_seconds: float
    compose_fps: float

    @property
    def flicker_codec(self) -> float:
        """Flicker over that of the truth's own coding."""
        return self.flicker / max(self.yardstick.flicker_codec, 1e-9)

    @property
    def unrest_codec(self) -> float:
        """Unrest over that of the coded truth: 1 is as calm."""
        return self.unrest / max(self.yardstick.unrest_codec, 1e-9)

    @property
    def performance_ratio(self) -> Apart:
        """The performance's differences over those of two trackings of the footage."""
        return self.performance.against(self.yardstick.second_look)

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        scores = {name: getattr(self, name) for name in _SCORES}
        return {
            "pair": self.pair, "level": self.level, **scores, "nothing": asdict(self.yardstick.nothing),
            "swapped": asdict(self.swapped), "performance": asdict(self.performance),
            "performance_second_look": asdict(self.yardstick.second_look),
            "performance_truth": asdict(self.yardstick.truth), "performance_ratio": asdict(self.performance_ratio),
        }  # fmt: skip


def fidelity(pictures: Sequence[U8], truth: Sequence[U8], inside: Sequence[Mask]) -> Fidelity:
    """PSNR, SSIM and FLIP of a clip against the truth."""
    return Fidelity(
        psnr=_mean(map(psnr, pictures, truth, inside)), ssim=_mean(map(ssim_luma, pictures, truth, inside)),
        flip=_mean(map(flip_error, pictures, truth, inside)),
    )  # fmt: skip


def fitted_psnr(pictures: Sequence[U8], truth: Sequence[U8], inside: Sequence[Mask]) -> float:
    """PSNR after a global colour fit of each frame."""
    return _mean(map(psnr, map(colour_fit, pictures, truth, inside), truth, inside))


def low_psnr(pictures: Sequence[U8], truth: Sequence[U8], inside: Sequence[Mask]) -> float:
    """Fifth percentile of the frames' PSNR."""
    return float(np.percentile(list(map(psnr, pictures, truth, inside)), 5))


def clip_flicker(pictures: Sequence[U8], truth: Sequence[U8], inside: Sequence[Mask]) -> float:
    """Mean over a clip of the change from frame to frame against the truth's, 0..255."""
    steps = range(1, len(pictures))
    return _mean(flicker((pictures[i - 1], pictures[i]), (truth[i - 1], truth[i]), inside[i]) for i in steps)


def untouched(pictures: Sequence[U8], footage: Sequence[U8], changed: Sequence[Mask]) -> float:
    """PSNR over all that was not to be changed."""
    return _mean(psnr(one, other, ~mask) for one, other, mask in zip(pictures, footage, changed, strict=True))


def fidelity_table(results: Sequence[BenchResult]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: one row a pair and level, then the mean of each level."""
    heads = "pair level PSNR gain SSIM gain FLIP x fitted 5_% flicker x unrest x untouched donor learn_s fps"
    return [head.replace("_", " ") for head in heads.split()], [
        _fidelity_row(result) for result in _with_means(results)
    ]


def performance_table(results: Sequence[BenchResult]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: each difference to the footage, and as multiple of what two trackings of it differ by."""
    measures = tuple(asdict(results[0].performance))
    heads = ["pair", "level", *(head for name in measures for head in (name, "x"))]
    rows = [_performance_row(one.pair, one.level, one.performance, one.yardstick) for one in _with_means(results)]
    firsts = {one.pair: one for one in reversed(results)}
    for pair, one in sorted(firsts.items()):
        rows.append(_performance_row(pair, "two looks", one.yardstick.second_look, one.yardstick))
        rows.append(_performance_row(pair, "truth", one.yardstick.truth, one.yardstick))
    return heads, rows


def _fidelity_row(result: BenchResult) -> list[str]:
    before, after = result.yardstick.nothing, result.swapped
    return [
        result.pair, result.level, f"{after.psnr:.2f}", f"{after.psnr - before.psnr:+.2f}", f"{after.ssim:.3f}",
        f"{after.ssim - before.ssim:+.3f}", f"{after.flip:.3f}", f"{after.flip / before.flip:.2f}",
        f"{result.fitted_psnr:.2f}", f"{result.low_psnr:.2f}", f"{result.flicker:.2f}", f"{result.flicker_codec:.2f}",
        f"{result.unrest:.2f}", f"{result.unrest_codec:.2f}",
        f"{result.untouched:.1f}", f"{result.identity:.0%}", f"{result.learn_seconds:.1f}", f"{result.compose_fps:.1f}",
    ]  # fmt: skip


def _performance_row(pair: str, level: str, apart: Apart, yardstick: Yardstick) -> list[str]:
    pairs = zip(asdict(apart).values(), asdict(apart.against(yardstick.second_look)).values(), strict=True)
    return [pair, level, *(text for value, ratio in pairs for text in (f"{value:.3f}", f"{ratio:.1f}"))]


def _with_means(results: Sequence[BenchResult]) -> list[BenchResult]:
    """The results, and after them the mean of each level if there are several pairs."""
    levels = {result.level: [one for one in results if one.level == result.level] for result in results}
    return [*results, *(_averaged(group) for group in levels.values() if len(group) > 1)]


def _averaged(results: Sequence[BenchResult]) -> BenchResult:
    yardsticks = [result.yardstick for result in results]
    numbers = ("fitted_psnr", "low_psnr", "flicker", "unrest", "untouched", "identity", "learn_seconds", "compose_fps")
    return replace(
        results[0], pair="mean", swapped=_averages([result.swapped for result in results]),
        performance=_averages([result.performance for result in results]),
        yardstick=Yardstick(
            nothing=_averages([one.nothing for one in yardsticks]), flicker_codec=_mean(one.flicker_codec for one in yardsticks),
            unrest_codec=_mean(one.unrest_codec for one in yardsticks),
            second_look=_averages([one.second_look for one in yardsticks]), truth=_averages([one.truth for one in yardsticks]),
        ),
        **{name: _mean(getattr(result, name) for result in results) for name in numbers},
    )  # fmt: skip


def _averages(records: Sequence[_Record]) -> _Record:
    names = asdict(records[0])
    return replace(records[0], **{name: _mean(getattr(record, name) for record in records) for name in names})


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
