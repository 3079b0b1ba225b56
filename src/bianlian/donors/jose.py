"""Signatures in the open form: JWS (RFC 7515) with Ed25519 (RFC 8037, 9864), keys named by thumbprint (RFC 7638).

Base64 and JSON have many spellings for one content. Here a document has one: what is read is spelt again and compared,
so that no byte of a signed file can change unnoticed.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, cast

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

_ALGORITHM = "Ed25519"


class BadSignature(Exception):
    """A document that is not what its signers signed."""


def public_jwk(key: Ed25519PublicKey) -> dict[str, str]:
    """The public key as a JWK: {"crv", "kty", "x"}."""
    members = _public(key).as_dict(private=False)
    return {name: str(members[name]) for name in ("crv", "kty", "x")}


def private_jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    """The private key as a JWK, for its owner: {"crv", "d", "kty", "x"}."""
    members = _private(key).as_dict(private=True)
    return {name: str(members[name]) for name in ("crv", "d", "kty", "x")}


def from_jwk(members: dict[str, Any]) -> Ed25519PublicKey:
    """The public key of a JWK.

    Raises:
        BadSignature: it is not an Ed25519 key.
    """
    try:
        raw = OKPKey.import_key({name: members[name] for name in ("crv", "kty", "x")}).public_key
    except (JoseError, KeyError, ValueError, TypeError) as error:
        raise BadSignature("a key in the document is not an Ed25519 key") from error
    if not isinstance(raw, Ed25519PublicKey):
        raise BadSignature("a key in the document is not an Ed25519 key")
    return raw


def thumbprint(key: Ed25519PublicKey) -> str:
    """RFC 7638 SHA-256 thumbprint, base64url."""
    return _public(key).thumbprint()


def sign_compact(payload: bytes, key: Ed25519PrivateKey, *, kind: str) -> bytes:
    """A compact JWS; `kind` goes into the header as `typ`."""
    header = {"alg": _ALGORITHM, "kid": thumbprint(key.public_key()), "typ": kind}
    return jws.serialize_compact(header, payload, _private(key), algorithms=[_ALGORITHM]).encode()


def open_compact(document: bytes, key: Ed25519PublicKey, *, kind: str) -> bytes:
    """The payload of a compact JWS that `key` signed as `kind`.

    Raises:
        BadSignature: any byte differs.
    """
    try:
        found = jws.deserialize_compact(document, _public(key), algorithms=[_ALGORITHM])
        header, payload = found.headers(), found.payload
        respelt = b".".join(map(_canonical_part, document.split(b".")))
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise BadSignature(f"the signature of the {kind} does not fit") from error
    if respelt != document or header.get("typ") != kind:
        raise BadSignature(f"the document is not a well-formed {kind}")
    return payload


def sign_general(payload: bytes, keys: Sequence[Ed25519PrivateKey]) -> bytes:
    """A general JSON JWS with one signature per key, as canonical JSON."""
    private = [_private(key) for key in keys]
    headers: list[Any] = [{"protected": {"alg": _ALGORITHM, "kid": key.thumbprint()}} for key in private]
    document = jws.serialize_json(headers, payload, _named(private), algorithms=[_ALGORITHM])
    return rfc8785.dumps(cast(Any, document))


def peek_general(document: bytes) -> bytes:
    """The payload of a general JSON JWS, not yet checked: to learn which keys ought to have signed."""
    try:
        body: dict[str, Any] = json.loads(document)
        return _decode(body["payload"].encode())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadSignature("the document is not a signed record") from error


def open_general(document: bytes, keys: Sequence[Ed25519PublicKey]) -> bytes:
    """The payload of a general JSON JWS that exactly these keys signed, in this order.

    Raises:
        BadSignature: any byte differs, or a signature is missing or more than asked.
    """
    public = [_public(key) for key in keys]
    try:
        body: dict[str, Any] = json.loads(document)
        payload = jws.deserialize_json(cast(Any, body), _named(public), algorithms=[_ALGORITHM]).payload
        parts = [body["payload"], *(part[name] for part in body["signatures"] for name in ("protected", "signature"))]
        is_canonical = rfc8785.dumps(body) == document and all(_canonical_part(p.encode()) == p.encode() for p in parts)
        signers = [json.loads(_decode(part["protected"].encode()))["kid"] for part in body["signatures"]]
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadSignature("a signature does not fit the record") from error
    if not is_canonical or signers != [key.thumbprint() for key in public]:
        raise BadSignature("the record is not signed by exactly those who must sign it")
    return payload


def _decode(part: bytes) -> bytes:
    return urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def _canonical_part(part: bytes) -> bytes:
    return urlsafe_b64encode(_decode(part)).rstrip(b"=")


def _public(key: Ed25519PublicKey) -> OKPKey:
    return OKPKey.import_key(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _private(key: Ed25519PrivateKey) -> OKPKey:
    return OKPKey.import_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _named(keys: Sequence[OKPKey]) -> KeySet:
    for key in keys:
        key.ensure_kid()
    return KeySet(list(keys))
