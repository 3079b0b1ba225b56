"""Perceptual fingerprint of a file: one PDQ hash per second, in the form that threatexchange's vPDQ reads.

PDQ (Meta, 2019) keeps 256 bits of a picture's coarse structure; unrelated pictures differ in about 128 of them. It survives
re-encoding, scaling and metadata strips, not crops or rotation; a mirrored copy is hashed apart. Footage and its swap
differ little where the face is small, so a near match means "this output, or the footage that it was made from".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bianlian.imaging.colour import small_rgb_from_frame
from bianlian.imaging.pdq import LEAST_QUALITY, MATCH_DISTANCE, pdq
from bianlian.records.frame import Frame

_LONG_SIDE = 512
"""Pictures are shrunk to this first, for speed: moves a hash by 0 to 4 bits."""
_BLOCK = 256
"""Hashes that are compared with all others at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """The hash of one picture."""

    second: float
    """Seconds from the beginning of the file."""
    pdq: str
    """64 hexadecimal digits."""
    mirrored: str
    """The same of the picture's mirror image, to look for mirrored copies with; empty where it is not known."""
    quality: int
    """0..100: how much structure the picture has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How alike two fingerprints are."""

    query_share: float
    """0..1: share of the query's usable hashes that are near one of the other's."""
    known_share: float
    """0..1: share of the other's usable hashes that are near one of the query's."""
    distance: float
    """Mean number of differing bits over the near pairs, 0..31; 256 when there is none."""
    compared: int
    """Usable hashes of the query."""
    is_mirrored: bool


def pdq_per_second(frames: Iterable[Frame]) -> tuple[Print, ...]:
    """One hash for the first frame and for the first frame of each further second; one hash for an image."""
    prints: list[Print] = []
    begin = due = None
    for frame in frames:
        now = frame.instant.exact
        if begin is None:
            begin = due = now
        if due is None or now < due:
            continue
        due = begin + int(now - begin) + 1
        prints.append(print_of(frame, second=float(now - begin)))
    return tuple(prints)


def print_of(frame: Frame, *, second: float = 0.0) -> Print:
    """The hash of one frame."""
    rgb = small_rgb_from_frame(frame, _LONG_SIDE)
    value, quality = pdq(rgb)
    mirrored, _ = pdq(np.ascontiguousarray(rgb[:, ::-1]))
    return Print(second=second, pdq=value.hex(), mirrored=mirrored.hex(), quality=quality)


def vpdq_json(prints: Sequence[Print]) -> str:
    """The fingerprint as threatexchange's vPDQ signal: a JSON list of "hash,quality,seconds"."""
    return json.dumps([f"{one.pdq},{one.quality},{one.second:.3f}" for one in prints])


def prints_from_vpdq(text: str) -> tuple[Print, ...]:
    """Read what `vpdq_json` wrote. The mirror image cannot be had from it.

    Raises:
        ValueError: not a vPDQ signal.
    """
    entries = [str(entry).split(",") for entry in json.loads(text)]
    if any(len(entry) != 3 or len(bytes.fromhex(entry[0])) != 32 for entry in entries):
        raise ValueError("not a vPDQ signal: each entry is 'hash,quality,seconds'")
    return tuple(Print(pdq=e[0], mirrored="", quality=int(e[1]), second=float(e[2])) for e in entries)


def likeness(query: Sequence[Print], known: Sequence[Print]) -> Likeness:
    """Compare two fingerprints, the query as it is and mirrored; the better counts."""
    query = [one for one in query if one.quality >= LEAST_QUALITY]
    theirs = _bits([one.pdq for one in known if one.quality >= LEAST_QUALITY])
    ways = {False: [one.pdq for one in query], True: [one.mirrored for one in query if one.mirrored]}
    found = [_likeness(_bits(hashes), theirs, is_mirrored=way) for way, hashes in ways.items()]
    return max(found, key=lambda one: (one.query_share, -one.distance))


def _likeness(ours: np.ndarray, theirs: np.ndarray, *, is_mirrored: bool) -> Likeness:
    if not len(ours) or not len(theirs):
        return Likeness(query_share=0, known_share=0, distance=256, compared=len(ours), is_mirrored=is_mirrored)
    nearest, nearest_of_theirs = _nearest(ours, theirs)
    near = nearest <= MATCH_DISTANCE
    return Likeness(
        query_share=float(near.mean()),
        known_share=float((nearest_of_theirs <= MATCH_DISTANCE).mean()),
        distance=float(nearest[near].mean()) if near.any() else 256.0,
        compared=len(ours),
        is_mirrored=is_mirrored,
    )


def _nearest(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, M): for each of `ours` (Nx256 bits) how many bits the nearest of `theirs` (Mx256) differs in, and the other way round.

    Signs multiply to 256 less twice the differing bits. In blocks: films of an hour have 13 million pairs.
    """
    sides = theirs.astype(np.float32).T * 2 - 1
    nearest, nearest_of_theirs = list[np.ndarray](), np.full(len(theirs), 256.0, np.float32)
    for begin in range(0, len(ours), _BLOCK):
        distance = 128 - (ours[begin : begin + _BLOCK].astype(np.float32) * 2 - 1) @ sides / 2
        nearest.append(distance.min(axis=1))
        np.minimum(nearest_of_theirs, distance.min(axis=0), out=nearest_of_theirs)
    return np.concatenate(nearest), nearest_of_theirs


def _bits(hashes: Sequence[str]) -> np.ndarray:
    """Nx256 bits of N hexadecimal hashes."""
    return np.unpackbits(np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8)).reshape(-1, 256)
