"""Fidelity against exact truth (a bench pack), through the whole real way: challenge, capture, enrolment, learning, grant.

A pack holds, for each pair N, `bN_acts.mp4` with its JSON and `bN_capture.mp4` of a donor, `bN_footage.mp4` of a performer,
`bN_truth.mp4` with the picture of a perfect swap, and `bN_truth.mask.mp4`. Beside it or inside lies `assemble_capture.py`, the
pack's own way to answer a challenge: the program itself has none.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from bianlian.compositing.performer import study
from bianlian.compositing.stage import Cast, compose
from bianlian.config import Settings
from bianlian.donors.roll import Donor
from bianlian.donors.scope import example_scope
from bianlian.errors import CallerError
from bianlian.imaging.colour import rgb_from_frame
from bianlian.imaging.metrics import colour_fit, flicker, flip_error, psnr, ssim_luma
from bianlian.media.decode import frames
from bianlian.media.probe import describe
from bianlian.records.arrays import F32, U8
from bianlian.records.composite import Composite
from bianlian.records.donor import Use
from bianlian.records.frame import SourceInfo
from bianlian.records.progress import Progress, Reporter
from bianlian.tracking.store import TrackReader
from bianlian.workflows.enrol import EnrolRequest, draw_challenge, enrol
from bianlian.workflows.house import House, open_house
from bianlian.workflows.learn import appearance_of, face_space, learn
from bianlian.workflows.tracks import sampled_faces, track_footage

INSIDE = 128
"""Mask codes above this are inside (INDEX of the pack)."""
IDENTITY_EVERY = 15
"""Frames between two looks at who it is: 100 ms each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRequest:
    """What to measure."""

    pack: Path
    levels: tuple[str, ...] = ("draft", "standard")
    pairs: tuple[str, ...] = ()
    """Names such as b1; empty: all."""
    sheets: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """Means over frames inside the mask."""

    psnr: float
    ssim: float
    flip: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """One pair at one level."""

    pair: str
    level: str
    nothing: Fidelity
    """Of the footage as it is."""
    swapped: Fidelity
    fitted_psnr: float
    """After a global colour fit: takes a matched or kept skin tone out of the comparison."""
    low_psnr: float
    """Fifth percentile over frames."""
    flicker: float
    """Change from frame to frame, result against truth, 0..255."""
    identity: float
    """Share of the frames looked at that are nearest to the donor among all people of the pack."""
    learn_seconds: float
    compose_fps: float

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        parts = {"nothing": self.nothing, "swapped": self.swapped}
        fidelity = {name: {"psnr": one.psnr, "ssim": one.ssim, "flip": one.flip} for name, one in parts.items()}
        rest = ("pair", "level", "fitted_psnr", "low_psnr", "flicker", "identity", "learn_seconds", "compose_fps")
        return {**{name: getattr(self, name) for name in rest}, **fidelity}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pair:
    name: str
    house: House
    donor: Donor
    footage: SourceInfo
    track: TrackReader
    donor_face: F32
    performer_face: F32


def default_pack() -> Path:
    """The bench pack beside a checkout.

    Raises:
        CallerError: there is none.
    """
    pack = Path.cwd().parent / "shared" / "clips" / "bench"
    if not pack.is_dir():
        raise CallerError(
            "There is no bench pack beside this folder.", advice="Say where it is: bianlian bench --pack DIR"
        )
    return pack


def bench(settings: Settings, request: BenchRequest, reporter: Reporter) -> list[BenchResult]:
    """Measure all pairs at all levels; everything lives in a temporary home and is gone afterwards.

    Raises:
        CallerError: the folder is not a bench pack.
    """
    names = sorted(path.name.removesuffix("_truth.mp4") for path in request.pack.glob("*_truth.mp4"))
    chosen = [name for name in names if not request.pairs or name in request.pairs]
    if not chosen:
        raise CallerError(f"{request.pack} holds no pair to measure.", advice="A pair has files such as b1_truth.mp4.")
    results: list[BenchResult] = []
    with tempfile.TemporaryDirectory(prefix="bianlian-bench-") as scratch:
        pairs = [_prepared(settings, request.pack, name, Path(scratch), reporter) for name in chosen]
        for pair in pairs:
            for level in request.levels:
                results.append(_measured(pair, level, pairs, request, reporter))
    return results


