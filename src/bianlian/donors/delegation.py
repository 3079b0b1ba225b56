"""Work orders: what the head of a job gives a worker on another machine, and no more.

An order is signed by the installation and addressed to one worker process. It states the grants of one job and carries the
job's key, wrapped for that worker: X25519 with a key made for this order alone, HKDF-SHA256, AES-256-GCM. All else that the
worker needs (footage, track, appearance, watermark) comes sealed with the job's key. Vault, signing keys and ledger stay at home.
`consent.delegated` turns an order into grants again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bianlian.donors.installation import KEY_BYTES, Installation, derive
from bianlian.donors.jose import BadSignature, open_compact, sign_compact
from bianlian.errors import ConsentRefused
from bianlian.records.donor import moment, stamp
from bianlian.records.grant import Grant

KIND = "bianlian-work-order+jws"
LIFETIME = timedelta(hours=12)
"""Longer than any file takes, shorter than a worker should remember it."""
_NONCE = 12
_PURPOSE = "work-order"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """An order that has been checked."""

    grants: tuple[Mapping[str, Any], ...]
    """The fields of each grant."""
    expires: datetime
    key: bytes = field(repr=False)
    """The job's, 32 bytes."""


def new_key() -> bytes:
    """A key for one job."""
    return os.urandom(KEY_BYTES)


def issue(installation: Installation, worker: bytes, key: bytes, grants: Sequence[Grant], now: datetime) -> bytes:
    """Sign an order.

    Args:
        worker: raw X25519 public key of the process that shall work.
        key: of the job.
        grants: of one job; they must have been given by this installation just now.
    """
    once, nonce = X25519PrivateKey.generate(), os.urandom(_NONCE)
    secret = derive(once.exchange(X25519PublicKey.from_public_bytes(worker)), _PURPOSE)
    order = {
        "worker": worker.hex(),
        "program": version("bianlian"),
        "expires": stamp(min(now + LIFETIME, *(grant.expires for grant in grants))),
        "grants": [_facts(grant) for grant in grants],
        "once": once.public_key().public_bytes_raw().hex(),
        "key": (nonce + AESGCM(secret).encrypt(nonce, key, worker)).hex(),
    }
    return sign_compact(rfc8785.dumps(order), installation.signing_key, kind=KIND)


def read(document: bytes, head: Ed25519PublicKey, worker: X25519PrivateKey, now: datetime) -> WorkOrder:
    """Check an order and open its key.

    Raises:
        ConsentRefused: order-bad (not signed by `head`, or for another worker or program), order-expired.
    """
    own = worker.public_key().public_bytes_raw()
    try:
        order = json.loads(open_compact(document, head, kind=KIND))
        once, wrapped = bytes.fromhex(order["once"]), bytes.fromhex(order["key"])
        secret = derive(worker.exchange(X25519PublicKey.from_public_bytes(once)), _PURPOSE)
        key = AESGCM(secret).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], own)
        expires, grants = moment(order["expires"]), tuple(map(_grant_fields, order["grants"]))
        is_ours = (order["worker"], order["program"]) == (own.hex(), version("bianlian"))
    except (BadSignature, InvalidTag, ValueError, KeyError, TypeError) as error:
        raise _bad("it was not signed by this head for this worker") from error
    if not is_ours:
        raise _bad("it is for another version of the program")
    if now >= expires:
        raise ConsentRefused("The work order has ended.", code="order-expired", advice="Start the swap again.")
    return WorkOrder(grants=grants, expires=expires, key=key)


def seal(key: bytes, name: str, content: bytes) -> bytes:
    """Encrypt a part of a job; it opens only under the same name."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, content, name.encode())


def unseal(key: bytes, name: str, content: bytes) -> bytes:
    """What `seal` was given.

    Raises:
        ConsentRefused: order-part: another key or name, or changed on the way.
    """
    try:
        return AESGCM(key).decrypt(content[:_NONCE], content[_NONCE:], name.encode())
    except (InvalidTag, ValueError) as error:
        raise ConsentRefused(f"The part {name} does not belong to this order.", code="order-part") from error


def _facts(grant: Grant) -> dict[str, Any]:
    facts = {name: getattr(grant, name) for name in Grant.__slots__}
    return {**facts, "expires": stamp(grant.expires)}


def _grant_fields(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    if set(facts) != set(Grant.__slots__):
        raise ValueError("not the fields of a grant")
    return {**facts, "expires": moment(facts["expires"])}


def _bad(why: str) -> ConsentRefused:
    return ConsentRefused(f"The work order is not accepted: {why}.", code="order-bad", advice="See docs/cluster.md.")
