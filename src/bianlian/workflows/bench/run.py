"""Fidelity against exact truth (a bench pack), through the whole real way: challenge, capture, enrolment, learning, grant.

A pack holds, for each pair N, `bN_acts.mp4` with its JSON and `bN_capture.mp4` of a donor, `bN_footage.mp4` of a performer,
`bN_truth.mp4` with the picture of a perfect swap, and `bN_truth.mask.mp4`. Beside it or inside lies `assemble_capture.py`, the
pack's own way to answer a challenge: the program itself has none. Pictures are compared in memory and none is kept: a face leaves
the program through `swap` and `preview` alone, with every mark.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bianlian.compositing.perform import at_side
from bianlian.compositing.performer import study
from bianlian.compositing.stage import Cast, compose
from bianlian.config import Settings
from bianlian.errors import CallerError
from bianlian.imaging.colour import rgb_from_frame
from bianlian.media.decode import frames
from bianlian.records.composite import Composite
from bianlian.records.donor import Use
from bianlian.records.progress import Progress, Reporter
from bianlian.tracking.identity import IdentityModel
from bianlian.workflows.bench.pairs import Pair, pictures_of, prepared
from bianlian.workflows.bench.performance import seen_in
from bianlian.workflows.bench.scores import BenchResult, clip_flicker, fidelity, fitted_psnr, low_psnr, untouched
from bianlian.workflows.casting import drawing_side
from bianlian.workflows.learn import appearance_of, face_space, learn
from bianlian.workflows.tracks import sampled_faces

IDENTITY_EVERY = 15
"""Frames between two looks at who it is: 100 ms each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRequest:
    """What to measure."""

    pack: Path
    levels: tuple[str, ...] = ("draft", "standard")
    pairs: tuple[str, ...] = ()
    """Names such as b1; empty: all."""


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
        pairs = [prepared(settings, request.pack, name, Path(scratch), reporter) for name in chosen]
        for pair in pairs:
            for level in request.levels:
                results.append(_measured(pair, level, pairs, reporter))
    return results


def _measured(pair: Pair, level: str, pairs: Sequence[Pair], reporter: Reporter) -> BenchResult:
    began = time.perf_counter()
    learn(pair.house, pair.donor.id, level=level, seed=0, reporter=reporter)
    learnt = time.perf_counter()
    swapped = list(_composites(pair, level, reporter))
    composed = time.perf_counter()
    truth, inside = pair.true_pictures()
    footage, pictures = pictures_of(pair.footage), [rgb_from_frame(composite.frame) for composite in swapped]
    models, coding = pair.house.face_models(reporter), pair.coding
    coded = coding.coded(swapped)
    return BenchResult(
        pair=pair.name, level=level, yardstick=pair.yardstick, swapped=fidelity(pictures, truth, inside),
        fitted_psnr=fitted_psnr(pictures, truth, inside), low_psnr=low_psnr(pictures, truth, inside),
        flicker=clip_flicker(pictures, truth, inside),
        unrest=pair.skin.unrest(coded),
        untouched=untouched(coded, footage, list(map(coding.changed, swapped))),
        performance=seen_in((composite.frame for composite in swapped), models).apart(pair.performance),
        identity=_identity(pair, pairs, swapped, models.identity),
        learn_seconds=learnt - began, compose_fps=len(swapped) / (composed - learnt),
    )  # fmt: skip


def _composites(pair: Pair, level: str, reporter: Reporter) -> Iterator[Composite]:
    """The result in memory, before marks and codec: what the engine alone does."""
    house, track, person = pair.house, pair.track, 1
    use = Use(
        job_id=f"bench-{pair.name}-{level}", source_sha256=pair.footage.sha256, person=person, purpose="test",
        project="Bianlian demo", publication="private", regions=("worldwide",),
    )  # fmt: skip
    grant = house.donors.authorise(pair.donor.id, use, house.clock())
    appearance, _ = appearance_of(house, pair.donor, level=level, reporter=reporter)
    space = face_space(house, reporter).at(drawing_side(track, {person: appearance}))
    performer = study(sampled_faces(pair.footage, track, person), space)
    cast = Cast(grant=grant, appearance=at_side(appearance, space.template.side), performer=performer)
    total = track.info.frame_count
    paired = zip(frames(pair.footage), track.faces(0, total), strict=True)
    for done, composite in enumerate(compose(paired, {person: cast}, space), 1):
        reporter.progress(Progress(stage="compose", done=done, total=total))
        yield composite


def _identity(pair: Pair, pairs: Sequence[Pair], swapped: Sequence[Composite], model: IdentityModel) -> float:
    """Share of looked-at frames whose nearest face among everybody in the pack is the donor's."""
    others = [other.donor_face for other in pairs if other is not pair] + [other.performer_face for other in pairs]
    nearest: list[bool] = []
    for composite in swapped[::IDENTITY_EVERY]:
        for placed in composite.faces:
            seen = model.embed(rgb_from_frame(composite.frame), placed.points_image)
            apart = [float(np.linalg.norm(seen - face)) for face in (pair.donor_face, *others)]
            nearest.append(int(np.argmin(apart)) == 0)
    return float(np.mean(nearest)) if nearest else 0.0
