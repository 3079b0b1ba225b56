"""Settings: one frozen record, read once at the edge (environment, then flags) and handed down in parts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bianlian.errors import CallerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where things live on this machine and how much of it may be used."""

    home: Path
    """Keys, donors, ledger, tracks. `BIANLIAN_HOME`, else the platform's data folder."""
    weights: Path
    """Model files, shared by all homes. `BIANLIAN_WEIGHTS`, else the platform's cache folder."""
    signer: Path | None = None
    """TOML file of an external signing key. `BIANLIAN_SIGNER`, else the installation's own credentials sign."""
    workers: int
    """Processes that render chunks side by side. `BIANLIAN_WORKERS`, else the number of usable cores."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")


def settings_from(environment: Mapping[str, str], *, home: Path | None = None, signer: Path | None = None) -> Settings:
    """Read the settings; `home` and `signer` are flags and win over the environment.

    Raises:
        CallerError: when a value in the environment makes no sense.
    """
    user = Path(environment.get("HOME") or environment.get("USERPROFILE") or ".")
    data = Path(environment.get("XDG_DATA_HOME") or environment.get("LOCALAPPDATA") or user / ".local" / "share")
    cache = Path(environment.get("XDG_CACHE_HOME") or environment.get("LOCALAPPDATA") or user / ".cache")
    named = environment.get("BIANLIAN_HOME")
    weights = environment.get("BIANLIAN_WEIGHTS")
    named_signer = environment.get("BIANLIAN_SIGNER")
    return Settings(
        home=home or (Path(named) if named else data / "bianlian"),
        weights=Path(weights) if weights else cache / "bianlian" / "weights",
        signer=signer or (Path(named_signer) if named_signer else None),
        workers=_workers(environment.get("BIANLIAN_WORKERS", "")),
    )


def _workers(text: str) -> int:
    if not text:
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, usable)
    if not text.isdigit() or int(text) < 1:
        raise CallerError(f"BIANLIAN_WORKERS is {text!r}, which is not a number of processes.", advice="Use 1, 2, 3, …")
    return int(text)
