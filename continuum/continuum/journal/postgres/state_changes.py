"""The changes of the states of runs, as far as no open transaction may still add an earlier one."""

from __future__ import annotations

from typing import Any

from continuum.engine.ids import RunId
from continuum.errors import CursorExpired
from continuum.journal.change_port import StateChanged, StateChangesRead
from continuum.journal.facts import RunState
from continuum.journal.postgres.connections import Database

# How many runs the record begins with: writers wait until they are in it.
RUNS_AT_FIRST = 1_000
# What a change may say: 0 is a start.
_ENTERED = frozenset({0, *RunState})


class PostgresStateChanges:
    """The state changes of the journal."""

    _database: Database
    # Up to where changes are settled, and the mark of `read_state_changes`. What is settled stays so, and all
    # readers share it.
    _settled: tuple[int, int, str | None] = (0, 0, None)

    async def state_changes(
        self, after: int | None, limit: int, *, namespace: str | None = None, workflow: str | None = None
    ) -> StateChangesRead:
        """One statement, and two more if nobody has read for an hour."""
        read = await self._read(after or 0, limit, namespace, workflow)
        if not read[0][0]:
            await self._record()
            read = await self._read(after or 0, limit, namespace, workflow)
        if after is not None and not read[0][1]:
            raise CursorExpired
        scanned, entries = after or 0, []
        found = [row[5:] for row in read if row[5] is not None]
        for place, run_id, name, space, state, at, wanted in found[:limit]:
            scanned = place
            # A state that was written by hand is passed over.
            if wanted and state in _ENTERED:
                entered = RunState(state) if state else None
                entries.append(StateChanged(place, RunId(run_id), name, space, entered, at))
        return StateChangesRead(entries, scanned, len(found) > limit)

    async def latest_position(self) -> int:
        """Two statements."""
        await self._record()
        rows = await self._database.fetch("latest_state_change")
        return int(rows[0][0])

    async def _read(
        self, after: int, limit: int, namespace: str | None, workflow: str | None
    ) -> list[tuple[Any, ...]]:
        settled, mark, below = self._settled
        rows = await self._database.fetch(
            "state_changes",
            {
                "after": after,
                "limit": limit + 1,
                "settled": settled,
                "mark": mark,
                "below": below,
                "namespace": namespace,
                "workflow": workflow,
            },
        )
        if rows[0][2] >= self._settled[0]:
            self._settled = rows[0][2:5]
        return rows

    async def _record(self) -> None:
        """Have changes recorded; writers of runs wait for this the first time."""
        await self._database.fetch("record_state_changes", (RUNS_AT_FIRST,))
