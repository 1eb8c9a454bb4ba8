"""Checks in the background: one at a time, each in a process of its own, and what they say as events."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from continuum.development.check_records import CheckedModules, CheckedOpenRuns
from continuum.development.checker import CheckEnded, Checker


@dataclass(frozen=True, slots=True)
class Saved:
    """These files were saved."""

    files: Sequence[str]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of the modules says, or how it has ended without an answer."""

    checker: Checker
    answer: CheckedModules | CheckEnded


@dataclass(frozen=True, slots=True)
class RunsChecked:
    """What a check of the open runs says, or how it has ended without an answer."""

    checker: Checker
    answer: CheckedOpenRuns | CheckEnded


T = TypeVar("T")
Event: TypeAlias = Saved | Checked | RunsChecked


class Checks:
    """The latest check; an earlier one is stopped, and what it still says is not `current`."""

    def __init__(self, modules: Sequence[str], events: queue.Queue[Event]) -> None:
        self._modules = modules
        self._events = events
        self._current: Checker | None = None
        self._ahead: Checker | None = Checker()

    def begin(self) -> None:
        """Check the modules as they are on disk now."""
        self._stop_current()
        checker, self._ahead = self._ahead or Checker(), None
        self._current = checker
        self._ask(lambda: self._events.put(Checked(checker, _answer(lambda: checker.modules(self._modules)))))

    def ask_for_open_runs(self, dsn: str, schema: str) -> None:
        """Have the process that has imported the modules look at the open runs of a database."""
        checker = self._current
        assert checker is not None
        self._ask(
            lambda: self._events.put(RunsChecked(checker, _answer(lambda: checker.open_runs(dsn, schema))))
        )

    def prepare(self) -> None:
        """Start the process of the next check, which then has only to import the modules."""
        if self._ahead is None:
            self._ahead = Checker()

    def is_current(self, checker: Checker) -> bool:
        """Whether no other check has begun since."""
        return checker is self._current

    def close(self) -> None:
        """End all processes."""
        self._stop_current()
        if self._ahead is not None:
            self._ahead.stop()

    def _stop_current(self) -> None:
        if self._current is not None:
            self._current.stop()
            self._current = None

    def _ask(self, ask: Callable[[], None]) -> None:
        threading.Thread(target=ask, name="continuum check", daemon=True).start()


def _answer(ask: Callable[[], T]) -> T | CheckEnded:
    try:
        return ask()
    except CheckEnded as ended:
        return ended
