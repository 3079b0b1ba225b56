"""A signing key that lives elsewhere (a token, an HSM, a signing service): a program of the user's signs each manifest.

The TOML file that `--signer` names::

    command = ["pkcs11-sign", "--slot", "1"]   # message on stdin, ECDSA P-256 signature as raw r || s (64 bytes) on stdout
    chain = "chain.pem"                        # leaf first, then issuing certificates
    root = "root.pem"                          # what `verify` here trusts it under
"""

from __future__ import annotations

import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from bianlian.errors import CallerError, InstallationError

ANSWER_SECONDS = 60
"""A token may ask for a PIN or a touch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalSigner:
    """Implements `certificates.ManifestSigner` by a program."""

    command: tuple[str, ...]
    chain_pem: bytes
    root_pem: bytes

    def sign(self, message: bytes) -> bytes:
        """Have the program sign.

        Raises:
            InstallationError: it failed, did not answer, or gave something else than 64 bytes.
        """
        try:
            answer = subprocess.run(
                self.command, input=message, capture_output=True, timeout=ANSWER_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _unable(f"{error}") from error
        if answer.returncode or len(answer.stdout) != 64:
            complaint = answer.stderr.decode(errors="replace").strip()[-200:]
            raise _unable(complaint or f"exit code {answer.returncode}, {len(answer.stdout)} bytes")
        return answer.stdout


def read_signer(path: Path) -> ExternalSigner:
    """Read a signer file; names in it are relative to its folder.

    Raises:
        CallerError: it is not there, not TOML, or a key is missing.
    """
    try:
        body = tomllib.loads(path.read_text(encoding="utf-8"))
        command = tuple(str(part) for part in body["command"])
        chain, root = ((path.parent / str(body[key])).read_bytes() for key in ("chain", "root"))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise CallerError(
            f"The signer file {path} cannot be used: {error}.",
            advice="It needs command, chain and root: see docs/marks.md.",
        ) from error
    if not command:
        raise CallerError(f"The signer file {path} names no command.", advice="It needs command, chain and root.")
    return ExternalSigner(command=command, chain_pem=chain, root_pem=root)


def _unable(why: str) -> InstallationError:
    return InstallationError(
        f"The external signer could not sign: {why}.", advice="Run its command by hand to see why."
    )
