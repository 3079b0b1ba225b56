"""Keys: made once, private, and protected by a passphrase on wish."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bianlian.donors.installation import Installation
from bianlian.errors import InstallationError
from tests.unit.donors.house import NOW


def test_keys_are_made_once_and_private(tmp_path: Path) -> None:
    first = Installation.open(tmp_path, NOW)
    again = Installation.open(tmp_path, NOW)
    assert (first.id, first.wrapping_key) == (again.id, again.wrapping_key)
    path = tmp_path / "keys" / "installation.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["installation.json"]
    assert first.wrapping_key.hex() not in repr(first)


def test_opened_by_many_at_once_there_is_one_installation(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: Installation.open(tmp_path, NOW).id, range(8)))
    assert len(set(found)) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.parametrize("name", ["keys", "keys/installation.json"])
def test_keys_that_others_can_read_are_refused_with_advice(tmp_path: Path, name: str) -> None:
    Installation.open(tmp_path, NOW)
    (tmp_path / name).chmod(0o750)
    with pytest.raises(InstallationError, match="other users") as error:
        Installation.open(tmp_path, NOW)
    assert "chmod" in error.value.advice


def test_a_passphrase_protects_the_file(tmp_path: Path) -> None:
    made = Installation.open(tmp_path, NOW, passphrase="four words are better")
    assert made.wrapping_key.hex() not in (tmp_path / "keys" / "installation.json").read_text()
    assert Installation.open(tmp_path, NOW, passphrase="four words are better").id == made.id
    for wrong in ("", "five words are better"):
        with pytest.raises(InstallationError, match="passphrase"):
            Installation.open(tmp_path, NOW, passphrase=wrong)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"protection": "file-mode", "secret": "00", "salt": "", "nonce": ""}']
)
def test_a_damaged_file_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    Installation.open(tmp_path, NOW)
    (tmp_path / "keys" / "installation.json").write_bytes(content)
    with pytest.raises(InstallationError, match="damaged"):
        Installation.open(tmp_path, NOW)


def test_signatures_serve_one_purpose_and_derived_keys_differ(tmp_path: Path) -> None:
    installation = Installation.open(tmp_path, NOW)
    signature = installation.sign("challenge", b"message")
    assert installation.has_signed("challenge", b"message", signature)
    assert not installation.has_signed("ledger-head", b"message", signature)
    assert installation.derive("vault") != installation.derive("captures")
    assert len(installation.derive("watermark")) == 32
