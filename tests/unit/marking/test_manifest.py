"""The signed manifest: whole and trusted, of hashes only, atomic, offline; any change breaks it."""

from __future__ import annotations

import json
import socket
import stat
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from PIL import Image

from bianlian.errors import InstallationError, InternalError
from bianlian.marking.certificates import Credentials, open_credentials, rotate
from bianlian.marking.manifest.facts import ConsentFacts, ManifestFacts, SourceType
from bianlian.marking.manifest.reading import ManifestState, read_manifest
from bianlian.marking.manifest.seal import seal
from bianlian.marking.metadata import first_label, tags
from bianlian.marking.reading import read_labels, xmp_of
from bianlian.marking.xmp import source_type_in, xmp_packet
from bianlian.records.face import Box
from tests.unit.marking.test_metadata import LABEL, video

NOW = datetime.now(UTC)
NAME = "zhang-san"
"""A person's name, as it may stand in a file name."""
JOB = "0123456789abcdef"


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return opened(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    return video(tmp_path / "draft.mp4", **tags(first_label(job_id=JOB, receipts_sha256="cd" * 32)))


def opened(folder: Path, now: datetime = NOW) -> Credentials:
    return open_credentials(folder, password=b"secret", installation_id="house-1", now=now)


def facts(source: Path, **changes: object) -> ManifestFacts:
    consent = ConsentFacts(
        receipt_id="r-17", receipt_sha256="ab" * 32, purpose="documentary", expires=NOW + timedelta(days=9),
        status_index=11, appearance_sha256="ef" * 32,
    )  # fmt: skip
    plain = ManifestFacts(
        job_id=JOB, receipts_sha256="cd" * 32, consents=(consent,), source=source, source_sha256="12" * 32,
        regions=(Box(left=10, top=10, right=40, bottom=50),), size=(64, 64), source_type=SourceType.TRAINED,
        engine="draft", version="1.2.3", when=NOW, is_image=False,
    )  # fmt: skip
    return replace(plain, **changes)


def footage(folder: Path, **metadata: str) -> Path:
    return video(folder / f"{NAME}.mp4", title=NAME, **metadata)


def test_a_sealed_video_is_valid_trusted_and_says_what_it_is(
    draft: Path, tmp_path: Path, credentials: Credentials
) -> None:
    before = draft.read_bytes()
    seal(draft, tmp_path / "sealed.mp4", facts(footage(tmp_path)), credentials)
    reading = read_manifest(tmp_path / "sealed.mp4", credentials.root_pem)
    assert (reading.state, reading.is_trusted, reading.failures) == (ManifestState.VALID, True, ())
    assert (reading.job_id, reading.watermark_id, reading.receipt_ids) == (JOB, JOB, ("r-17",))
    assert reading.source_type == SourceType.TRAINED.value == source_type_in(xmp_of(tmp_path / "sealed.mp4"))
    assert draft.read_bytes() == before
    assert not list(tmp_path.glob(".part*"))
    assert read_labels(tmp_path / "sealed.mp4").labels == read_labels(draft).labels


@pytest.mark.parametrize("source_type", SourceType)
def test_the_source_type_follows_the_engine(
    draft: Path, tmp_path: Path, credentials: Credentials, source_type: SourceType
) -> None:
    seal(draft, tmp_path / "sealed.mp4", facts(footage(tmp_path), source_type=source_type), credentials)
    assert read_manifest(tmp_path / "sealed.mp4", b"").source_type == source_type.value


def test_the_actions_name_region_and_watermark(draft: Path, tmp_path: Path, credentials: Credentials) -> None:
    seal(draft, tmp_path / "sealed.mp4", facts(footage(tmp_path)), credentials)
    manifest = raw(tmp_path / "sealed.mp4")
    actions = manifest_assertion(manifest, "c2pa.actions.v2")["actions"]
    assert [action["action"] for action in actions] == [
        "c2pa.opened", "c2pa.edited", "c2pa.edited", "c2pa.watermarked.bound", "c2pa.transcoded",
    ]  # fmt: skip
    assert actions[1]["changes"][0]["region"][0]["shape"]["width"] == pytest.approx(46.88)
    mining = manifest_assertion(manifest, "cawg.training-mining")["entries"]
    assert {entry["use"] for entry in mining.values()} == {"notAllowed"}
    assert len(mining) == 4
    relations = [ingredient["relationship"] for ingredient in manifest["ingredients"]]
    assert sorted(relations) == ["inputTo", "parentOf"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_images(tmp_path: Path, credentials: Credentials, suffix: str) -> None:
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8))
    path, sealed = tmp_path / f"draft.{suffix}", tmp_path / f"sealed.{suffix}"
    if suffix == "png":
        picture.save(path)
    else:
        picture.save(path, xmp=xmp_packet(LABEL, SourceType.TRAINED.value))
    seal(path, sealed, facts(path, is_image=True), credentials)
    reading = read_manifest(sealed, credentials.root_pem)
    assert (reading.state, reading.is_trusted) == (ManifestState.VALID, True)
    if suffix != "png":
        assert read_labels(sealed).labels == (LABEL,)
    data = bytearray(sealed.read_bytes())
    data[-40] ^= 1
    sealed.write_bytes(bytes(data))
    assert read_manifest(sealed, credentials.root_pem).state is ManifestState.BROKEN


