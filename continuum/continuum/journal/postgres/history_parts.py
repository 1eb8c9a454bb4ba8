"""Histories that are looked at in parts."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.history_port import HistoryBin
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.snapshots import events_in

# Seqs are 32-bit numbers.
_BEHIND_ALL = 2**31 - 1


class PostgresHistoryParts:
    """Parts of histories."""

    _database: Database

    async def load_part(self, run_id: RunId, first: int, most: int) -> list[Event]:
        end = min(first + most, _BEHIND_ALL)
        rows = await self._database.fetch("load_part", {"run": run_id, "first": first, "end": end})
        events = (await events_in(self._database, rows, {run_id: first}))[run_id]
        return [event for event in events if event.seq < end]

    async def outline(self, run_id: RunId, bins: int) -> Sequence[HistoryBin]:
        rows = await self._database.fetch("history_outline", {"run": run_id, "bins": bins})
        return [HistoryBin(*row) for row in rows]

    async def published_names(self, run_id: RunId, most: int) -> list[str]:
        return [name for (name,) in await self._database.fetch("published_names", (run_id, most))]
