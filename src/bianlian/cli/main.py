"""The command line: parse, call one workflow, present. Names and meanings are a contract (README)."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import click

from bianlian.cli import donor, media, output, system
from bianlian.config import settings_from


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    help="Keys, donors and ledger. [env: BIANLIAN_HOME]",
)
@click.option(
    "--signer",
    type=click.Path(path_type=Path, dir_okay=False),
    help="External signing key (TOML). [env: BIANLIAN_SIGNER]",
)
@click.option("-v", "--verbose", is_flag=True, help="Show where in the program an error arose.")
@click.version_option(package_name="bianlian")
@click.pass_context
def cli(context: click.Context, home: Path | None, signer: Path | None, verbose: bool) -> None:
    """Replace a person's face in footage with the face of a consenting donor, marked and checkable.

    Exit codes: 0 done; 1 a check said no; 2 nothing to decide, or wrong use; 3 a fault of media or installation.
    """
    context.ensure_object(dict)["verbose"] = verbose
    context.obj["settings"] = settings_from(os.environ, home=home, signer=signer)


for command in (*donor.COMMANDS, *media.COMMANDS, *system.COMMANDS):
    cli.add_command(command)


def calm_algebra() -> None:
    """Let NumPy's linear algebra (OpenBLAS) run in the thread that asks for it; must come before NumPy is loaded.

    Its own threads wait for work by spinning: a composed frame took 42 ms of core time with them and 18 ms without. Who has set
    OPENBLAS_NUM_THREADS is obeyed.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def share_one_heap() -> None:
    """Let all threads share two heaps (glibc only; elsewhere nothing happens).

    By default glibc gives each thread heaps of its own and keeps what was freed in them: after 2,000 frames of 720p the
    program held 696 MiB, with two heaps 644 MiB at the same speed. Must come before the libraries start their threads.
    """
    arena_max = -8  # M_ARENA_MAX in malloc.h
    try:
        ctypes.CDLL(None).mallopt(arena_max, 2)
    except (OSError, AttributeError, TypeError):
        return


def main() -> None:
    """Run the command that was asked for; `cli/start.py` calls this."""
    calm_algebra()
    share_one_heap()
    was_interrupted = output.end_on_signals()
    try:
        sys.exit(cli(standalone_mode=False, obj={}) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        output.fail(KeyboardInterrupt(), verbose=False)
    except Exception as error:  # noqa: BLE001 - the program's outermost boundary
        if was_interrupted():
            output.fail(KeyboardInterrupt(), verbose=False)
        output.fail(error, verbose="-v" in sys.argv[1:3] or "--verbose" in sys.argv)
