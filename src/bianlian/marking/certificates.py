"""The installation's certificate chain: root, issuing, leaf; made at first run, so that manifests can be signed offline.

Profile after C2PA 2.2, section 14.5: P-256, `digitalSignature`, extended key usages e-mail protection and C2PA signing
(the validator refuses document signing). The leaf is long-lived because without a time stamp a manifest ends with its leaf.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bianlian.errors import InstallationError

C2PA_SIGNING = x509.ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
ROOT_YEARS, ISSUING_YEARS, LEAF_YEARS = 25, 20, 12
"""R21 asks for ten years and more of a leaf without time stamps."""
_ORGANISATION = "Bianlian installation"
_Key = ec.EllipticCurvePrivateKey


class ManifestSigner(Protocol):
    """Signs manifests with P-256: the installation's own credentials, or a key that lives elsewhere (`--signer`)."""

    @property
    def chain_pem(self) -> bytes:
        """Leaf first, then the issuing certificates; without the root."""
        ...

    def sign(self, message: bytes) -> bytes:
        """ECDSA with SHA-256 as raw r || s, 64 bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An opened chain with the leaf's key."""

    chain_pem: bytes
    root_pem: bytes
    expires: datetime
    leaf_key: _Key = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """See `ManifestSigner`."""
        r, s = decode_dss_signature(self.leaf_key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)


def open_credentials(folder: Path, *, password: bytes, installation_id: str, now: datetime) -> Credentials:
    """Load the chain under `folder`, or make it.

    Args:
        password: protects the private keys at rest; derived from the installation's key.

    Raises:
        InstallationError: damaged, of another installation, or expired.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / "leaf.key").exists():
        _found(folder, password, installation_id, now)
    try:
        key = serialization.load_pem_private_key((folder / "leaf.key").read_bytes(), password)
        chain, root = (folder / "chain.pem").read_bytes(), (folder / "root.pem").read_bytes()
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except (OSError, ValueError, TypeError) as error:
        raise InstallationError(
            f"The signing credentials in {folder} cannot be opened: {error}.",
            advice="Restore them from your backup; deleting the folder makes new ones, which others must be told to trust.",
        ) from error
    if not isinstance(key, _Key) or leaf.not_valid_after_utc <= now:
        raise InstallationError("The signing certificate has expired.", advice="Make a new one: bianlian keys rotate")
    return Credentials(chain_pem=chain, root_pem=root, leaf_key=key, expires=leaf.not_valid_after_utc)


def rotate(folder: Path, *, password: bytes, installation_id: str, now: datetime) -> None:
    """Give the installation a new leaf under the same root; what the old one signed stays valid."""
    issuing_key = serialization.load_pem_private_key((folder / "issuing.key").read_bytes(), password)
    issuing = x509.load_pem_x509_certificates((folder / "chain.pem").read_bytes())[1]
    if not isinstance(issuing_key, _Key):
        raise InstallationError(f"{folder / 'issuing.key'} is not an elliptic-curve key.")
    _write_leaf(folder, password, installation_id, now, issuing, issuing_key)


def _found(folder: Path, password: bytes, installation_id: str, now: datetime) -> None:
    root_key, issuing_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, issuing_name = _name(f"{installation_id} root"), _name(f"{installation_id} issuing")
    root = _authority(root_name, root_name, root_key, root_key, now, ROOT_YEARS, path_length=1)
    issuing = _authority(issuing_name, root_name, issuing_key, root_key, now, ISSUING_YEARS, path_length=0)
    _private(folder / "root.key", _sealed_key(root_key, password))
    _private(folder / "issuing.key", _sealed_key(issuing_key, password))
    _private(folder / "root.pem", _pem(root))
    _write_leaf(folder, password, installation_id, now, issuing, issuing_key)


def _write_leaf(
    folder: Path, password: bytes, installation_id: str, now: datetime, issuing: x509.Certificate, issuing_key: _Key
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    usages = [ExtendedKeyUsageOID.EMAIL_PROTECTION, C2PA_SIGNING]
    leaf = (
        _builder(_name(f"{installation_id} signer"), issuing.subject, key, now, LEAF_YEARS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing_key.public_key()), critical=False)
        .sign(issuing_key, hashes.SHA256())
    )
    _private(folder / "chain.pem", _pem(leaf) + _pem(issuing))
    _private(folder / "leaf.key", _sealed_key(key, password))


def _authority(
    subject: x509.Name, issuer: x509.Name, key: _Key, signer: _Key, now: datetime, years: int, *, path_length: int
) -> x509.Certificate:
    return (
        _builder(subject, issuer, key, now, years)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: _Key, now: datetime, years: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=365 * years))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _sealed_key(key: _Key, password: bytes) -> bytes:
    encryption = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _private(path: Path, content: bytes) -> None:
    scratch = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    with open(scratch, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
