"""The public verification bundle: what a platform needs to run `verify` without any secret of the installation.

::

    key.json           the installation's public key, as a JWK
    bundle.jwt         who made it, when, and the SHA-256 of every other member; signed with that key
    roots.pem          certificates that manifests are trusted under
    status-list.jwt    withdrawn consents (Bitstring Status List v1.0)
    consents.json      job id → status indices and expiry of its receipts
    outputs.jsonl      released files: digests and PDQ per second

It holds no names, faces, keys or paths. The watermark cannot be read with it: that takes the installation's secret. Whoever
uses a bundle should know the installation's id from elsewhere and ask for it, because anybody can make a bundle of their own.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bianlian.donors import revocation
from bianlian.donors.jose import BadSignature, from_jwk, open_compact, public_jwk, sign_compact
from bianlian.donors.revocation import StatusList
from bianlian.errors import InstallationError
from bianlian.marking.registry import IssuedOutput, outputs_from_bundle
from bianlian.media.publish import publishing
from bianlian.records.donor import moment, stamp
from bianlian.verification.claims import Consent, ConsentState
from bianlian.verification.pixels import NoWatermarkKeys
from bianlian.verification.verifier import References

FORMAT, VERSION = "bianlian-verification-bundle", 1
_KIND = "bianlian-bundle+jwt"
_KEY, _SIGNED, _ROOTS, _STATUS, _CONSENTS, _OUTPUTS = (
    "key.json", "bundle.jwt", "roots.pem", "status-list.jwt", "consents.json", "outputs.jsonl",
)  # fmt: skip
_LARGEST_MEMBER = 1 << 28
"""Bytes of one member, unpacked: a million outputs of a minute; anything larger is a zip bomb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentEntry:
    """One receipt that a job rests on."""

    status_index: int
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleContents:
    """What an installation publishes."""

    roots_pem: bytes
    status_list: bytes
    """As `donors.revocation.issue` signed it."""
    consents: Mapping[str, tuple[ConsentEntry, ...]]
    """Job id → its receipts."""
    outputs: str
    """As `OutputRegistry.public_bundle` writes it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """A bundle whose signature was checked."""

    installation: str
    made: datetime
    roots_pem: bytes
    status_list: StatusList
    consents: Mapping[str, tuple[ConsentEntry, ...]]
    outputs: tuple[IssuedOutput, ...]

    def references(self, now: datetime) -> References:
        """What `Verifier` compares a file with, at the time `now`."""
        return References(
            roots_pem=self.roots_pem,
            outputs=lambda: self.outputs,
            consent_of=lambda job_id: self.consent_of(job_id, now),
            watermark=NoWatermarkKeys(
                reason="Not read: that takes the secret key of the installation that made the file; ask it."
            ),
        )

    def consent_of(self, job_id: str, now: datetime) -> ConsentState:
        """Where the consent of a job stands; the worst of several."""
        entries = self.consents.get(job_id, ())
        if not entries:
            return ConsentState(consent=Consent.UNKNOWN, reason="the bundle does not know this job")
        if any(self.status_list.is_revoked(entry.status_index) for entry in entries):
            return ConsentState(consent=Consent.WITHDRAWN, reason=f"by the list of {stamp(self.status_list.issued)}")
        if now > self.status_list.valid_until:
            until = stamp(self.status_list.valid_until)
            return ConsentState(consent=Consent.UNKNOWN, reason=f"the bundle's list ended on {until}; get a new one")
        expires = min(entry.expires for entry in entries)
        if now > expires:
            return ConsentState(consent=Consent.EXPIRED, since=stamp(expires))
        return ConsentState(consent=Consent.ACTIVE)


def write_bundle(path: Path, contents: BundleContents, key: Ed25519PrivateKey, *, now: datetime) -> None:
    """Sign and write a bundle with the installation's key.

    Raises:
        InstallationError: the disk is full or may not be written.
    """
    consents = {
        job_id: [{"index": entry.status_index, "expires": stamp(entry.expires)} for entry in entries]
        for job_id, entries in contents.consents.items()
    }
    members = {
        _ROOTS: contents.roots_pem,
        _STATUS: contents.status_list,
        _CONSENTS: rfc8785.dumps(consents),
        _OUTPUTS: contents.outputs.encode(),
    }
    statement: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "made": stamp(now),
        "members": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()},
    }
    members[_KEY] = rfc8785.dumps(dict(public_jwk(key.public_key())))
    members[_SIGNED] = sign_compact(rfc8785.dumps(statement), key, kind=_KIND)
    with publishing(path) as scratch, zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def read_bundle(path: Path, *, installation: str = "") -> Bundle:
    """Open a bundle and check every byte of it.

    Args:
        installation: the id of the installation that must have made it (16 hexadecimal digits); empty accepts any.

    Raises:
        InstallationError: no such file, changed, or another installation's.
        ConsentRefused: its status list is not the installation's (code status-bad).
    """
    try:
        members = _members(path)
        key = from_jwk(json.loads(members[_KEY]))
        statement = json.loads(open_compact(members[_SIGNED], key, kind=_KIND))
        if (statement["format"], statement["version"]) != (FORMAT, VERSION):
            raise ValueError("another format")
        if statement["members"] != {name: _digest(members[name]) for name in (_ROOTS, _STATUS, _CONSENTS, _OUTPUTS)}:
            raise ValueError("a member is not what was signed")
        consents = {
            job_id: tuple(ConsentEntry(status_index=one["index"], expires=moment(one["expires"])) for one in entries)
            for job_id, entries in json.loads(members[_CONSENTS]).items()
        }
        outputs, made = outputs_from_bundle(members[_OUTPUTS].decode()), moment(statement["made"])
    except (OSError, zipfile.BadZipFile, BadSignature, ValueError, KeyError, TypeError) as error:
        raise InstallationError(
            f"{path.name} is not a whole verification bundle: {error}.",
            advice="Get it again from the installation that made it.",
        ) from error
    maker = _installation_id(key)
    if installation and maker != installation:
        raise InstallationError(
            f"{path.name} was made by installation {maker}, not by {installation}.",
            advice="Get the bundle from the installation that you trust.",
        )
    return Bundle(
        installation=maker,
        made=made,
        roots_pem=members[_ROOTS],
        status_list=revocation.read(members[_STATUS], key),
        consents=consents,
        outputs=outputs,
    )


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        if any(member.file_size > _LARGEST_MEMBER for member in archive.infolist()):
            raise ValueError("a member is too large")
        return {name: archive.read(name) for name in (_KEY, _SIGNED, _ROOTS, _STATUS, _CONSENTS, _OUTPUTS)}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _installation_id(key: Ed25519PublicKey) -> str:
    """As `donors.installation.Installation.id`."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]
