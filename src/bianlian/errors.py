"""One tree of errors, split by who can act.

::

    BianlianError            carries `advice` for people and the CLI's `exit_code`
    ├── CallerError          the caller asked for something that makes no sense          exit 2
    ├── MediaError           a file cannot be read, or cannot be treated honestly        exit 3
    │   ├── UnreadableMedia      truncated, corrupt, empty, wrong kind
    │   ├── UnsupportedMedia     readable, but refused: HDR, interlaced, AVI output, …
    │   └── NothingToSwap        no video, no face, no such person
    ├── Refusal              a check said no; every refusal has a `code`                 exit 1
    │   ├── ConsentRefused       receipt, scope, term, revocation, capture
    │   ├── ContentRefused       the content gate
    │   └── MarksRefused         a mark is missing in the finished file
    ├── InstallationError    weights, keys, disk, permissions of this machine            exit 3
    └── InternalError        our fault                                                   exit 3
"""

from __future__ import annotations

from typing import Any

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it (128 + SIGINT)."""


class BianlianError(Exception):
    """A clear sentence for people; `advice` says what to do about it."""

    exit_code = 3

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross processes whole, whatever their constructors ask for."""
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[BianlianError], args: tuple[Any, ...], state: dict[str, Any]) -> BianlianError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class CallerError(BianlianError):
    """The request itself is wrong: an unknown name, a contradictory option."""

    exit_code = 2


class MediaError(BianlianError):
    """A file cannot be used."""


class UnreadableMedia(MediaError):
    """Truncated, corrupt, empty, or not media at all."""


class UnsupportedMedia(MediaError):
    """Readable, but this program will not treat it, and says why."""


class NothingToSwap(MediaError):
    """The file is fine, but holds nothing to work on."""


class Refusal(BianlianError):
    """A check said no. `code` is stable, for the ledger and for scripts."""

    exit_code = 1

    def __init__(self, message: str, *, code: str, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.code = code


class ConsentRefused(Refusal):
    """Consent does not cover this use, or the capture does not prove it."""


class ContentRefused(Refusal):
    """The content gate refused the footage or the result."""


class MarksRefused(Refusal):
    """A mark could not be read back from the finished file, so it is not released."""


class InstallationError(BianlianError):
    """This machine lacks something: weights, a key, space, permission."""


class InternalError(BianlianError):
    """A fault of the program itself."""
