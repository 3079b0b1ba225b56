"""A platform verifies with the public bundle alone; a changed or foreign bundle is refused."""

from __future__ import annotations

import hashlib
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bianlian.donors import revocation
from bianlian.donors.installation import Installation
from bianlian.errors import InstallationError
from bianlian.marking.registry import OutputRegistry
from bianlian.records.verdict import Outcome, State
from bianlian.verification.bundle import Bundle, BundleContents, ConsentEntry, read_bundle, write_bundle
from bianlian.verification.claims import Consent
from bianlian.verification.verifier import Verifier
from tests.unit.verification.marked_file import JOB, NOW, Workshop

INDEX, EXPIRES = 7, NOW + timedelta(days=90)


@pytest.fixture(scope="module")
def installation() -> Installation:
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"a key for tests").digest())
    name = hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest()[:16]
    return Installation(home=Path("nowhere"), id=name, signing_key=key, wrapping_key=bytes(32))


def published(
    path: Path, workshop: Workshop, installation: Installation, *, revoked: tuple[int, ...] = (), outputs: str = ""
) -> Bundle:
    contents = BundleContents(
        roots_pem=workshop.credentials.root_pem,
        status_list=revocation.issue(installation, revoked, NOW),
        consents={JOB: (ConsentEntry(status_index=INDEX, expires=EXPIRES),)},
        outputs=outputs,
    )
    write_bundle(path, contents, installation.signing_key, now=NOW)
    return read_bundle(path, installation=installation.id)


def test_a_platform_verifies_without_secrets(workshop: Workshop, installation: Installation, tmp_path: Path) -> None:
    registry = OutputRegistry.open(tmp_path / "outputs.sqlite")
    made = workshop.issued()
    registry.issue(JOB, key_id=workshop.book.key_id, now=NOW)
    registry.release(JOB, sha256=made.sha256, md5=made.md5, prints=made.prints, now=NOW)
    bundle = published(tmp_path / "b.zip", workshop, installation, outputs=registry.public_bundle())
    assert bundle.installation == installation.id
    verdict = Verifier(bundle.references(NOW)).verify(workshop.sealed)
    assert verdict.state is State.VALID
    found = {finding.check: finding for finding in verdict.findings}
    assert found["fingerprint"].outcome is found["consent"].outcome is Outcome.FOUND
    assert found["watermark"].outcome is Outcome.NOT_CHECKED
    assert "secret" in found["watermark"].sentence


def test_a_withdrawal_in_the_list_reaches_the_verdict(
    workshop: Workshop, installation: Installation, tmp_path: Path
) -> None:
    bundle = published(tmp_path / "b.zip", workshop, installation, revoked=(INDEX,))
    assert Verifier(bundle.references(NOW)).verify(workshop.sealed).state is State.WITHDRAWN


def test_states_of_consent_by_time_and_job(workshop: Workshop, installation: Installation, tmp_path: Path) -> None:
    bundle = published(tmp_path / "b.zip", workshop, installation)
    assert bundle.consent_of(JOB, NOW).consent is Consent.ACTIVE
    assert bundle.consent_of("another", NOW).consent is Consent.UNKNOWN
    stale = bundle.consent_of(JOB, NOW + revocation.LIFETIME + timedelta(seconds=1))
    assert stale.consent is Consent.UNKNOWN
    assert "new one" in stale.reason


def test_an_expired_term_is_said(workshop: Workshop, installation: Installation, tmp_path: Path) -> None:
    contents = BundleContents(
        roots_pem=b"", status_list=revocation.issue(installation, (), NOW), outputs="",
        consents={JOB: (ConsentEntry(status_index=1, expires=datetime(2026, 1, 1, tzinfo=UTC)),)},
    )  # fmt: skip
    write_bundle(tmp_path / "b.zip", contents, installation.signing_key, now=NOW)
    state = read_bundle(tmp_path / "b.zip").consent_of(JOB, NOW)
    assert (state.consent, state.since) == (Consent.EXPIRED, "2026-01-01T00:00:00.000Z")
    assert workshop.label.produce_id == JOB


@pytest.mark.parametrize(
    "member", ["roots.pem", "status-list.jwt", "consents.json", "outputs.jsonl", "bundle.jwt", "key.json"]
)
def test_any_changed_member_is_seen(
    workshop: Workshop, installation: Installation, tmp_path: Path, member: str
) -> None:
    published(tmp_path / "b.zip", workshop, installation)
    with zipfile.ZipFile(tmp_path / "b.zip") as before, zipfile.ZipFile(tmp_path / "c.zip", "w") as after:
        for name in before.namelist():
            after.writestr(name, before.read(name) + (b" " if name == member else b""))
    if member == "key.json":  # more spaces in a public key change nothing that it says
        assert read_bundle(tmp_path / "c.zip").installation == installation.id
        return
    with pytest.raises(InstallationError) as caught:
        read_bundle(tmp_path / "c.zip")
    assert caught.value.advice


def test_another_installations_bundle_and_no_bundle_are_refused(
    workshop: Workshop, installation: Installation, tmp_path: Path
) -> None:
    published(tmp_path / "b.zip", workshop, installation)
    with pytest.raises(InstallationError, match="not by"):
        read_bundle(tmp_path / "b.zip", installation="0" * 16)
    (tmp_path / "text.zip").write_text("no zip")
    for name in ("text.zip", "missing.zip"):
        with pytest.raises(InstallationError):
            read_bundle(tmp_path / name)


def test_a_bundle_holds_no_secret(workshop: Workshop, installation: Installation, tmp_path: Path) -> None:
    published(tmp_path / "b.zip", workshop, installation)
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert b"PRIVATE" not in content
    assert b'"d"' not in content
    assert workshop.book.word_key not in content