def columns() -> list[str]:
    """Heads of the table."""
    return [
        "pair",
        "level",
        "PSNR",
        "gain dB",
        "SSIM",
        "gain",
        "FLIP",
        "x",
        "fitted",
        "5 %",
        "flicker",
        "donor",
        "learn s",
        "fps",
    ]


def rows(results: Sequence[BenchResult]) -> list[list[str]]:
    """The table: one row a pair and level, then the mean of each level."""
    levels = list(dict.fromkeys(result.level for result in results))
    means = [_mean([result for result in results if result.level == level]) for level in levels]
    return [_row(result) for result in (*results, *(means if len(results) > len(levels) else []))]


def _row(result: BenchResult) -> list[str]:
    before, after = result.nothing, result.swapped
    return [
        result.pair, result.level, f"{after.psnr:.2f}", f"{after.psnr - before.psnr:+.2f}", f"{after.ssim:.3f}",
        f"{after.ssim - before.ssim:+.3f}", f"{after.flip:.3f}", f"{after.flip / before.flip:.2f}", f"{result.fitted_psnr:.2f}",
        f"{result.low_psnr:.2f}", f"{result.flicker:.2f}", f"{result.identity:.0%}", f"{result.learn_seconds:.1f}",
        f"{result.compose_fps:.1f}",
    ]  # fmt: skip


def _mean(results: Sequence[BenchResult]) -> BenchResult:
    def fidelity(parts: Sequence[Fidelity]) -> Fidelity:
        return Fidelity(
            **{name: float(np.mean([getattr(p, name) for p in parts])) for name in ("psnr", "ssim", "flip")}
        )

    numbers = ("fitted_psnr", "low_psnr", "flicker", "identity", "learn_seconds", "compose_fps")
    return replace(
        results[0], pair="mean", nothing=fidelity([result.nothing for result in results]),
        swapped=fidelity([result.swapped for result in results]),
        **{name: float(np.mean([getattr(result, name) for result in results])) for name in numbers},
    )  # fmt: skip


def _prepared(settings: Settings, pack: Path, name: str, scratch: Path, reporter: Reporter) -> _Pair:
    """Enrol the pair's donor, as live, and track the footage."""
    reporter.say(f"{name}: enrolling")
    house = open_house(replace(settings, home=scratch / name))
    challenge, capture, scope = (scratch / f"{name}-{part}" for part in ("challenge.json", "capture.mp4", "scope.toml"))
    draw_challenge(house, challenge, language="en")
    _answer(pack, name, challenge, capture)
    scope.write_text(example_scope(datetime.now(UTC)), encoding="utf-8")
    enrolled = enrol(house, EnrolRequest(name=name, capture=capture, challenge=challenge, scope=scope), reporter)
    footage = describe(pack / f"{name}_footage.mp4")
    track = track_footage(house, footage, reporter)
    return _Pair(
        name=name, house=house, donor=enrolled.donor, footage=footage, track=track,
        donor_face=enrolled.report.template, performer_face=track.info.persons[0].embedding,
    )  # fmt: skip


