"""Manifests on files made by the test: whole, tampered, by an external key, without a name or a picture in them."""

import stat
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from bianlian.errors import InternalError
from bianlian.marking.certificates import open_credentials, rotate
from bianlian.marking.external import read_signer
from bianlian.marking.manifest import ConsentFacts, ManifestFacts, ManifestState, SourceType, read_manifest, seal
from bianlian.records.face import Box
from tests.media_factory import Recipe, make_clip

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PASSWORD = b"p" * 64


@pytest.fixture
def credentials(tmp_path):
    return open_credentials(tmp_path / "keys", password=PASSWORD, installation_id="0123456789abcdef", now=NOW)


@pytest.fixture
def draft(tmp_path):
    return make_clip(tmp_path / "draft.mp4", Recipe(stamps=tuple(range(0, 6 * 512, 512))))


def facts_of(source, **changes):
    consent = ConsentFacts(
        receipt_id="r-0011223344556677", receipt_sha256="c" * 64, purpose="film", expires=NOW + timedelta(days=90),
        status_index=4711, appearance_sha256="d" * 64,
    )  # fmt: skip
    facts = ManifestFacts(
        job_id="a" * 32, receipts_sha256="b" * 64, consents=(consent,), source=source, source_sha256="e" * 64,
        regions=(Box(left=8, top=4, right=40, bottom=44),), size=(48, 64), source_type=SourceType.TRAINED,
        engine="standard", version="0.1.0", when=NOW, is_image=False,
    )  # fmt: skip
    return replace(facts, **changes)


def test_a_sealed_clip_is_valid_and_trusted_and_says_what_was_done(tmp_path, draft, credentials):
    sealed = tmp_path / "sealed.mp4"
    seal(draft, sealed, facts_of(draft), credentials)
    reading = read_manifest(sealed, credentials.root_pem)
    assert (reading.state, reading.is_trusted, reading.failures) == (ManifestState.VALID, True, ())
    assert (reading.job_id, reading.watermark_id) == ("a" * 32, "a" * 32)
    assert reading.receipt_ids == ("r-0011223344556677",)
    assert reading.source_type == SourceType.TRAINED.value
    assert read_manifest(sealed, b"").is_trusted is False
    assert read_manifest(draft, credentials.root_pem).state is ManifestState.ABSENT


def test_a_manifest_holds_no_file_name_and_no_picture(tmp_path, credentials):
    source = make_clip(tmp_path / "Anna Petrova interview.mp4", Recipe(stamps=tuple(range(0, 6 * 512, 512))))
    sealed = tmp_path / "sealed.mp4"
    seal(source, sealed, facts_of(source), credentials)
    added = sealed.read_bytes()
    assert b"Petrova" not in added
    assert b"c2pa.thumbnail" not in added
    assert b"\xff\xd8\xff" not in added


@pytest.mark.parametrize("where", ["mdat", "jumb", "moov"])
def test_one_bit_anywhere_breaks_it(tmp_path, draft, credentials, where):
    sealed = tmp_path / "sealed.mp4"
    seal(draft, sealed, facts_of(draft), credentials)
    data = bytearray(sealed.read_bytes())
    at = {"mdat": data.find(b"mdat") + 40, "jumb": data.find(b"c2pa.actions") + 400, "moov": data.find(b"mvhd") + 20}[
        where
    ]
    data[at] ^= 1
    sealed.write_bytes(data)
    assert read_manifest(sealed, credentials.root_pem).state is ManifestState.BROKEN


@pytest.mark.parametrize("suffix", [".mkv", ".gif", ".png"])
def test_footage_of_any_kind_can_be_the_parent(tmp_path, draft, credentials, suffix):
    source = tmp_path / f"source{suffix}"
    if suffix == ".png":
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(source)
    else:
        source.write_bytes(b"not looked into")
    sealed = tmp_path / "sealed.mp4"
    if suffix == ".gif":
        with pytest.raises(InternalError):  # a format that the library reads must be readable
            seal(draft, sealed, facts_of(source), credentials)
        assert not sealed.exists()
        return
    seal(draft, sealed, facts_of(source), credentials)
    assert read_manifest(sealed, credentials.root_pem).is_trusted


def test_an_earlier_manifest_stays_as_ingredient(tmp_path, draft, credentials):
    first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
    seal(draft, first, facts_of(draft), credentials)
    seal(draft, second, facts_of(first, job_id="f" * 32), credentials)
    assert second.stat().st_size > first.stat().st_size + 4000
    assert read_manifest(second, credentials.root_pem).job_id == "f" * 32


def test_a_new_leaf_leaves_old_manifests_trusted(tmp_path, draft, credentials):
    old, new = tmp_path / "old.mp4", tmp_path / "new.mp4"
    seal(draft, old, facts_of(draft), credentials)
    rotate(tmp_path / "keys", password=PASSWORD, installation_id="0123456789abcdef", now=NOW)
    later = open_credentials(tmp_path / "keys", password=PASSWORD, installation_id="0123456789abcdef", now=NOW)
    assert later.chain_pem != credentials.chain_pem
    seal(draft, new, facts_of(draft), later)
    assert all(read_manifest(path, later.root_pem).is_trusted for path in (old, new))


def test_private_keys_are_sealed_and_for_the_owner_alone(tmp_path, credentials):
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in (tmp_path / "keys" / "leaf.key").read_bytes()
    assert credentials.expires > NOW + timedelta(days=3650)


def test_an_external_program_can_hold_the_key(tmp_path, draft, credentials):
    (tmp_path / "chain.pem").write_bytes(credentials.chain_pem)
    (tmp_path / "root.pem").write_bytes(credentials.root_pem)
    script = tmp_path / "hardware_key.py"
    script.write_text(
        "import sys, datetime, pathlib\n"
        "from bianlian.marking.certificates import open_credentials\n"
        f"keys = open_credentials(pathlib.Path({str(tmp_path / 'keys')!r}), password={PASSWORD!r}, installation_id='x',\n"
        "                        now=datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC))\n"
        "sys.stdout.buffer.write(keys.sign(sys.stdin.buffer.read()))\n"
    )
    config = tmp_path / "signer.toml"
    config.write_text(f'command = ["{sys.executable}", "{script}"]\nchain = "chain.pem"\nroot = "root.pem"\n')
    signer = read_signer(config)
    sealed = tmp_path / "sealed.mp4"
    seal(draft, sealed, facts_of(draft), signer)
    assert read_manifest(sealed, signer.root_pem).is_trusted
    script.write_text("import sys; sys.exit('no token')")
    with pytest.raises(InternalError):
        seal(draft, tmp_path / "never.mp4", facts_of(draft), signer)
    assert not (tmp_path / "never.mp4").exists()
    assert sorted(path.name for path in tmp_path.glob(".part*")) == []
