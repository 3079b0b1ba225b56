"""A synthetic donor answers a challenge: puts a capture together from clips of single acts and a talk.

A live donor would record one take with a camera. Synthetic performers exist so that the demo and the tests can answer a
real challenge like anyone; nothing in the program knows that they are synthetic.
"""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np

NEUTRAL_SECONDS = 0.8


def answer(challenge: Path, acts: Path, talk: Path, capture: Path) -> None:
    """Write `capture`, an mp4 with a neutral start, the challenge's acts in order, then the talk.

    `acts` has a JSON file beside it that says where each act begins: {"fps", "acts": [{"act", "first", "frames"}]}.
    """
    index = json.loads(acts.with_suffix(".json").read_text())
    frames = list(_frames(acts))
    pieces = {piece["act"]: frames[piece["first"] : piece["first"] + piece["frames"]] for piece in index["acts"]}
    # The first and last frames of every act show the same neutral pose, each with its own sensor noise: not a freeze.
    neutral = [frame for piece in pieces.values() for frame in (*piece[:2], *piece[-2:])]
    sequence = [neutral[i % len(neutral)] for i in range(round(index["fps"] * NEUTRAL_SECONDS))]
    for act in json.loads(challenge.read_text())["acts"]:
        sequence += pieces[act]
    sequence += _frames(talk)
    _write(capture, sequence, index["fps"])


def _frames(path: Path) -> list[np.ndarray]:
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def _write(path: Path, frames: list[np.ndarray], fps: int) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "17", "preset": "veryfast"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