def _answer(pack: Path, name: str, challenge: Path, capture: Path) -> None:
    script = next(
        (path for path in (pack / "assemble_capture.py", pack.parent / "assemble_capture.py") if path.is_file()), None
    )
    if script is None:
        raise CallerError(f"{pack} has no assemble_capture.py.", advice="It answers challenges from the pack's clips.")
    acts, talk = pack / f"{name}_acts.mp4", pack / f"{name}_capture.mp4"
    command = [sys.executable, str(script), str(challenge), str(acts), str(talk), "-o", str(capture)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise CallerError(f"{script} failed: {outcome.stderr.strip()[-200:]}", advice="Run it by hand to see why.")


def _measured(
    pair: _Pair, level: str, pairs: Sequence[_Pair], request: BenchRequest, reporter: Reporter
) -> BenchResult:
    began = time.perf_counter()
    learn(pair.house, pair.donor.id, level=level, seed=0, reporter=reporter)
    learnt = time.perf_counter()
    swapped = list(_composites(pair, level, reporter))
    composed = time.perf_counter()
    truth, masks = _clip(request.pack / f"{pair.name}_truth.mp4"), _clip(request.pack / f"{pair.name}_truth.mask.mp4")
    pictures = [rgb_from_frame(composite.frame) for composite in swapped]
    inside = [mask[..., 0] > INSIDE for mask in masks]
    footage = [rgb_from_frame(frame) for frame in frames(pair.footage)]
    scores = [psnr(*triple) for triple in zip(pictures, truth, inside, strict=True)]
    fitted = [colour_fit(*triple) for triple in zip(pictures, truth, inside, strict=True)]
    if request.sheets:
        _write_sheet(request.sheets / f"{pair.name}-{level}.jpg", footage, pictures, truth, inside)
    return BenchResult(
        pair=pair.name, level=level, nothing=_fidelity(footage, truth, inside), swapped=_fidelity(pictures, truth, inside),
        fitted_psnr=float(np.mean([psnr(*triple) for triple in zip(fitted, truth, inside, strict=True)])),
        low_psnr=float(np.percentile(scores, 5)),
        flicker=float(np.mean([
            flicker((pictures[i - 1], pictures[i]), (truth[i - 1], truth[i]), inside[i]) for i in range(1, len(pictures))
        ])),
        identity=_identity(pair, pairs, swapped, reporter), learn_seconds=learnt - began,
        compose_fps=len(swapped) / (composed - learnt),
    )  # fmt: skip


def _composites(pair: _Pair, level: str, reporter: Reporter) -> Iterator[Composite]:
    """The result in memory, before marks and codec: what the engine alone does."""
    house, track, person = pair.house, pair.track, 1
    space = face_space(house, reporter)
    use = Use(
        job_id=f"bench-{pair.name}-{level}", source_sha256=pair.footage.sha256, person=person, purpose="test",
        project="Bianlian demo", publication="private", regions=("worldwide",),
    )  # fmt: skip
    grant = house.donors.authorise(pair.donor.id, use, house.clock())
    appearance, _ = appearance_of(house, pair.donor, level=level, reporter=reporter)
    performer = study(sampled_faces(pair.footage, track, person, count=48), space)
    cast = Cast(grant=grant, appearance=appearance, performer=performer)
    total = track.info.frame_count
    paired = zip(frames(pair.footage), track.faces(0, total), strict=True)
    for done, composite in enumerate(compose(paired, {person: cast}, space), 1):
        reporter.progress(Progress(stage="compose", done=done, total=total))
        yield composite


def _clip(path: Path) -> list[U8]:
    return [rgb_from_frame(frame) for frame in frames(describe(path))]


def _fidelity(pictures: Sequence[U8], truth: Sequence[U8], inside: Sequence[np.ndarray]) -> Fidelity:
    triples = list(zip(pictures, truth, inside, strict=True))
    psnrs, ssims, flips = ([measure(*triple) for triple in triples] for measure in (psnr, ssim_luma, flip_error))
    return Fidelity(psnr=float(np.mean(psnrs)), ssim=float(np.mean(ssims)), flip=float(np.mean(flips)))


def _identity(pair: _Pair, pairs: Sequence[_Pair], swapped: Sequence[Composite], reporter: Reporter) -> float:
    """Share of looked-at frames whose nearest face among everybody in the pack is the donor's."""
    model = pair.house.face_models(reporter).identity
    others = [other.donor_face for other in pairs if other is not pair] + [other.performer_face for other in pairs]
    nearest: list[bool] = []
    for composite in swapped[::IDENTITY_EVERY]:
        for placed in composite.faces:
            seen = model.embed(rgb_from_frame(composite.frame), placed.points_image)
            apart = [float(np.linalg.norm(seen - face)) for face in (pair.donor_face, *others)]
            nearest.append(int(np.argmin(apart)) == 0)
    return float(np.mean(nearest)) if nearest else 0.0


def _write_sheet(path: Path, *clips: Sequence[Any]) -> None:
    """Four moments, each as footage | result | truth, cut to the face."""
    *pictures, inside = clips
    path.parent.mkdir(parents=True, exist_ok=True)
    lines: list[U8] = []
    for index in np.linspace(1, len(inside) - 1, 4).astype(int):
        rows_seen, columns_seen = np.nonzero(inside[index])
        middle = int(rows_seen.mean()), int(columns_seen.mean())
        half = int(0.75 * max(np.ptp(rows_seen), np.ptp(columns_seen)))
        top, left = max(0, middle[0] - half), max(0, middle[1] - half)
        cut = [picture[index][top : top + 2 * half, left : left + 2 * half] for picture in pictures]
        lines.append(np.hstack([cv2.resize(part, (360, 360), interpolation=cv2.INTER_AREA) for part in cut]))
    Image.fromarray(np.vstack(lines)).save(path, quality=88)
