"""Replaying every run as it goes: what does not replay now would not after a crash either."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from continuum.engine.ids import RunId
from continuum.journal.memory.journal import MemoryJournal
from continuum.testing.histories import taken_from
from continuum.testing.loaded_code import LoadedCode
from continuum.testing.replays import difference, replay


class Mismatch(NamedTuple):
    """A run whose code does not do again what it did."""

    run_id: str
    workflow: str
    problem: str


class Paranoia:
    """Replays runs after each of their writes, and keeps what it finds until it is told."""

    def __init__(self, journal: MemoryJournal, loaded: LoadedCode) -> None:
        self._journal = journal
        self._loaded = loaded
        self._found: dict[str, Mismatch] = {}
        self._told = False

    async def check(self, run_ids: Sequence[RunId]) -> None:
        """Replay these runs from what is in the journal now."""
        for run_id in run_ids:
            history = await taken_from(self._journal, run_id)
            if history is None or run_id in self._found or not self._loaded.has(history.beginning.workflow):
                continue
            if history.ending.state == "blocked":
                continue  # the engine itself has found it
            start = history.beginning
            workflow = self._loaded.code.workflow_for(start.workflow, start.version)
            problem = difference(workflow, history, replay(workflow, history))
            if problem is not None:
                self._found[run_id] = Mismatch(run_id, start.workflow, problem)

    def tell(self) -> None:
        """Fail with what was found, the first time it is asked for."""
        if self._found and not self._told:
            self._told = True
            found = "; ".join(
                f"run {one.run_id} of {one.workflow} after one of its writes: {one.problem}"
                for one in self._found.values()
            )
            raise AssertionError(f"not the same when replayed: {found}")
