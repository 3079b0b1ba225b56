"""Where the program begins: loads the rest, and ends in order when it is stopped while that is still loading."""

from __future__ import annotations

import sys

from bianlian.errors import INTERRUPTED


def main() -> None:
    """Entry point of the `bianlian` program."""
    try:
        from bianlian.cli.main import main as run  # noqa: PLC0415 - a tenth of a second in which Ctrl-C may come

        run()
    except KeyboardInterrupt:
        sys.stderr.write("bianlian: stopped before anything was begun.\n")
        sys.exit(INTERRUPTED)
