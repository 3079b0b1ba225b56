#!/usr/bin/env python3
"""Measure the check of captures: stage honest takes and attacks from single acts, encode, track, check, and print a table.

    attack_table.py CLIPS --bundle face_landmarker.task --recognition dlib_face_recognition_resnet_model_v1.dat

CLIPS holds `demo/` and `bench/`; each performer has a clip of the eight acts, 30 frames each, and a clip of talk.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from random import Random

import av
import cv2
import numpy as np

from bianlian.donors.acts import ACTS, draw
from bianlian.donors.capture import check_capture
from bianlian.donors.challenge import Challenge
from bianlian.donors.liveness import SignalMeter
from bianlian.errors import ConsentRefused
from bianlian.media.decode import frames
from bianlian.media.probe import describe
from bianlian.records.frame import Frame
from bianlian.records.progress import Silent
from bianlian.tracking.models import FaceModels, load_models
from bianlian.tracking.observe import ObserveSettings
from bianlian.tracking.stage import track, writer_for

Picture = np.ndarray
PERFORMERS = {
    "demo": ("demo/demo_donor_acts", "demo/demo_donor_talk"),
    "performer": ("demo/demo_performer_acts", "demo/demo_performer_talk"),
    "b1": ("bench/b1_acts", "bench/b1_capture"),
    "b2": ("bench/b2_acts", "bench/b2_capture"),
    "b3": ("bench/b3_acts", "bench/b3_capture"),
}
ASKED = ("turn-left", "smile", "look-up", "open-mouth", "turn-right")
OTHER = ("raise-brows", "turn-right", "close-eyes", "look-down", "smile")
ACT_FRAMES = 30
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Stage:
    """Puts takes together, and shows them to the check."""

    def __init__(self, clips: Path, models: FaceModels) -> None:
        self._clips, self._models, self._read = clips, models, dict[str, list[Picture]]()

    def talk(self, who: str) -> list[Picture]:
        return self._clip(PERFORMERS[who][1])

    def act(self, who: str, name: str) -> list[Picture]:
        first = ACT_FRAMES * ACTS.index(name)
        return self._clip(PERFORMERS[who][0])[first : first + ACT_FRAMES]

    def acts(self, who: str, names: Sequence[str]) -> list[Picture]:
        """A calm start of 0.8 s, then the acts."""
        rims = [self.act(who, name)[index] for name in ACTS for index in (0, 1, -2, -1)]
        return rims[:12] + [picture for name in names for picture in self.act(who, name)]

    def take(self, who: str, names: Sequence[str]) -> list[Picture]:
        return self.acts(who, names) + self.talk(who)

    def answer(
        self, pictures: Sequence[Picture], asked: Sequence[str], *, fps: Fraction = Fraction(15), crf: int = 17
    ) -> str:
        """ "accepted", or the code of the refusal."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "take.mp4"
            _encode(pictures, path, fps, crf)
            source, meter, signals = describe(path), SignalMeter(), []

            def metered() -> Iterator[Frame]:
                for frame in frames(source):
                    signals.append(meter.measure(frame))
                    yield frame

            writer = writer_for(
                Path(folder) / "track", source_sha256=source.sha256, model_hashes={}, settings=ObserveSettings()
            )
            followed = track(metered(), self._models, ObserveSettings(), writer, Silent())
            challenge = Challenge(id="c", issued=NOW, expires=NOW, nonce="", acts=tuple(asked), signature="")
            try:
                check_capture(challenge, followed, signals)
            except ConsentRefused as refusal:
                return refusal.code
            return "accepted"

    def _clip(self, name: str) -> list[Picture]:
        if name not in self._read:
            with av.open(str(self._clips / f"{name}.mp4")) as container:
                self._read[name] = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return self._read[name]


