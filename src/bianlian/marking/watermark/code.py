"""The secret code book of an installation: its spreading patterns, and the 127-bit word of every job.

Coefficients of the canonical face's 2-D DCT in a band are dealt to 127 bits by the key. Eight sets of chips follow one
another in time (pattern hopping), so what the face itself adds to a bit in one hop is not what it adds in the next.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
import numpy.typing as npt

from bianlian.marking.watermark.alignment import SIDE
from bianlian.records.arrays import F32
from bianlian.records.time import Instant

I8 = npt.NDArray[np.int8]

BITS = 127
"""Length of a word: 1,000,000 words stay apart at a false alarm of 1e-6 with a fifth of the bits wrong."""
SLOTS = 8
"""Sets of chips before the sequence repeats."""
HOP = Fraction(2, 5)
"""Seconds for each set: longer survives inter coding better, shorter averages more of the face (docs/watermark.md)."""
FADE = 0.5
"""Share of a hop over which one set fades into the next, so that nothing pops."""
_INNER, _RISE, _FALL, _OUTER = 20.0, 30.0, 66.0, 92.0
"""Band in DCT radii of the 256 px square (radius 51 is a period of 10 px); chosen from the survival measured per radius."""


def _band() -> tuple[npt.NDArray[np.intp], F32]:
    u, v = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    radius = np.hypot(u, v).ravel()
    level = np.interp(radius, (_INNER, _RISE, _FALL, _OUTER), (0, 1, 1, 0))
    index = np.flatnonzero(level > 0.05)
    return index, level[index].astype(np.float32)


BAND, SHAPE = _band()
"""Flat indices of the DCT coefficients used, and the share of amplitude of each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CodeBook:
    """Everything that the key decides. Without it the patterns are noise."""

    chips: I8
    """SLOTS x len(BAND), -1 or 1."""
    bit_of: npt.NDArray[np.intp]
    """For each coefficient of BAND, the bit (0..126) that it carries."""
    word_key: bytes
    key_id: str
    """Public name of the key, 16 hexadecimal digits: which key a word was made with, and nothing more."""

    def word(self, job_id: str) -> I8:
        """The job's 127-bit word as -1 and 1: a keyed pseudo-random function of the id."""
        digest = hmac.new(self.word_key, job_id.encode(), hashlib.sha256).digest()
        bits = np.unpackbits(np.frombuffer(digest, np.uint8))[:BITS]
        return (bits.astype(np.int8) * 2 - 1).astype(np.int8)

    def patterns(self, job_id: str) -> F32:
        """The job's patterns, SLOTS x 256 x 256, mean square 1 each."""
        signs = self.chips * self.word(job_id)[self.bit_of]
        spectrum = np.zeros((SLOTS, SIDE * SIDE), np.float32)
        spectrum[:, BAND] = signs * SHAPE
        drawn = np.stack([cv2.idct(one.reshape(SIDE, SIDE)) for one in spectrum])
        return (drawn / np.sqrt(np.mean(drawn**2, axis=(1, 2), keepdims=True))).astype(np.float32)


def code_book(key: bytes) -> CodeBook:
    """Derive an installation's code book from its watermark key (at least 16 bytes) with HKDF-SHA256.

    Raises:
        ValueError: when the key is shorter than 16 bytes.
    """
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    if len(key) < 16:
        raise ValueError("watermark key: at least 16 bytes")
    chips_key, word_key, name = (
        HKDF(algorithm=SHA256(), length=32, salt=None, info=b"bianlian watermark v1 " + purpose).derive(key)
        for purpose in (b"chips", b"words", b"name")
    )
    count = len(BAND)
    stream = hashlib.shake_256(chips_key).digest(8 * count + SLOTS * count // 8 + 1)
    order = np.argsort(np.frombuffer(stream[: 8 * count], np.dtype("<u8")), kind="stable")
    bit_of = np.empty(count, np.intp)
    bit_of[order] = np.arange(count) % BITS
    bits = np.unpackbits(np.frombuffer(stream[8 * count :], np.uint8))[: SLOTS * count]
    chips = (bits.reshape(SLOTS, count).astype(np.int8) * 2 - 1).astype(np.int8)
    return CodeBook(chips=chips, bit_of=bit_of, word_key=word_key, key_id=name[:8].hex())


def slot_weights(seconds: npt.NDArray[np.float64]) -> F32:
    """How much of each set shows at each time, Nx8: the cosine and sine of a cross-fade, so that the power stays the same."""
    place = seconds / float(HOP)
    slot = np.floor(place)
    turn = np.clip((place - slot - (1 - FADE)) / FADE, 0, 1) * (np.pi / 2)
    weights = np.zeros((len(seconds), SLOTS), np.float32)
    rows = np.arange(len(seconds))
    weights[rows, slot.astype(np.int64) % SLOTS] = np.cos(turn)
    weights[rows, (slot.astype(np.int64) + 1) % SLOTS] = np.sin(turn)
    return weights


def weights_at(instant: Instant) -> F32:
    """`slot_weights` of one instant, computed exactly: 8 values."""
    cycle = instant.exact % (HOP * SLOTS)
    return slot_weights(np.array([float(cycle)]))[0]
