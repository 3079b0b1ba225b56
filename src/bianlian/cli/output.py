"""What people see: progress and sentences on stderr, results on stdout, errors with advice and an exit code."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from bianlian.errors import BianlianError
from bianlian.records.progress import Progress as Step

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it (128 + SIGINT)."""


class ConsoleReporter:
    """Draws progress: a live bar with rate and time left on a terminal, one line a stage elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            SpinnerColumn(), TextColumn("{task.description:<10}"), BarColumn(bar_width=28),
            TextColumn("{task.completed:.0f}/{task.fields[total_text]} {task.fields[unit]}"),
            TextColumn("{task.fields[rate]}"), TimeRemainingColumn(compact=True), console=console, transient=True,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {}
        self._begun: dict[str, float] = {}
        self._done: dict[str, int] = {}

    def __enter__(self) -> ConsoleReporter:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._close_stages()
        self._bar.stop()

    def progress(self, progress: Step) -> None:
        if progress.stage not in self._tasks:
            self._close_stages()
            self._begun[progress.stage] = time.monotonic()
            self._tasks[progress.stage] = self._bar.add_task(
                progress.stage, total=progress.total or None, unit=progress.unit, rate="", total_text="?"
            )
        self._done[progress.stage] = progress.done
        self._bar.update(
            self._tasks[progress.stage], completed=progress.done, total=progress.total or None,
            total_text=str(progress.total or "?"), rate=self._rate(progress.stage, progress.unit),
        )  # fmt: skip

    def say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, soft_wrap=True)

    def _rate(self, stage: str, unit: str) -> str:
        seconds = time.monotonic() - self._begun[stage]
        return (
            f"{self._done[stage] / seconds:.1f} {'fps' if unit == 'frames' else unit + '/s'}" if seconds > 0.5 else ""
        )

    def _close_stages(self) -> None:
        for stage, task in self._tasks.items():
            seconds = time.monotonic() - self._begun[stage]
            unit = self._bar.tasks[self._bar.task_ids.index(task)].fields["unit"]
            self.say(f"  {stage}: {self._done[stage]} {unit} in {seconds:.1f} s")
            self._bar.remove_task(task)
        self._tasks.clear()


@contextmanager
def reporting(*, quiet: bool) -> Generator[ConsoleReporter]:
    """A reporter on stderr; with `quiet` it draws nothing."""
    with ConsoleReporter(Console(stderr=True, quiet=quiet)) as reporter:
        yield reporter


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """A table on stdout."""
    table = Table(*columns, title=title or None, title_justify="left")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def print_facts(facts: Mapping[str, str]) -> None:
    """Names and values, one a line, on stdout."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {value}")


def explain(error: BianlianError) -> None:
    """What happened, and what to do, on stderr."""
    click.echo(f"bianlian: {error}", err=True)
    if error.advice:
        click.echo(f"  {error.advice}", err=True)


def fail(error: BaseException, *, verbose: bool) -> NoReturn:
    """End the program as the error asks for."""
    if verbose:
        traceback.print_exception(error)
    if isinstance(error, BianlianError):
        explain(error)
        sys.exit(error.exit_code)
    if isinstance(error, KeyboardInterrupt):
        click.echo("bianlian: stopped. Finished chunks are kept; the same command with --resume goes on.", err=True)
        sys.exit(INTERRUPTED)
    click.echo(f"bianlian: a fault of the program: {type(error).__name__}: {error}", err=True)
    click.echo("  Run it again with --verbose and report what it prints.", err=True)
    sys.exit(BianlianError.exit_code)
