"""The vault on disk: private files, names that stay inside, keys that die."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from bianlian.donors.files import shred, write_whole
from bianlian.donors.installation import Installation
from bianlian.donors.vault import CHUNK, Vault
from bianlian.errors import CallerError, InstallationError
from tests.unit.donors.house import NOW


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    made = Vault(tmp_path, Installation.open(tmp_path, NOW))
    made.create("d-1")
    return made


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_everything_is_private(vault: Vault, tmp_path: Path) -> None:
    vault.write("d-1", "capture", b"face")
    for path in (tmp_path / "donors").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_file_sealed_for_one_name_or_donor_does_not_open_as_another(vault: Vault, tmp_path: Path) -> None:
    vault.create("d-2")
    vault.write("d-1", "capture", b"face")
    sealed = (tmp_path / "donors" / "d-1" / "capture.sealed").read_bytes()
    for donor, name in (("d-1", "template"), ("d-2", "capture")):
        (tmp_path / "donors" / donor / f"{name}.sealed").write_bytes(sealed)
        with pytest.raises(InstallationError):
            vault.read(donor, name)


def test_chunks_cannot_be_exchanged(vault: Vault, tmp_path: Path) -> None:
    vault.write("d-1", "capture", bytes(3 * CHUNK))
    path = tmp_path / "donors" / "d-1" / "capture.sealed"
    content, size, start = path.read_bytes(), CHUNK + 16, 36
    first, second, last = (
        content[start : start + size],
        content[start + size : start + 2 * size],
        content[start + 2 * size :],
    )
    path.write_bytes(content[:start] + second + first + last)
    with pytest.raises(InstallationError):
        vault.read("d-1", "capture")


def test_an_error_while_writing_keeps_the_old_file(vault: Vault, tmp_path: Path) -> None:
    vault.write("d-1", "capture", b"old")

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("disk on fire")

    with pytest.raises(OSError, match="fire"):
        vault.write("d-1", "capture", Broken())
    assert vault.read("d-1", "capture") == b"old"
    assert vault.list("d-1") == ("capture",)
    assert not list((tmp_path / "donors" / "d-1").glob(".*"))


def test_the_key_of_a_donor_who_comes_back_is_another(vault: Vault, tmp_path: Path) -> None:
    vault.write("d-1", "capture", b"face")
    kept = (tmp_path / "donors" / "d-1" / "capture.sealed").read_bytes()
    secret = vault.secret("d-1", "template")
    vault.erase("d-1")
    vault.erase("d-1")
    vault.create("d-1")
    (tmp_path / "donors" / "d-1" / "capture.sealed").write_bytes(kept)
    with pytest.raises(InstallationError):
        vault.read("d-1", "capture")
    assert vault.secret("d-1", "template") != secret


@pytest.mark.parametrize("name", ["../keys", "", "A", ".hidden", "a/b", "a" * 65])
def test_names_stay_inside(vault: Vault, name: str) -> None:
    with pytest.raises(CallerError):
        vault.write("d-1", name, b"")
    with pytest.raises(CallerError):
        vault.create(name)


def test_what_is_not_there_is_said(vault: Vault) -> None:
    with pytest.raises(CallerError, match="has no capture"):
        vault.read("d-1", "capture")
    with pytest.raises(CallerError, match="withdrawn"):
        vault.write("d-9", "capture", b"")


def test_lent_files_are_gone_afterwards(vault: Vault) -> None:
    vault.write("d-1", "capture", b"face")
    with vault.borrowed("d-1", "capture") as path:
        assert path.read_bytes() == b"face"
    assert not path.exists()


def test_files_are_written_whole_and_shredded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    link = tmp_path / "link"
    link.hardlink_to(path)
    shred(path)
    assert not path.exists()
    assert link.read_bytes() != b"two"
