"""Withdrawn consents as a W3C Bitstring Status List v1.0 (Recommendation 2025-05-15), secured as a JWT.

The ledger is the source of revocations; the list is what others read. A list that does not verify, or that says otherwise
than the ledger, is never overwritten by a good one in silence.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bianlian.donors.installation import Installation
from bianlian.donors.jose import BadSignature, open_compact, sign_compact
from bianlian.errors import ConsentRefused
from bianlian.records.donor import moment, stamp

LENGTH = 131_072
"""Bits: the smallest list that the recommendation allows, so that an index hides among many."""
LIFETIME = timedelta(days=7)
"""How long a copy of the list may be relied on without network; withdrawal on this machine acts at once."""
LIST_ID = "urn:bianlian:status:{installation}"
_KIND = "vc+jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusList:
    """A list whose signature was checked."""

    installation: str
    issued: datetime
    valid_until: datetime
    revoked: frozenset[int]

    def is_revoked(self, index: int) -> bool:
        """Whether the consent with this index was withdrawn."""
        return index in self.revoked

    def require_fresh(self, now: datetime) -> None:
        """Refuse to decide on a list that may be out of date.

        Raises:
            ConsentRefused: code status-stale.
        """
        if not self.issued - timedelta(minutes=5) <= now <= self.valid_until:
            raise ConsentRefused(
                f"The status list is valid from {stamp(self.issued)} until {stamp(self.valid_until)}; it is {stamp(now)}.",
                code="status-stale",
                advice="Get the current list from the installation that signed the receipt.",
            )


def issue(installation: Installation, revoked: Iterable[int], now: datetime) -> bytes:
    """Sign a list with these indices set."""
    name = LIST_ID.format(installation=installation.id)
    credential = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": name,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": f"urn:bianlian:installation:{installation.id}",
        "validFrom": stamp(now),
        "validUntil": stamp(now + LIFETIME),
        "credentialSubject": {
            "id": f"{name}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": _encode(frozenset(revoked)),
            "ttl": LIFETIME // timedelta(milliseconds=1),
        },
    }
    return sign_compact(rfc8785.dumps(credential), installation.signing_key, kind=_KIND)


def read(document: bytes, key: Ed25519PublicKey) -> StatusList:
    """Check a list against the key of the installation that must have signed it.

    Raises:
        ConsentRefused: code status-bad.
    """
    try:
        body: dict[str, Any] = json.loads(open_compact(document, key, kind=_KIND))
        subject = body["credentialSubject"]
        if subject["type"] != "BitstringStatusList" or subject["statusPurpose"] != "revocation":
            raise ValueError("another kind of list")
        return StatusList(
            installation=body["issuer"].removeprefix("urn:bianlian:installation:"),
            issued=moment(body["validFrom"]),
            valid_until=moment(body["validUntil"]),
            revoked=_decode(subject["encodedList"]),
        )
    except (BadSignature, ValueError, KeyError, TypeError, AttributeError, OSError, EOFError, zlib.error) as error:
        raise ConsentRefused(
            "The status list of withdrawn consents was changed, or is not this installation's.",
            code="status-bad",
            advice="Do not use it. Find out who had access; the ledger still holds the truth.",
        ) from error


def free_index(taken: Iterable[int], rng: Random) -> int:
    """A random index that no receipt has, so that it tells nothing about order or number."""
    used = frozenset(taken)
    while (index := rng.randrange(LENGTH)) in used:
        pass
    return index


def _encode(revoked: frozenset[int]) -> str:
    bits = bytearray(LENGTH // 8)
    for index in revoked:
        bits[index // 8] |= 0x80 >> (index % 8)  # index 0 is the left-most bit (section 2.2 of the recommendation)
    packed = gzip.compress(bytes(bits), mtime=0)
    return "u" + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def _decode(encoded: str) -> frozenset[int]:
    if not encoded.startswith("u"):
        raise ValueError("not multibase base64url")
    packed = base64.urlsafe_b64decode(encoded[1:] + "=" * (-len(encoded[1:]) % 4))
    opener = zlib.decompressobj(wbits=31)
    bits = opener.decompress(packed, LENGTH // 8)
    if len(bits) != LENGTH // 8:
        raise ValueError("a list of another length")
    return frozenset(
        8 * byte + bit for byte, value in enumerate(bits) if value for bit in range(8) if value & (0x80 >> bit)
    )
