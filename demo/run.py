"""The main job on the demo material, with the commands that a person would type: challenge to verified result.

All performers are synthetic (demo/clips, attribution in NOTICE). Everything is written under demo/out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
from answer_challenge import answer
from PIL import Image

HERE = Path(__file__).parent
CLIPS, OUT = HERE / "clips", HERE / "out"
FOOTAGE = CLIPS / "demo_footage.mp4"
BIANLIAN = [sys.executable, "-m", "bianlian", "--home", str(OUT / "home")]


def main() -> None:
    """Run all steps; stops at the first that fails."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    steps: list[tuple[str, float]] = []

    def step(title: str, *arguments: str | Path) -> str:
        print(f"\n$ bianlian {' '.join(_short(argument) for argument in arguments)}", flush=True)
        began = time.perf_counter()
        done = subprocess.run([*BIANLIAN, *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=False)
        steps.append((title, time.perf_counter() - began))
        print(done.stdout, end="", flush=True)
        if done.returncode:
            sys.exit(f"The step '{title}' ended with exit code {done.returncode}.")
        return done.stdout

    challenge, capture, scope, performer = (
        OUT / name for name in ("challenge.json", "capture.mp4", "scope.toml", "performer.toml")
    )
    step("models", "models", "pull")
    step("challenge", "challenge", "new", "-o", challenge)
    print("\nThe synthetic donor answers it, as a person would in front of a camera.")
    answer(challenge, CLIPS / "demo_donor_acts.mp4", CLIPS / "demo_donor_talk.mp4", capture)
    scope.write_text(step("scope", "donor", "scope-example"), encoding="utf-8")
    performer.write_text(step("performer", "donor", "performer-example"), encoding="utf-8")
    step("enrol", "donor", "enrol", "demo-donor", "--capture", capture, "--challenge", challenge, "--scope", scope)
    step("learn", "learn", "demo-donor", "--level", "standard")
    step("people", "people", FOOTAGE, "-o", OUT / "people.png")
    step("swap", "swap", FOOTAGE, "-o", OUT, "--cast", "1=demo-donor", "--performer", performer, "--level", "standard")
    result = OUT / "demo_footage.bianlian.mp4"
    step("verify", "verify", result, "--report", OUT / "verify.html")
    _before_after(FOOTAGE, result, OUT / "before-after.jpg")
    _close(steps, result)


def _short(argument: str | Path) -> str:
    path = Path(argument)
    return os.path.relpath(path) if path.is_absolute() else str(argument)


def _before_after(footage: Path, result: Path, picture: Path) -> None:
    """Three moments: footage above, result below, and the last moment's face enlarged."""
    before, after = (_frames(path) for path in (footage, result))
    moments = [len(before) // 7, len(before) // 2, 4 * len(before) // 5]
    rows = [np.hstack([clip[index] for index in moments]) for clip in (before, after)]
    height, width = before[0].shape[:2]
    face = (slice(height // 8, height * 5 // 8), slice(width // 4, width * 3 // 4))
    enlarged = np.vstack([_scaled(clip[moments[1]][face], (width, height)) for clip in (before, after)])
    sheet = np.hstack([np.vstack(rows), enlarged])
    Image.fromarray(_scaled(sheet, (1440, 1440 * sheet.shape[0] // sheet.shape[1]))).save(picture, quality=88)


def _frames(path: Path) -> list[np.ndarray]:
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def _scaled(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))


def _close(steps: list[tuple[str, float]], result: Path) -> None:
    with av.open(result) as container:
        stream = container.streams.video[0]
        frames, label = stream.frames, json.loads(container.metadata["AIGC"])["AIGC"]["ProduceID"]
    print("\nstep         seconds")
    for title, seconds in steps:
        print(f"{title:<12} {seconds:7.1f}")
    print(f"\n{frames} frames, job {label}\n\nLook at:")
    for name, what in (
        ("before-after.jpg", "footage above, result below"),
        (result.name, "the result, with all its marks"),
        ("verify.html", "what anybody can check about it"),
        ("people.png", "who is in the footage"),
        ("capture.mp4", "the donor's answer to the challenge"),
    ):
        print(f"  {os.path.relpath(OUT / name):<42} {what}")


if __name__ == "__main__":
    main()
