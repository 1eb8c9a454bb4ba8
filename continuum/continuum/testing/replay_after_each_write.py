"""The paranoid mode of environments: replay every run after each of its writes.

A run that does not replay now would not replay after a crash either.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from continuum.engine.ids import RunId
from continuum.journal.memory.journal import MemoryJournal
from continuum.replays.histories import read_history
from continuum.replays.replay import difference
from continuum.testing.loaded_code import LoadedCode
from continuum.testing.replays import replay

VARIABLE = "CONTINUUM_PARANOID"

_turned_on = 0


def turn_on() -> None:
    """Make environments paranoid by default, until `turn_off` is called as often."""
    global _turned_on
    _turned_on += 1


def turn_off() -> None:
    """Undo one `turn_on`."""
    global _turned_on
    _turned_on -= 1


def paranoid_by_default() -> bool:
    """Return the default of `paranoid=` when a test does not set it."""
    return _turned_on > 0 or os.environ.get(VARIABLE, "").lower() in ("1", "true", "yes")


class Mismatch(NamedTuple):
    """A run whose code does not repeat what its history holds."""

    run_id: str
    workflow: str
    problem: str


class ReplayAfterEachWrite:
    """Replays runs after each of their writes, and keeps the mismatches until they are reported."""

    def __init__(self, journal: MemoryJournal, loaded: LoadedCode) -> None:
        self._journal = journal
        self._loaded = loaded
        self._found: dict[str, Mismatch] = {}
        self._reported = False

    async def check(self, run_ids: Sequence[RunId]) -> None:
        """Replay these runs from what is in the journal now."""
        for run_id in run_ids:
            history = await read_history(self._journal, run_id)
            if history is None or run_id in self._found or not self._loaded.has(history.beginning.workflow):
                continue
            if history.ending.state == "blocked":
                continue  # the engine itself has found the mismatch
            start = history.beginning
            workflow = self._loaded.code.workflow_for(start.workflow, start.version)
            problem = difference(workflow, history, replay(workflow, history))
            if problem is not None:
                self._found[run_id] = Mismatch(run_id, start.workflow, problem)

    def report(self) -> None:
        """Raise `AssertionError` with the mismatches that were found; the first call alone."""
        if self._found and not self._reported:
            self._reported = True
            found = "; ".join(
                f"run {one.run_id} of {one.workflow} after one of its writes: {one.problem}"
                for one in self._found.values()
            )
            raise AssertionError(f"not the same when replayed: {found}")
