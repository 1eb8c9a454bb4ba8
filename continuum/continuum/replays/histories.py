"""A run's history outside of its journal: events for people, and everything that a replay needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from continuum.client import Event
from continuum.client.histories import history_of
from continuum.engine import events as engine
from continuum.engine.ids import RunId
from continuum.journal.facts import Query, RunRow
from continuum.journal.port import Histories, Runs
from continuum.public_names import KIT, public_in


class StoredRuns(Runs, Histories, Protocol):
    """Runs and their histories."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """The facts of a run's start. `version` is the hash of its code's content, times are microseconds."""

    run_id: str
    workflow: str
    input: bytes
    version: str | None
    namespace: str
    started_at: int
    parent: str | None = None
    depth: int = 0
    trace_context: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """The state of a run when its history was read, and the payload of that state."""

    state: str
    result: bytes | None = None
    error: bytes | None = None
    continued_to: str | None = None


@public_in(KIT)
class History(list[Event]):
    """A list of `continuum.Event`, with the stored facts behind it.

    `stored` are the events as the engine reads them, `beginning` and `ending` the rest of the run.
    """

    def __init__(self, stored: Sequence[engine.Event], beginning: Beginning, ending: Ending) -> None:
        super().__init__(history_of(stored))
        self.stored: tuple[engine.Event, ...] = tuple(stored)
        self.beginning = beginning
        self.ending = ending

    def __repr__(self) -> str:
        start = self.beginning
        return (
            f"<history of {len(self)} events of run {start.run_id} of {start.workflow}, {self.ending.state}>"
        )

    @property
    def complete(self) -> bool:
        """Whether the run ended with its last event."""
        return self.ending.state in ("completed", "failed", "cancelled")


async def read_history(journal: StoredRuns, run_id: RunId) -> History | None:
    """Return the history of a run as it is in a journal now; None if there is no such run.

    A run may end between the reads of its row and of its events. Then both are read again, so that the
    state is that of the events.
    """
    row = await journal.get_run(run_id)
    while row is not None:
        events = (await journal.load([run_id]))[run_id]
        later = await journal.get_run(run_id)
        if later is not None and later.state.terminal == row.state.terminal:
            return History(events, _beginning(row, await _depth(journal, row)), ending_of(row))
        row = later
    return None


async def read_histories(journal: StoredRuns, run_ids: Sequence[RunId]) -> list[History]:
    """Return the histories of runs, in order, with few statements for all; of those that are there."""
    rows = {row.id: row for row in await journal.query(_query_for(run_ids))}
    events = await journal.load(list(rows))
    was_open = [row.id for row in rows.values() if not row.state.terminal]
    ended = {run.id for run in await journal.ended(was_open)} if was_open else set()
    found: list[History] = []
    for row in (rows[run_id] for run_id in run_ids if run_id in rows):
        history = (
            await read_history(journal, row.id)
            if row.id in ended
            else History(events[row.id], _beginning(row, await _depth(journal, row)), ending_of(row))
        )
        if history is not None:
            found.append(history)
    return found


def _query_for(run_ids: Sequence[RunId]) -> Query:
    return Query(None, [("id", "in", list(run_ids))], ("started_at", True), len(run_ids), None)


async def _depth(journal: Runs, row: RunRow) -> int:
    """Return how many ancestors a run has."""
    depth, above = 0, row
    while above.parent is not None and (parent := await journal.get_run(above.parent)) is not None:
        depth, above = depth + 1, parent
    return depth


def ending_of(row: RunRow) -> Ending:
    """Return the state of a run and its payload."""
    return Ending(row.state.name.lower(), row.result, row.error, row.continued_to)


def _beginning(row: RunRow, depth: int) -> Beginning:
    return Beginning(
        run_id=row.id,
        workflow=row.workflow,
        input=row.input,
        version=row.version,
        namespace=row.namespace,
        started_at=row.started_at,
        parent=row.parent,
        depth=depth,
        trace_context=row.trace_context,
    )
