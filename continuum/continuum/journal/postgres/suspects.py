"""Blame for deaths, and quarantine."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.engine.ids import RunId, WorkerId
from continuum.journal.port import ClaimedRun, ClaimedTask, Loaded, Worker
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.claimed_rows import claimed_run
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.packed_code import optional_texts, packed_code
from continuum.journal.postgres.tasks import held
from continuum.journal.suspect_port import Death, EarlierDeaths, Place

# In place of the seq of a task: the run.
_RUN = -1


class PostgresSuspects:
    """The suspects of the journal."""

    _database: Database

    async def blame(self, worker: WorkerId, death: Death, *, only_expired: bool = False) -> RunId | None:
        culprit, named = death
        rows = await self._database.fetch(
            "blame",
            (
                worker,
                only_expired,
                culprit.run_id if culprit else None,
                culprit.seq if culprit else None,
                culprit.dispatch if culprit else None,
                packed_arrays.uuids([executed.run_id for executed in named]),
                packed_arrays.integers([_number(executed.seq) for executed in named]),
                not culprit and not named,
            ),
        )
        counted = rows[0][0]
        return None if counted is None else RunId(counted)

    async def claim_suspects(
        self, worker: Worker, code: Sequence[Loaded], *, namespaces: Sequence[str] | None = None
    ) -> list[ClaimedRun]:
        rows = await self._database.fetch(
            "claim_suspects",
            (
                worker.id,
                *packed_code(code),
                optional_texts(namespaces),
            ),
        )
        return [claimed_run(row) for row in held(rows, worker)]

    async def claim_deadly(
        self,
        worker: Worker,
        code: Sequence[Loaded],
        limit: int,
        *,
        namespaces: Sequence[str] | None = None,
    ) -> list[ClaimedRun]:
        rows = await self._database.fetch(
            "claim_deadly", (worker.id, *packed_code(code), limit, optional_texts(namespaces))
        )
        return [claimed_run(row) for row in held(rows, worker)]

    async def claim_suspected_tasks(
        self, worker: Worker, activities: Sequence[str], *, namespaces: Sequence[str] | None = None
    ) -> list[ClaimedTask]:
        rows = await self._database.fetch(
            "claim_suspected_tasks",
            (
                worker.id,
                packed_arrays.texts(activities),
                optional_texts(namespaces),
            ),
        )
        return [ClaimedTask(*row[:-1]) for row in held(rows, worker)]

    async def acquit(self, suspects: Sequence[Place]) -> None:
        await self._database.fetch("acquit", _packed(suspects))

    async def earlier_deaths(self, suspects: Sequence[Place]) -> EarlierDeaths:
        return EarlierDeaths(*(await self._database.fetch("earlier_deaths", _packed(suspects)))[0])

    async def lone_suspects_lived(self) -> float | None:
        lived: float | None = (await self._database.fetch("lone_suspects_lived"))[0][0]
        return lived

    async def suspects_wait(self) -> bool:
        return bool((await self._database.fetch("suspects_wait"))[0][0])


def _packed(suspects: Sequence[Place]) -> tuple[packed_arrays.Uuids, packed_arrays.Integers]:
    runs = packed_arrays.uuids([run_id for run_id, _ in suspects])
    return runs, packed_arrays.integers([_number(seq) for _, seq in suspects])


def _number(seq: int | None) -> int:
    return _RUN if seq is None else seq
