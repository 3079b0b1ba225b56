"""Opens the installation for a command, once it is needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from bianlian.config import Settings

if TYPE_CHECKING:
    from bianlian.workflows.house import House


def settings_of(context: click.Context) -> Settings:
    """The settings that the program was started with."""
    settings = context.find_root().obj["settings"]
    if not isinstance(settings, Settings):
        raise TypeError("the command group did not read the settings")
    return settings


def house_of(context: click.Context) -> House:
    """The installation under the chosen home, opened."""
    from bianlian.workflows.house import open_house  # noqa: PLC0415 - models and OpenCV: not for --help

    return open_house(settings_of(context), passphrase=os.environ.get("BIANLIAN_PASSPHRASE", ""))
