#!/usr/bin/env python3
"""A person drawn into their own footage: learnt from 70 % of a clip, drawn into the rest, compared with the frames.

    self_reconstruction.py CLIP... [--level draft --level standard] [--every 4]

Each clip shows one person; one with more is refused, so that nobody is drawn onto anybody else. Everything happens in memory and
ends in a table: nobody consented to more, so nothing is encoded or kept, and no grant is made: the faces are drawn by what lies
under `compose`.
"""

import argparse
import os
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from bianlian.cli.output import ConsoleReporter, print_table, reporting
from bianlian.compositing.perform import cast_role
from bianlian.compositing.performer import study
from bianlian.compositing.stage import LEAD_IN, _lookout, _with_face
from bianlian.config import settings_from
from bianlian.imaging.colour import rgb_from_frame
from bianlian.imaging.face_space import FaceSpace, build_face_space
from bianlian.imaging.metrics import Mask
from bianlian.learning.interface import Identity
from bianlian.learning.samples import collect
from bianlian.media.decode import frames
from bianlian.media.probe import describe
from bianlian.records.composite import Composite
from bianlian.records.face import TrackedFace
from bianlian.records.frame import Frame
from bianlian.records.progress import Reporter, Silent
from bianlian.tracking.models import FaceModels, load_models
from bianlian.tracking.observe import ObserveSettings
from bianlian.tracking.stage import track, writer_for
from bianlian.weights.canonical import read_canonical_mesh
from bianlian.weights.catalogue import FACE_LANDMARKER, FACE_RECOGNITION
from bianlian.weights.store import WeightStore
from bianlian.workflows.bench.scores import Fidelity, fidelity
from bianlian.workflows.learn import learner_of

TAUGHT = 0.7
"""Share of the frames that teach."""
NOBODY = Identity(donor_id="", template_commitment="")
Seen = tuple[Frame, TrackedFace]


def seen_in(clip: Path, models: FaceModels, folder: Path) -> list[Seen]:
    """The frames of a clip that show its person, each with the face."""
    source, settings = describe(clip), ObserveSettings()
    writer = writer_for(folder / f"{clip.stem}.track", source_sha256=source.sha256, model_hashes={}, settings=settings)
    found = track(frames(source), models, settings, writer, Silent())
    if len(found.info.persons) != 1:
        raise SystemExit(f"{clip.name}: {len(found.info.persons)} persons; nobody is drawn onto anybody else here.")
    faces = found.faces(0, found.info.frame_count)
    return [(frame, tracked[0]) for frame, tracked in zip(frames(source), faces, strict=True) if tracked]


def drawn(
    seen: Sequence[Seen], taught: Sequence[Seen], level: str, space: FaceSpace, reporter: Reporter
) -> Iterator[Composite]:
    """Learn from some frames, draw into others."""
    learner = learner_of(level, space)
    lesson = collect(iter(taught), space, limit=learner.sample_limit)
    appearance = learner.fit(lesson, NOBODY, seed=0, reporter=reporter)
    role, past = cast_role(appearance, study(iter(seen), space), space), deque(maxlen=LEAD_IN)
    lookout = _lookout(space)
    for frame, tracked in seen:
        yield _with_face(Composite(frame=frame, faces=()), tracked, role, past, space, lookout)


def matte_of(composite: Composite) -> Mask:
    """HxW: where the drawn face counts for more than half."""
    mask = np.zeros(composite.frame.size, np.bool_)
    for face in composite.faces:
        height, width = face.matte.shape
        mask[face.top : face.top + height, face.left : face.left + width] |= face.matte > 127
    return mask


def measured(seen: Sequence[Seen], level: str, space: FaceSpace, *, every: int, reporter: Reporter) -> Fidelity:
    """How near the drawn frames come to the real ones, inside the matte."""
    parting = round(TAUGHT * len(seen))
    rest = seen[parting:]
    composites = islice(drawn(rest, seen[:parting], level, space, reporter), 0, None, every)
    pairs = [(one, real) for one, (real, _) in zip(composites, rest[::every], strict=True) if matte_of(one).any()]
    return fidelity(
        [rgb_from_frame(one.frame) for one, _ in pairs], [rgb_from_frame(real) for _, real in pairs],
        [matte_of(one) for one, _ in pairs],
    )  # fmt: skip


def row(clip: Path, level: str, found: Fidelity) -> list[str]:
    return [clip.stem, level, f"{found.psnr:.2f}", f"{found.ssim:.3f}", f"{found.flip:.3f}"]


def table(clips: Sequence[Path], levels: Sequence[str], every: int, reporter: ConsoleReporter) -> list[list[str]]:
    store = WeightStore(settings_from(os.environ).weights)
    bundle, recognition = (store.fetch(weight, reporter=reporter) for weight in (FACE_LANDMARKER, FACE_RECOGNITION))
    models, space = load_models(bundle, recognition), build_face_space(read_canonical_mesh(bundle))
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips:
            seen = seen_in(clip, models, Path(folder))
            rows += [row(clip, one, measured(seen, one, space, every=every, reporter=reporter)) for one in levels]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--level", action="append")
    parser.add_argument("--every", type=int, default=4)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    with reporting(quiet=False) as reporter:
        rows = table(given.clips, given.level or ["draft", "standard"], given.every, reporter)
    print_table(["clip", "level", "PSNR", "SSIM", "FLIP"], rows)


if __name__ == "__main__":
    main()
