"""The vault: everything about a donor's face, encrypted at rest.

Each donor has a random data key, wrapped by the installation's key. Each file has its own key, HKDF(data key, random salt,
donor/name), and is sealed in chunks after the STREAM construction (Hoang, Reyhanitabar, Rogaway & Vizar 2015): AES-256-GCM
with the nonce `chunk number || is last`, so chunks can be neither cut, moved nor exchanged. To erase a donor is to destroy the
wrapped key first; what may survive in a disk's old blocks is then noise.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bianlian.donors.files import shred, sync_folder, write_whole
from bianlian.donors.installation import KEY_BYTES, Installation, derive
from bianlian.errors import CallerError, InstallationError

CHUNK = 1 << 20
"""Plain bytes per chunk."""
_TAG = 16
_MAGIC = b"BLV1"
_SALT = 32
_HEADER = len(_MAGIC) + _SALT
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_KEY_FILE = "key"
_SUFFIX = ".sealed"
_ABANDONED_S = 3600.0
_FORGOTTEN_S = 86_400.0


class Vault:
    """The donors' folders under `home/donors`, one per pseudonym."""

    def __init__(self, home: Path, installation: Installation) -> None:
        self._folder, self._scratch = home / "donors", home / "scratch"
        self._wrapping_key = installation.derive("vault")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def create(self, donor_id: str) -> None:
        """Make a donor's folder and data key.

        Raises:
            CallerError: the donor exists already.
        """
        folder = self._folder_of(donor_id)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError as error:
            raise CallerError(f"The donor {donor_id} exists already.") from error
        nonce = os.urandom(12)
        wrapped = AESGCM(self._wrapping_key).encrypt(nonce, os.urandom(KEY_BYTES), donor_id.encode())
        write_whole(folder / _KEY_FILE, nonce + wrapped)

    def donors(self) -> tuple[str, ...]:
        """Pseudonyms of all donors that can be opened."""
        return tuple(sorted(folder.name for folder in self._folder.iterdir() if (folder / _KEY_FILE).is_file()))

    def is_abandoned(self, donor_id: str) -> bool:
        """Whether nothing was written about a donor for an hour, longer than any enrolment lasts."""
        return time.time() - self._folder_of(donor_id).stat().st_mtime > _ABANDONED_S

    def list(self, donor_id: str) -> tuple[str, ...]:
        """Names of a donor's files."""
        return tuple(sorted(path.name.removesuffix(_SUFFIX) for path in self._folder_of(donor_id).glob(f"*{_SUFFIX}")))

    def holds(self, donor_id: str, name: str) -> bool:
        """Whether the donor has a file of this name."""
        return self._path(donor_id, name).is_file()

    def write(self, donor_id: str, name: str, content: bytes | BinaryIO) -> None:
        """Seal a file, replacing one of the same name in one step; a stream is read in chunks, never as a whole."""
        path, salt = self._path(donor_id, name), os.urandom(_SALT)
        cipher = self._cipher(donor_id, name, salt)
        source = io.BytesIO(content) if isinstance(content, bytes) else content
        scratch = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
        try:
            with open(scratch, "xb", opener=_private) as file:
                file.write(_MAGIC + salt)
                file.writelines(_seal(cipher, source))
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)

    def read(self, donor_id: str, name: str) -> bytes:
        """The plain content of a file.

        Raises:
            CallerError: there is no such file.
            InstallationError: the file or its key was changed.
        """
        with self.open(donor_id, name) as file:
            return file.read()

    def open(self, donor_id: str, name: str) -> BinaryIO:
        """A seekable reader of the plain content; only a chunk at a time is in memory. Errors as in `read`."""
        path = self._path(donor_id, name)
        try:
            file = path.open("rb")
        except FileNotFoundError as error:
            raise CallerError(f"The donor {donor_id} has no {name}.") from error
        header = file.read(_HEADER)
        if len(header) != _HEADER or not header.startswith(_MAGIC):
            file.close()
            raise _damaged(path)
        cipher = self._cipher(donor_id, name, header[len(_MAGIC) :])
        return io.BufferedReader(_Unsealed(file, path, cipher), buffer_size=1 << 16)

    @contextmanager
    def borrowed(self, donor_id: str, name: str) -> Generator[Path]:
        """A path to the plain content for programs that want a file; gone when the block ends.

        On Linux it is anonymous memory, which no kill leaves behind; elsewhere a file in `home/scratch` that is
        overwritten at the end, and swept by `sweep` after a crash.
        """
        if hasattr(os, "memfd_create"):
            handle = os.memfd_create("bianlian")
            with os.fdopen(handle, "wb") as memory, self.open(donor_id, name) as source:
                shutil.copyfileobj(source, memory, CHUNK)
                memory.flush()
                yield Path(f"/proc/{os.getpid()}/fd/{handle}")
            return
        self._scratch.mkdir(exist_ok=True, mode=0o700)
        path = self._scratch / os.urandom(8).hex()
        try:
            with open(path, "xb", opener=_private) as plain, self.open(donor_id, name) as source:
                shutil.copyfileobj(source, plain, CHUNK)
            yield path
        finally:
            shred(path)

    def sweep(self) -> None:
        """Remove what a crash left in the scratch folder; a day old, so that no running job loses its file."""
        if self._scratch.is_dir():
            for path in self._scratch.iterdir():
                if time.time() - path.stat().st_mtime > _FORGOTTEN_S:
                    shred(path)

    def erase(self, donor_id: str) -> None:
        """Destroy a donor's key, then all files. Without the key, nothing that a copy holds can be read again."""
        folder = self._folder_of(donor_id)
        if not folder.is_dir():
            return
        shred(folder / _KEY_FILE)
        sync_folder(folder)
        for path in folder.iterdir():
            shred(path)
        shutil.rmtree(
            folder, ignore_errors=True
        )  # a job that was still writing may have left a file sealed with the dead key
        sync_folder(self._folder)

    def secret(self, donor_id: str, purpose: str) -> bytes:
        """32 bytes that die with the donor's key, e.g. to commit to the face template."""
        return derive(self._data_key(donor_id), purpose)

    def _cipher(self, donor_id: str, name: str, salt: bytes) -> AESGCM:
        return AESGCM(derive(self._data_key(donor_id), f"file/{donor_id}/{name}", salt))

    def _data_key(self, donor_id: str) -> bytes:
        path = self._folder_of(donor_id) / _KEY_FILE
        try:
            wrapped = path.read_bytes()
            return AESGCM(self._wrapping_key).decrypt(wrapped[:12], wrapped[12:], donor_id.encode())
        except FileNotFoundError as error:
            raise CallerError(f"There is no donor {donor_id}; perhaps the consent was withdrawn.") from error
        except (InvalidTag, ValueError) as error:
            raise _damaged(path) from error

    def _folder_of(self, donor_id: str) -> Path:
        if not _NAME.fullmatch(donor_id):
            raise CallerError(f"{donor_id!r} is no pseudonym of a donor.")
        return self._folder / donor_id

    def _path(self, donor_id: str, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise CallerError(f"{name!r} is no name for a file in the vault.")
        return self._folder_of(donor_id) / f"{name}{_SUFFIX}"


class _Unsealed(io.RawIOBase):
    """Random access to a sealed file; keeps the last chunk."""

    def __init__(self, file: BinaryIO, path: Path, cipher: AESGCM) -> None:
        super().__init__()
        self._file, self._path, self._cipher = file, path, cipher
        body = file.seek(0, os.SEEK_END) - _HEADER
        self._chunks = max(1, -(-body // (CHUNK + _TAG)))
        self._size = body - self._chunks * _TAG
        self._at, self._number, self._chunk = 0, -1, b""
        if self._size < 0:
            raise _damaged(path)
        # Opening the last chunk shows at once whether the file was cut.
        self._load(self._chunks - 1)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self._at >= self._size:
            return 0
        number, offset = divmod(self._at, CHUNK)
        self._load(number)
        piece = self._chunk[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        self._chunk = b""
        self._file.close()
        super().close()

    def _load(self, number: int) -> None:
        if number == self._number:
            return
        self._file.seek(_HEADER + number * (CHUNK + _TAG))
        sealed = self._file.read(CHUNK + _TAG)
        try:
            self._chunk = self._cipher.decrypt(_nonce(number, is_last=number == self._chunks - 1), sealed, None)
        except InvalidTag as error:
            raise _damaged(self._path) from error
        self._number = number


def _seal(cipher: AESGCM, source: BinaryIO) -> Iterable[bytes]:
    number, chunk = 0, _whole_chunk(source)
    while True:
        following = _whole_chunk(source)
        yield cipher.encrypt(_nonce(number, is_last=not following), chunk, None)
        if not following:
            return
        number, chunk = number + 1, following


def _whole_chunk(source: BinaryIO) -> bytes:
    """Exactly CHUNK bytes unless the source ends: an unbuffered source may give fewer at a time."""
    parts, left = list[bytes](), CHUNK
    while left and (part := source.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11) + bytes([is_last])


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _damaged(path: Path) -> InstallationError:
    return InstallationError(
        f"{path.name} of donor {path.parent.name} was changed or damaged.",
        advice="Restore the data folder from your backup, or enrol the donor again.",
    )
