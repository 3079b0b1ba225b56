"""The keys of one installation: it signs challenges, receipts, ledger heads and status lists, and wraps donors' keys."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from bianlian.donors.files import sync_folder, write_whole
from bianlian.errors import InstallationError
from bianlian.records.donor import stamp

KEY_BYTES = 32
_SCRYPT = {"n": 1 << 15, "r": 8, "p": 1}
"""RFC 7914 parameters: 32 MiB and about 0.1 s a guess (OWASP's password storage sheet, 2023)."""
_ALONE = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """An installation that has been opened. Its secrets never leave this record but for signatures and derived keys."""

    home: Path
    id: str
    """First 16 hex digits of the SHA-256 of the public key."""
    signing_key: Ed25519PrivateKey = field(repr=False)
    wrapping_key: bytes = field(repr=False)

    @classmethod
    def open(cls, home: Path, now: datetime, *, passphrase: str = "") -> Installation:
        """Load the keys of `home`, or make them on first use.

        Args:
            home: the folder with all data of this installation.
            passphrase: protects the key file through scrypt; must be given each time once it was given first.

        Raises:
            InstallationError: other users may read the keys, the passphrase is wrong, or the file is damaged.
        """
        folder = home / "keys"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "installation.json"
        if not path.exists():
            _create(path, now, passphrase)
        _check_private(folder)
        _check_private(path)
        signing, wrapping = _load(path, passphrase)
        key = Ed25519PrivateKey.from_private_bytes(signing)
        return cls(home=home, id=id_of(key.public_key()), signing_key=key, wrapping_key=wrapping)

    @property
    def public_key(self) -> Ed25519PublicKey:
        return self.signing_key.public_key()

    def sign(self, purpose: str, message: bytes) -> bytes:
        """64-byte Ed25519 signature over `message`, bound to `purpose` so that no signature serves two ends."""
        return self.signing_key.sign(_bound(purpose, message))

    def has_signed(self, purpose: str, message: bytes, signature: bytes) -> bool:
        """Whether this installation signed `message` for `purpose`."""
        return is_signed(self.public_key, purpose, message, signature)

    def derive(self, purpose: str, salt: bytes = b"") -> bytes:
        """32 secret bytes for one purpose, always the same for it (HKDF-SHA256 of the wrapping key)."""
        return derive(self.wrapping_key, purpose, salt)


def id_of(key: Ed25519PublicKey) -> str:
    """The id of the installation that a public key belongs to."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def is_signed(key: Ed25519PublicKey, purpose: str, message: bytes, signature: bytes) -> bool:
    """Whether the owner of `key` signed `message` for `purpose`."""
    try:
        key.verify(signature, _bound(purpose, message))
    except InvalidSignature:
        return False
    return True


def derive(secret: bytes, purpose: str, salt: bytes = b"") -> bytes:
    """32 bytes from `secret` (HKDF-SHA256, RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=salt, info=f"bianlian/{purpose}".encode()).derive(
        secret
    )


def _bound(purpose: str, message: bytes) -> bytes:
    return f"bianlian/{purpose}\n".encode() + message


def _check_private(path: Path) -> None:
    if os.name == "posix" and path.stat().st_mode & _ALONE:
        raise InstallationError(
            f"{path} can be read by other users of this machine.",
            advice=f"Run: chmod go= {path}  (and ask whether somebody has copied the keys)",
        )


def _create(path: Path, now: datetime, passphrase: str) -> None:
    secret = Ed25519PrivateKey.generate().private_bytes_raw() + os.urandom(KEY_BYTES)
    salt, nonce = os.urandom(16), os.urandom(12)
    body = AESGCM(_stretch(passphrase, salt)).encrypt(nonce, secret, b"installation") if passphrase else secret
    document = {
        "schema": "bianlian-installation-1",
        "created": stamp(now),
        "protection": "scrypt" if passphrase else "file-mode",
        "salt": salt.hex(),
        "nonce": nonce.hex(),
        "secret": body.hex(),
    }
    scratch = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    write_whole(scratch, json.dumps(document, indent=1).encode())
    try:
        os.link(scratch, path)  # unlike a rename, this fails when another process was first
    except FileExistsError:
        pass
    finally:
        scratch.unlink()
    sync_folder(path.parent)


def _load(path: Path, passphrase: str) -> tuple[bytes, bytes]:
    damaged = InstallationError(f"The key file {path} is damaged.", advice="Restore it from your backup.")
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        protection, body = document["protection"], bytes.fromhex(document["secret"])
        salt, nonce = bytes.fromhex(document["salt"]), bytes.fromhex(document["nonce"])
    except (ValueError, KeyError, TypeError) as error:
        raise damaged from error
    if protection == "scrypt":
        try:
            body = AESGCM(_stretch(passphrase, salt)).decrypt(nonce, body, b"installation")
        except InvalidTag as error:
            raise InstallationError(
                "The passphrase does not open this installation's keys.",
                advice="Set BIANLIAN_PASSPHRASE to the passphrase that was used first.",
            ) from error
    if len(body) != 2 * KEY_BYTES:
        raise damaged
    return body[:KEY_BYTES], body[KEY_BYTES:]


def _stretch(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=KEY_BYTES, **_SCRYPT).derive(passphrase.encode())
