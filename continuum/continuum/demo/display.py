"""The output of the demo: a progress bar on a terminal, plain lines anywhere else, a table at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from continuum.demo.audit import Report

# Often enough to show that the demo still runs, rarely enough to read.
LINE_EVERY_SECONDS = 1.0
PROBLEMS_SHOWN = 10


class Display(Protocol):
    """Where the demo reports its progress."""

    def say(self, text: str) -> None:
        """Print one step."""

    def progress(self, started: int, ended: int) -> None:
        """Show how many orders have started and how many have ended."""


class _Bar:
    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("orders", total=total, visible=False, started=0)

    def say(self, text: str) -> None:
        self._progress.console.print(Text(text))

    def progress(self, started: int, ended: int) -> None:
        self._progress.update(self._task, completed=ended, started=started, visible=True)


class _Lines:
    def __init__(self, console: Console, total: int, clock: Callable[[], float]) -> None:
        self._console = console
        self._total = total
        self._clock = clock
        self._next = 0.0

    def say(self, text: str) -> None:
        _line(self._console, text)

    def progress(self, started: int, ended: int) -> None:
        now = self._clock()
        if now >= self._next or ended == self._total:
            self._next = now + LINE_EVERY_SECONDS
            _line(self._console, f"orders: {started} started, {ended} of {self._total} ended")


def _line(console: Console, text: str) -> None:
    console.print(Text(text), soft_wrap=True)
    console.file.flush()


@contextmanager
def display(console: Console, total: int, clock: Callable[[], float] = time.monotonic) -> Iterator[Display]:
    """Show progress until the end of the block."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(console, total, clock)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("ended, {task.fields[started]} started"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield _Bar(progress, total)


def show_report(console: Console, report: Report) -> None:
    """Print the figures, then the problems if there are any."""
    if console.is_terminal:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column()
        table.add_column(justify="right", style="bold")
        for name, value in _rows(report):
            table.add_row(Text(name), Text(value))
        console.print(table)
    else:
        for name, value in _rows(report):
            _line(console, f"{name:<40}{value:>10}")
    for problem in report.problems[:PROBLEMS_SHOWN]:
        _line(console, f"WRONG: {problem}")
    if len(report.problems) > PROBLEMS_SHOWN:
        _line(console, f"WRONG: and {len(report.problems) - PROBLEMS_SHOWN} more")


def _rows(report: Report) -> list[tuple[str, str]]:
    rows = [(f"runs {state}", str(count)) for state, count in sorted(report.states.items())]
    waited = report.seconds_to_progress
    return [
        *rows,
        ("of these rejected and refunded", str(report.refunded)),
        ("activities executed", str(report.executed)),
        ("activities executed more than once", str(report.executed_again)),
        ("activity results journaled", str(report.journaled)),
        ("journal duplicates", str(report.journal_duplicates)),
        ("runs owned by the killed run host", str(report.interrupted)),
        ("time from kill to first progress", "-" if waited is None else f"{waited * 1000:.0f} ms"),
    ]
