"""What people see: progress and sentences on stderr, results on stdout, errors with advice and an exit code."""

from __future__ import annotations

import json
import signal
import sys
import time
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from bianlian.errors import INTERRUPTED, BianlianError
from bianlian.records.progress import Progress as Step

_GO_ON = "Finished chunks of a swap are kept; the same command with --resume goes on."


class ConsoleReporter:
    """Draws progress: a live bar with rate and time left on a terminal, one line a finished stage everywhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = _bar(console) if console.is_terminal else None
        self._last: Step | None = None
        self._begun = 0.0
        self._task: TaskID | None = None

    def __enter__(self) -> ConsoleReporter:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._close_stage()
        if self._bar:
            self._bar.stop()

    def progress(self, progress: Step) -> None:
        if self._last is None or self._last.stage != progress.stage:
            self._close_stage()
            self._begun = time.monotonic()
            if self._bar:
                self._task = self._bar.add_task(progress.stage, total=None, unit=progress.unit, rate="", total_text="?")
        self._last = progress
        if self._bar and self._task is not None:
            self._bar.update(
                self._task, completed=progress.done, total=progress.total or None,
                total_text=str(progress.total or "?"), rate=self._rate(progress),
            )  # fmt: skip

    def say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, soft_wrap=True)

    def _rate(self, progress: Step) -> str:
        seconds = time.monotonic() - self._begun
        unit = "fps" if progress.unit == "frames" else f"{progress.unit}/s"
        return f"{progress.done / seconds:.1f} {unit}" if seconds > 0.5 else ""

    def _close_stage(self) -> None:
        if self._last is None:
            return
        seconds = time.monotonic() - self._begun
        unit = self._last.unit.removesuffix("s") if self._last.done == 1 else self._last.unit
        self.say(f"  {self._last.stage}: {self._last.done} {unit} in {seconds:.1f} s")
        if self._bar and self._task is not None:
            self._bar.remove_task(self._task)
        self._last = self._task = None


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description:<10}"), BarColumn(bar_width=28),
        TextColumn("{task.completed:.0f}/{task.fields[total_text]} {task.fields[unit]}"),
        TextColumn("{task.fields[rate]}"), TimeRemainingColumn(compact=True), console=console, transient=True,
    )  # fmt: skip


def end_on_signals() -> Callable[[], bool]:
    """Let SIGTERM end the program in order, as Ctrl-C does, and with the exit code that shells expect.

    Returns:
        Says whether Ctrl-C came: libraries that are just being loaded turn it into errors of their own.
    """
    came: list[int] = []

    def stop(number: int, _frame: object) -> NoReturn:
        click.echo(f"bianlian: told to stop. {_GO_ON}", err=True)
        sys.exit(128 + number)

    def interrupt(number: int, _frame: object) -> NoReturn:
        came.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, interrupt)
    return lambda: bool(came)


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


def in_words(value: Any) -> str:
    """A value of a JSON document on one line."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {in_words(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(in_words, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


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
        click.echo(f"bianlian: stopped. {_GO_ON}", err=True)
        sys.exit(INTERRUPTED)
    click.echo(f"bianlian: a fault of the program: {type(error).__name__}: {error}", err=True)
    click.echo("  Run it again with --verbose and report what it prints.", err=True)
    sys.exit(BianlianError.exit_code)
