"""How much there is to do, as people who watch ask it."""

from __future__ import annotations

from continuum.journal.limits import HEALTH_GROUPS, MOST_COUNTED, OPEN_RUNS_LOOKED_AT, WAITS_NAMED
from continuum.journal.port import RunState
from continuum.journal.postgres.connections import Database
from continuum.journal.workload_port import Backlog, OpenWork, QueueLoad, WaitedFor


class PostgresWorkload:
    """The workload of the journal."""

    _database: Database

    async def backlog(self) -> Backlog:
        ((runs, more, since),) = await self._database.fetch(
            "backlog", {"groups": HEALTH_GROUPS, "most": MOST_COUNTED}
        )
        return Backlog(min(runs, MOST_COUNTED), more or runs > MOST_COUNTED, since)

    async def queue_loads(self) -> list[QueueLoad]:
        limits = {"groups": HEALTH_GROUPS, "most": MOST_COUNTED}
        return [QueueLoad(*row) for row in await self._database.fetch("queue_loads", limits)]

    async def open_work(self, workflow: str | None = None) -> OpenWork:
        asked = {"workflow": workflow, "most": OPEN_RUNS_LOOKED_AT, "names": WAITS_NAMED}
        rows = await self._database.fetch("open_work", asked)
        counted = {int(kind): runs for what, kind, _, runs, *_ in rows if what == "state"}
        states = {RunState(number).name.lower(): counted[number] for number in sorted(counted)}
        waits = [WaitedFor(*row[1:5]) for row in rows if row[0] == "wait"]
        looked_at, more = rows[0][5:] if rows else (0, False)
        return OpenWork(states, waits, looked_at, more)