def test_no_names_no_pictures_no_thumbnails(draft: Path, tmp_path: Path, credentials: Credentials) -> None:
    sealed = tmp_path / "sealed.mp4"
    seal(draft, sealed, facts(footage(tmp_path)), credentials)
    data = sealed.read_bytes()
    manifest = data[data.index(b"jumb") - 4 :]
    for needle in (NAME.encode(), str(tmp_path).encode(), b"thumbnail", b"\xff\xd8\xff", b"\x89PNG"):
        assert needle not in manifest
    assert len(data) - draft.stat().st_size < 20_000
    assert not any("thumbnail" in ingredient for ingredient in raw(sealed)["ingredients"])


@pytest.mark.parametrize("needle", [b"mdat", b'"ProduceID', b"DigitalSourceType>http", b"statusListIndex"])
def test_one_bit_breaks_it(draft: Path, tmp_path: Path, credentials: Credentials, needle: bytes) -> None:
    sealed = tmp_path / "sealed.mp4"
    seal(draft, sealed, facts(footage(tmp_path)), credentials)
    data = bytearray(sealed.read_bytes())
    data[data.index(needle) + len(needle) + 5] ^= 1
    sealed.write_bytes(bytes(data))
    assert read_manifest(sealed, credentials.root_pem).state is ManifestState.BROKEN


def test_trust_is_apart_from_integrity(draft: Path, tmp_path: Path, credentials: Credentials) -> None:
    sealed = tmp_path / "sealed.mp4"
    seal(draft, sealed, facts(footage(tmp_path)), credentials)
    stranger = opened(tmp_path / "stranger")
    for roots in (b"", stranger.root_pem):
        reading = read_manifest(sealed, roots)
        assert (reading.state, reading.is_trusted) == (ManifestState.VALID, False)
    assert read_manifest(sealed, stranger.root_pem + credentials.root_pem).is_trusted


def test_the_footages_own_label_and_manifest_are_kept(draft: Path, tmp_path: Path, credentials: Credentials) -> None:
    labelled = footage(tmp_path, **tags(LABEL))
    seal(labelled, tmp_path / "first.mp4", facts(labelled), credentials)
    seal(draft, tmp_path / "second.mp4", facts(tmp_path / "first.mp4"), credentials)
    reading = read_manifest(tmp_path / "second.mp4", credentials.root_pem)
    assert (reading.state, reading.is_trusted, reading.source_labels) == (ManifestState.VALID, True, (LABEL,))
    assert read_labels(tmp_path / "second.mp4").labels == (first_label(job_id=JOB, receipts_sha256="cd" * 32),)
    parent = next(one for one in raw(tmp_path / "second.mp4")["ingredients"] if one["relationship"] == "parentOf")
    assert parent["active_manifest"]


def test_footage_of_a_kind_without_manifests_is_an_ingredient_by_hash(
    draft: Path, tmp_path: Path, credentials: Credentials
) -> None:
    seal(draft, tmp_path / "sealed.mp4", facts(video(tmp_path / "footage.mkv", **tags(LABEL))), credentials)
    reading = read_manifest(tmp_path / "sealed.mp4", credentials.root_pem)
    assert (reading.is_trusted, reading.source_labels) == (True, (LABEL,))


