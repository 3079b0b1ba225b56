"""The receipt: one signed record per consent, readable without this program.

Fields follow ISO/IEC TS 27560:2023 where they fit. RFC 8785 JSON inside a JWS with two Ed25519 signatures: the donor's key,
then the installation's. It holds a pseudonym, commitments and digests; no name and no face.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bianlian.donors import jose
from bianlian.donors.challenge import Challenge
from bianlian.donors.installation import Installation
from bianlian.donors.notices import Notice
from bianlian.donors.revocation import LIST_ID
from bianlian.donors.scope import Scope, scope_from_json, scope_to_json
from bianlian.errors import ConsentRefused
from bianlian.records.donor import moment, stamp

SCHEMA = "bianlian-receipt-1"
LEVELS = ("L0 declared", "L1 signed document", "L2 live challenge", "L3 in person, identity seen by a named witness")
"""Levels of assurance; this program gives L2 and cannot give L3 by itself."""
OPERATIONS = ("learn-appearance", "replace-face")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a receipt is bound to."""

    template_commitment: str
    """HMAC-SHA256 of the face template under a secret that dies with the donor's key; hex."""
    capture_sha256: str
    notice_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt whose signatures were checked, or that was just signed."""

    document: bytes
    id: str
    created: datetime
    donor_id: str
    donor_key: Ed25519PublicKey
    installation: str
    language: str
    challenge: str
    evidence: Evidence
    level: str
    status_index: int
    scope: Scope

    @property
    def sha256(self) -> str:
        """Digest of the document, as the manifest of an output carries it."""
        return hashlib.sha256(self.document).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """All that goes into a receipt, besides who signs."""

    receipt_id: str
    donor_id: str
    notice: Notice
    scope: Scope
    challenge: Challenge
    evidence: Evidence
    status_index: int
    jurisdiction: str
    """Where the donor is: ISO 3166-1 alpha-2, or "unknown"."""


def sign_receipt(
    agreement: Agreement, donor_key: Ed25519PrivateKey, installation: Installation, now: datetime
) -> Receipt:
    """Write a receipt and sign it with both keys."""
    payload = rfc8785.dumps(_payload(agreement, donor_key.public_key(), installation, now))
    document = jose.sign_general(payload, [donor_key, installation.signing_key])
    return verify_receipt(document, installation.public_key)


def verify_receipt(document: bytes, trust: Ed25519PublicKey) -> Receipt:
    """Check both signatures and read a receipt.

    Args:
        document: the file, to the byte.
        trust: key of the installation that must have signed it.

    Raises:
        ConsentRefused: code receipt-bad.
    """
    try:
        body: dict[str, Any] = json.loads(jose.peek_general(document))
        donor_key = jose.from_jwk(body["principal"]["key"])
        payload = jose.open_general(document, [donor_key, trust])
        body = json.loads(payload)
        if rfc8785.dumps(body) != payload or body["schema_version"] != SCHEMA or body["adult"] != {"declared": True}:
            raise ValueError("not a receipt of this schema")
        collected = body["collected"]
        return Receipt(
            document=document, id=body["record_id"], created=moment(body["created"]), donor_id=body["principal"]["pseudonym"],
            donor_key=donor_key, installation=body["controller"]["installation"], language=body["notice"]["language"],
            challenge=collected["challenge"], level=collected["level"], status_index=int(body["status"]["statusListIndex"]),
            evidence=Evidence(
                template_commitment=collected["face_template_commitment"],
                capture_sha256=collected["recording_sha256"],
                notice_sha256=body["notice"]["sha256"],
            ),
            scope=scope_from_json(body["scope"]),
        )  # fmt: skip
    except (jose.BadSignature, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConsentRefused(
            f"The receipt does not hold: {error}.",
            code="receipt-bad",
            advice="It was changed, or another installation signed it. Use the receipt that was given to the donor.",
        ) from error


def readable(receipt: Receipt) -> dict[str, Any]:
    """The signed content as plain JSON, for people and for export."""
    return json.loads(jose.peek_general(receipt.document))


def _payload(
    agreement: Agreement, donor: Ed25519PublicKey, installation: Installation, now: datetime
) -> dict[str, Any]:
    scope, challenge, evidence = agreement.scope, agreement.challenge, agreement.evidence
    return {
        "schema_version": SCHEMA,
        "record_id": agreement.receipt_id,
        "created": stamp(now),
        "principal": {
            "pseudonym": agreement.donor_id,
            "key": jose.public_jwk(donor),
            "thumbprint": jose.thumbprint(donor),
        },
        "party": {"role": "face-owner"},
        "controller": {
            "name": agreement.notice.controller.name,
            "contact": agreement.notice.controller.contact,
            "installation": installation.id,
            "key": jose.public_jwk(installation.public_key),
        },
        "language": agreement.notice.language,
        "jurisdiction": agreement.jurisdiction,
        "sensitive": True,
        "notice": {
            "sha256": evidence.notice_sha256,
            "language": agreement.notice.language,
            "version": agreement.notice.version,
        },
        "allowed_operations": list(OPERATIONS),
        "scope": scope_to_json(scope),
        "collected": {
            "method": "one take in answer to a random challenge",
            "level": "L2",
            "challenge": challenge.id,
            "nonce": challenge.nonce,
            "acts": list(challenge.acts),
            "recording_sha256": evidence.capture_sha256,
            "face_template_commitment": evidence.template_commitment,
        },
        "adult": {"declared": True},
        "validity": {"from": stamp(scope.start), "until": stamp(scope.until)},
        "withdrawal": {
            "how": "bianlian donor revoke, or a word to the controller",
            "contact": agreement.notice.controller.contact,
        },
        "status": {
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": str(agreement.status_index),
            "statusListCredential": LIST_ID.format(installation=installation.id),
        },
        "events": [{"at": stamp(now), "kind": "given"}],
    }
