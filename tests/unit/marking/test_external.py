"""A signing key that lives in another program: it signs, or nothing is sealed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bianlian.errors import CallerError, InstallationError
from bianlian.marking.external import ExternalSigner, read_signer
from bianlian.marking.manifest.reading import read_manifest
from bianlian.marking.manifest.seal import seal
from tests.unit.marking.test_manifest import NOW, facts, footage, opened


@pytest.fixture
def signer(tmp_path: Path) -> ExternalSigner:
    """A program that holds the keys under `keys`."""
    credentials = opened(tmp_path / "keys")
    (tmp_path / "chain.pem").write_bytes(credentials.chain_pem)
    (tmp_path / "root.pem").write_bytes(credentials.root_pem)
    (tmp_path / "hardware_key.py").write_text(
        "import sys, datetime, pathlib\n"
        "from bianlian.marking.certificates import open_credentials\n"
        f"keys = open_credentials(pathlib.Path({str(tmp_path / 'keys')!r}), password=b'secret', installation_id='x',\n"
        f"                        now=datetime.datetime.fromisoformat({NOW.isoformat()!r}))\n"
        "sys.stdout.buffer.write(keys.sign(sys.stdin.buffer.read()))\n"
    )
    file = tmp_path / "signer.toml"
    file.write_text(
        f'command = ["{sys.executable}", "{tmp_path / "hardware_key.py"}"]\nchain = "chain.pem"\nroot = "root.pem"\n'
    )
    return read_signer(file)


def test_an_external_program_can_hold_the_key(tmp_path: Path, signer: ExternalSigner) -> None:
    source = footage(tmp_path)
    seal(source, tmp_path / "sealed.mp4", facts(source), signer)
    assert read_manifest(tmp_path / "sealed.mp4", signer.root_pem).is_trusted


@pytest.mark.parametrize("program", ["import sys; sys.exit('no token')", "print('not a signature')"])
def test_a_program_that_cannot_sign_seals_nothing(tmp_path: Path, signer: ExternalSigner, program: str) -> None:
    (tmp_path / "hardware_key.py").write_text(program)
    with pytest.raises(InstallationError):
        signer.sign(b"message")
    source = footage(tmp_path)
    with pytest.raises(InstallationError):
        seal(source, tmp_path / "never.mp4", facts(source), signer)
    assert not (tmp_path / "never.mp4").exists()
    assert not list(tmp_path.glob(".part*"))


@pytest.mark.parametrize("text", ["", "command = []", 'command = ["x"]\nchain = "none.pem"\nroot = "none.pem"'])
def test_a_signer_file_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    (tmp_path / "signer.toml").write_text(text)
    with pytest.raises(CallerError) as caught:
        read_signer(tmp_path / "signer.toml")
    assert caught.value.advice