def test_footage_that_the_library_should_read_and_cannot_is_refused(
    draft: Path, tmp_path: Path, credentials: Credentials
) -> None:
    (tmp_path / "footage.gif").write_bytes(b"not a picture")
    with pytest.raises(InternalError):
        seal(draft, tmp_path / "sealed.mp4", facts(tmp_path / "footage.gif"), credentials)
    assert not (tmp_path / "sealed.mp4").exists()


def test_files_without_manifest_and_cut_ones(draft: Path, tmp_path: Path, credentials: Credentials) -> None:
    assert read_manifest(draft, credentials.root_pem).state is ManifestState.ABSENT
    seal(draft, tmp_path / "sealed.mp4", facts(footage(tmp_path)), credentials)
    data = (tmp_path / "sealed.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) - 900])
    assert read_manifest(tmp_path / "cut.mp4", credentials.root_pem).state is ManifestState.BROKEN


@dataclass(frozen=True, slots=True)
class FailingSigner:
    chain_pem: bytes

    def sign(self, message: bytes) -> bytes:
        raise OSError(f"the token is gone ({len(message)} bytes to sign)")


def test_a_signer_that_fails_leaves_everything_as_it_was(draft: Path, tmp_path: Path, credentials: Credentials) -> None:
    sealed, before = tmp_path / "sealed.mp4", draft.read_bytes()
    sealed.write_bytes(b"an older result")
    with pytest.raises(InternalError):
        seal(draft, sealed, facts(footage(tmp_path)), FailingSigner(credentials.chain_pem))
    assert sealed.read_bytes() == b"an older result"
    assert draft.read_bytes() == before
    assert not list(tmp_path.glob(".part*"))


def test_sealing_and_reading_never_call_out(
    draft: Path, tmp_path: Path, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    seal(draft, tmp_path / "sealed.mp4", facts(footage(tmp_path)), credentials)
    assert read_manifest(tmp_path / "sealed.mp4", credentials.root_pem).is_trusted


def test_credentials_are_private_lasting_and_stay_the_same(tmp_path: Path) -> None:
    first, again = opened(tmp_path / "keys"), opened(tmp_path / "keys")
    assert first.chain_pem == again.chain_pem
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in (tmp_path / "keys" / "leaf.key").read_bytes()
    assert first.expires > NOW + timedelta(days=3650)
    leaf, issuing = x509.load_pem_x509_certificates(first.chain_pem)
    leaf.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(x509.load_pem_x509_certificate(first.root_pem))


def test_a_new_leaf_leaves_old_signatures_valid(draft: Path, tmp_path: Path) -> None:
    old = opened(tmp_path / "keys")
    seal(draft, tmp_path / "old.mp4", facts(footage(tmp_path)), old)
    rotate(tmp_path / "keys", password=b"secret", installation_id="house-1", now=NOW)
    new = opened(tmp_path / "keys")
    seal(draft, tmp_path / "new.mp4", facts(footage(tmp_path)), new)
    assert new.chain_pem != old.chain_pem
    assert new.root_pem == old.root_pem
    for name in ("old.mp4", "new.mp4"):
        assert read_manifest(tmp_path / name, new.root_pem).is_trusted


def test_wrong_password_damage_and_expiry_are_refused_in_words(tmp_path: Path) -> None:
    opened(tmp_path / "keys")
    with pytest.raises(InstallationError, match="cannot be opened") as caught:
        open_credentials(tmp_path / "keys", password=b"other", installation_id="house-1", now=NOW)
    assert caught.value.advice
    with pytest.raises(InstallationError, match="expired"):
        opened(tmp_path / "keys", NOW + timedelta(days=13 * 365))
    (tmp_path / "keys" / "chain.pem").write_bytes(b"damaged")
    with pytest.raises(InstallationError, match="cannot be opened"):
        opened(tmp_path / "keys")


def raw(path: Path) -> dict[str, object]:
    """The active manifest as the library reports it."""
    import c2pa  # noqa: PLC0415

    with path.open("rb") as file, c2pa.Reader("video/mp4", file) as reader:
        store = json.loads(reader.json())
    return store["manifests"][store["active_manifest"]]


def manifest_assertion(manifest: dict[str, object], label: str) -> dict[str, object]:
    return next(one["data"] for one in manifest["assertions"] if one["label"] == label)
