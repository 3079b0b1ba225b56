"""Challenges: which acts a donor must do, decided after asking and before recording. Each serves once, for 15 minutes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

import rfc8785

from bianlian.donors.acts import ACTS_PER_CHALLENGE, CHINESE, ENGLISH, draw, is_legal
from bianlian.donors.entries import Entry
from bianlian.donors.installation import Installation
from bianlian.donors.ledger import CLOCK_TOLERANCE
from bianlian.errors import ConsentRefused
from bianlian.records.donor import moment, stamp

LIFETIME = timedelta(minutes=15)
NONCE_BITS = 128
"""Twice what is usual for a challenge."""
PER_HOUR = 600
"""Challenges that may be drawn in an hour. Of 15,136 sequences, the one that an old recording answers then takes a day of drawing
to come up, and the ledger's enrolment says how many were drawn in the day before."""
_PURPOSE = "challenge"
_ANOTHER = "Make a new one: bianlian challenge new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a donor is asked to do. Its JSON has exactly these fields."""

    id: str
    issued: datetime
    expires: datetime
    nonce: str
    """32 hex digits."""
    acts: tuple[str, ...]
    signature: str
    """Hex, of the installation, over the RFC 8785 JSON of the other fields."""

    @property
    def content(self) -> dict[str, Any]:
        """The signed fields."""
        return {
            "id": self.id,
            "issued": stamp(self.issued),
            "expires": stamp(self.expires),
            "nonce": self.nonce,
            "acts": list(self.acts),
        }

    @property
    def document(self) -> bytes:
        """The file `challenge.json`."""
        return json.dumps({**self.content, "signature": self.signature}, indent=1).encode() + b"\n"

    @property
    def spoken_code(self) -> str:
        """Six digits that the donor says aloud; a person who listens later can compare them."""
        number = int.from_bytes(hashlib.sha256(b"spoken" + self.nonce.encode()).digest()[:8])
        return f"{number % 1_000_000:06d}"


def new_challenge(installation: Installation, now: datetime, rng: Random) -> Challenge:
    """Draw and sign a challenge. `rng` must not be predictable: `random.SystemRandom()`."""
    now = moment(stamp(now))  # whole milliseconds, as the document holds them
    nonce, acts = rng.getrandbits(NONCE_BITS).to_bytes(NONCE_BITS // 8).hex(), draw(rng)
    name = hashlib.sha256(nonce.encode()).hexdigest()[:16]
    blank = Challenge(id=name, issued=now, expires=now + LIFETIME, nonce=nonce, acts=acts, signature="")
    signature = installation.sign(_PURPOSE, rfc8785.dumps(blank.content)).hex()
    return Challenge(id=name, issued=now, expires=now + LIFETIME, nonce=nonce, acts=acts, signature=signature)


def parse_challenge(document: bytes) -> Challenge:
    """Read `challenge.json`.

    Raises:
        ConsentRefused: code challenge-malformed.
    """
    try:
        body: dict[str, Any] = json.loads(document)
        if set(body) != {"id", "issued", "expires", "nonce", "acts", "signature"}:
            raise ValueError("other fields than expected")
        challenge = Challenge(
            id=str(body["id"]), issued=moment(body["issued"]), expires=moment(body["expires"]), nonce=str(body["nonce"]),
            acts=tuple(str(act) for act in body["acts"]), signature=str(body["signature"]),
        )  # fmt: skip
        if challenge.content != {name: value for name, value in body.items() if name != "signature"}:
            raise ValueError("a time is not written as this program writes it")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConsentRefused(
            f"The challenge cannot be read: {error}.", code="challenge-malformed", advice=_ANOTHER
        ) from error
    return challenge


def check_challenge(challenge: Challenge, installation: Installation, now: datetime, used: Iterable[Entry]) -> None:
    """Check that a challenge is ours, runs, and was never answered.

    Args:
        challenge: as read.
        installation: who must have issued it.
        now: the present, in a time zone.
        used: ledger entries of kind "enrol", which name the challenges that were answered.

    Raises:
        ConsentRefused: challenge-tampered, challenge-illegal, challenge-not-yet, challenge-expired or challenge-used.
    """
    signature = bytes.fromhex(challenge.signature) if _is_hex(challenge.signature) else b""
    if not installation.has_signed(_PURPOSE, rfc8785.dumps(challenge.content), signature):
        raise ConsentRefused(
            "This installation did not issue this challenge, or it was changed.",
            code="challenge-tampered",
            advice=_ANOTHER,
        )
    if not is_legal(challenge.acts) or challenge.expires - challenge.issued != LIFETIME:
        raise ConsentRefused(
            "The challenge asks for what no challenge asks.", code="challenge-illegal", advice=_ANOTHER
        )
    if now < challenge.issued - CLOCK_TOLERANCE:
        raise ConsentRefused(
            f"The challenge was issued at {stamp(challenge.issued)}, which is in the future.",
            code="challenge-not-yet",
            advice="Set this machine's clock right.",
        )
    if now > challenge.expires:
        raise ConsentRefused(
            f"The challenge expired at {stamp(challenge.expires)}.", code="challenge-expired", advice=_ANOTHER
        )
    if any(entry.facts.get("challenge") == challenge.id for entry in used):
        raise ConsentRefused("The challenge was already answered once.", code="challenge-used", advice=_ANOTHER)


def check_rate(issued: Iterable[Entry], now: datetime) -> None:
    """Hold whoever draws challenges until one suits an old recording.

    Raises:
        ConsentRefused: code challenge-rate, after 600 in an hour.
    """
    recent = [entry for entry in issued if entry.at > now - timedelta(hours=1)]
    if len(recent) >= PER_HOUR:
        raise ConsentRefused(
            f"{len(recent)} challenges were made within the last hour.",
            code="challenge-rate",
            advice=f"Wait until {stamp(recent[-PER_HOUR].at + timedelta(hours=1))}. Challenges cannot be picked.",
        )


def instructions(challenge: Challenge, language: str) -> str:
    """What the donor reads before recording, in "en" or "zh"."""
    if language == "zh":
        acts = "\n".join(f"  {number}. {CHINESE[act]}" for number, act in enumerate(challenge.acts, 1))
        return (
            "请用一个不中断的镜头录制,正对镜头,光线充足,不要使用镜像:\n"
            "先平静地看镜头约一秒。然后依次做下列动作,每个动作保持约一秒,再回到平静:\n"
            f"{acts}\n"
            "接着对着镜头说话 10 到 30 秒,并慢慢转动头部。请先读出:\n"
            f"  “我同意在我所写的范围内使用我的面部。我的口令是 {' '.join(challenge.spoken_code)}。”\n"
            f"请在 {stamp(challenge.expires)} 之前完成登记。"
        )
    acts = "\n".join(f"  {number}. {ENGLISH[act]}" for number, act in enumerate(challenge.acts, 1))
    return (
        "Record one take without a break, facing the camera, in good light, not mirrored:\n"
        f"look calmly at the camera for a second. Then do these {ACTS_PER_CHALLENGE} acts; hold each for about a second, "
        "then be calm again:\n"
        f"{acts}\n"
        "Then talk to the camera for 10 to 30 seconds and move your head slowly. Begin with these words:\n"
        f'  "I agree to the use of my face within the scope that I wrote. My code is {" ".join(challenge.spoken_code)}."\n'
        f"Enrol before {stamp(challenge.expires)}."
    )


def _is_hex(text: str) -> bool:
    return len(text) == 128 and all(letter in "0123456789abcdef" for letter in text)