def rows(stage: Stage) -> Iterator[tuple[str, str]]:
    """(what was presented, answer) of each take."""
    random = Random(77)
    for who in PERFORMERS:
        for _ in range(3):
            asked, crf = draw(random), random.choice([17, 23, 28])
            yield "honest, random challenge, CRF 17 to 28", stage.answer(stage.take(who, asked), asked, crf=crf)
        yield "honest, CRF 35", stage.answer(stage.take(who, OTHER), OTHER, crf=35)
        yield "honest, half size, CRF 30", stage.answer(_small(stage.take(who, ASKED), 256), ASKED, crf=30)
    acts, talk = stage.acts("demo", ASKED), stage.talk("demo")
    attacks: dict[str, Callable[[], list[Picture]]] = {
        "wrong order": lambda: stage.take("demo", (*ASKED[:1], ASKED[2], ASKED[1], *ASKED[3:])),
        "missing act": lambda: stage.take("demo", (*ASKED[:2], *ASKED[3:])),
        "older challenge": lambda: stage.take("demo", OTHER),
        "still photo": lambda: acts[:1] * 400,
        "photo moved about": lambda: _photo(acts[0], 1),
        "photo moved about, other way round": lambda: _photo(acts[0], -1),
        "looped video": lambda: (acts[:12] + talk[:45]) * 9,
        "looped talk": lambda: acts + talk[:60] * 3,
        "talk forth and back": lambda: acts + talk[:90] + talk[:90][::-1],
        "mirrored": lambda: [picture[:, ::-1] for picture in acts + talk],
        "two people taking turns": lambda: (
            acts[:12] + [p for i, name in enumerate(ASKED) for p in stage.act(("demo", "b1")[i % 2], name)] + talk
        ),
        "splice of two people": lambda: acts + stage.talk("performer"),
        "another person in the last seconds": lambda: acts + talk[:100] + stage.talk("b2")[100:180],
        "second face enters": lambda: _entering(acts + talk, stage.talk("b1")),
        "frozen for 0.4 s": lambda: acts + talk[:60] + talk[60:61] * 6 + talk[60:],
        "frozen for 0.7 s": lambda: acts + talk[:60] + talk[60:61] * 10 + talk[60:],
        "two seconds cut out": lambda: acts + talk[:60] + talk[90:],
        "a fifth of the light": lambda: [(picture * 0.2).astype(np.uint8) for picture in acts + talk],
        "tiny": lambda: _small(acts + talk, 160),
        "filmed from a screen": lambda: [_screen(picture, index) for index, picture in enumerate(acts + talk)],
    }
    for name, made in attacks.items():
        yield name, stage.answer(made(), ASKED)
    for shift in (4, 12, 40):
        joined = acts[:12]
        for index, name in enumerate(ASKED):
            joined = joined + [np.roll(picture, shift * (index % 2), axis=1) for picture in stage.act("demo", name)]
        yield "acts from two framings", stage.answer(joined + talk, ASKED)
    for speed in (Fraction(3, 2), Fraction(2), Fraction(3)):
        yield f"sped up {float(speed)}x", stage.answer(acts + talk + talk[::-1] + talk, ASKED, fps=15 * speed)


def _photo(picture: Picture, sign: int) -> list[Picture]:
    """A photo that is turned and tilted in space as the acts ask, with a sensor's noise."""
    random = np.random.default_rng(1)
    reach = {"turn-left": (45, 0), "turn-right": (-45, 0), "look-up": (0, 40), "look-down": (0, -40)}
    turns = [(0.0, 0.0)] * 12
    for name in ASKED:
        ramp = np.interp(np.arange(ACT_FRAMES), [2, 9, 20, 27], [0, 1, 1, 0])
        turns += [(sign * reach.get(name, (0, 0))[0] * x, sign * reach.get(name, (0, 0))[1] * x) for x in ramp]
    turns += [(20 * np.sin(i / 15), 10 * np.sin(i / 11)) for i in range(180)]
    noise = (random.normal(0, 2, picture.shape) for _ in turns)
    return [
        np.clip(_turned(picture, *turn) + grain, 0, 255).astype(np.uint8)
        for turn, grain in zip(turns, noise, strict=True)
    ]


def _turned(picture: Picture, yaw: float, pitch: float) -> Picture:
    height, width = picture.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    y, p = np.radians(yaw), np.radians(pitch)
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    space = np.column_stack((corners - [width / 2, height / 2], np.zeros(4))) @ (about_x @ about_y).T
    seen = space[:, :2] / (1 + space[:, 2:] / (1.6 * width)) + [width / 2, height / 2]
    return _warped(picture, corners, seen.astype(np.float32), cv2.BORDER_REPLICATE)


def _screen(picture: Picture, index: int) -> Picture:
    """The take on a screen, filmed by hand."""
    height, width = picture.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    rim = np.array([[30, 20], [width - 25, 35], [width - 35, height - 30], [20, height - 22]], np.float32)
    shake = np.array([np.sin(index / 9) * 2, np.cos(index / 11) * 2], np.float32)
    flat = 255 * (_warped(picture, corners, rim + shake, cv2.BORDER_CONSTANT) / 255) ** 1.2 * 0.9 + 10
    return np.clip(flat + np.random.default_rng(index).normal(0, 3, flat.shape), 0, 255).astype(np.uint8)


def _warped(picture: Picture, corners: np.ndarray, seen: np.ndarray, border: int) -> Picture:
    matrix = cv2.getPerspectiveTransform(corners, seen)
    return cv2.warpPerspective(picture, matrix, picture.shape[1::-1], borderMode=border)


def _entering(pictures: list[Picture], other: list[Picture]) -> list[Picture]:
    """Somebody comes in from the right edge for 2.7 s."""
    changed = list(pictures)
    for step in range(40):
        face, width = cv2.resize(other[50 + step], (230, 230)), min(230, 10 * (step + 1))
        changed[250 + step] = changed[250 + step].copy()
        changed[250 + step][-230:, -width:] = face[:, :width]
    return changed


def _small(pictures: Sequence[Picture], side: int) -> list[Picture]:
    return [cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) for picture in pictures]


def _encode(pictures: Sequence[Picture], path: Path, fps: Fraction, crf: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": str(crf), "preset": "veryfast"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--recognition", type=Path, required=True)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    found: dict[str, Counter[str]] = {}
    for name, answer in rows(Stage(arguments.clips, load_models(arguments.bundle, arguments.recognition))):
        found.setdefault(name, Counter())[answer] += 1
        print(f"{name}: {answer}", flush=True)
    print("\n| presented | takes | accepted | answers |\n|---|---|---|---|")
    for name, answers in found.items():
        told = ", ".join(f"{code} {count}" for code, count in answers.items())
        print(f"| {name} | {answers.total()} | {answers['accepted']} | {told} |")


if __name__ == "__main__":
    main()
