"""Sweeps: the removal of what ended runs have left behind, a bounded part at a time."""

from __future__ import annotations

from uuid import uuid4

from continuum.engine.ids import RunId
from continuum.journal.limits import PARTS_PER_SWEEP, ROWS_PER_SWEEP
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.connections import Database

# Inbox, tasks, heartbeats, snapshots, suspects, deliveries: see `sweep_leftovers`.
TABLES_SWEPT = 6


class Sweeps:
    """Where the next sweep of this process continues.

    Each process goes through the tables on its own, from a place of its own: nodes that restart all the time
    together still reach everything.
    """

    def __init__(self) -> None:
        self._after = [RunId(str(uuid4())) for _ in range(TABLES_SWEPT)]

    async def sweep(self, database: Database) -> int:
        """Remove what is found next, at once again while much is found; return how many rows were removed."""
        removed = 0
        for _ in range(PARTS_PER_SWEEP):
            parameters = (packed_arrays.uuids(self._after), ROWS_PER_SWEEP)
            ((gone, after, again),) = await database.fetch("sweep", parameters)
            self._after = [RunId(run_id) for run_id in after]
            removed += int(gone)
            if not again:
                break
        return removed
