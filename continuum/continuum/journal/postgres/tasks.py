"""Activity tasks: claims, results, heartbeats, results under idempotency keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from continuum.engine.ids import RunId
from continuum.journal.event_codec import pack_body
from continuum.journal.port import ClaimedTask, LeaseLost, TaskResult, Worker
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.statements import Statements


class PostgresTasks:
    """The tasks of the journal."""

    _database: Database
    _statements: Statements

    async def claim_tasks(
        self,
        worker: Worker,
        activities: Sequence[str],
        *,
        isolated: bool,
        limits: Mapping[str, int],
        unlisted_limit: int,
        limit: int,
        namespaces: Sequence[str] | None = None,
    ) -> list[ClaimedTask]:
        asked = (
            worker.id,
            packed_arrays.texts(activities),
            isolated,
            packed_arrays.texts(list(limits)),
            packed_arrays.integers(list(limits.values())),
            unlisted_limit,
            limit,
            None if namespaces is None else packed_arrays.texts(namespaces),
        )
        while True:
            rows = held(await self._database.fetch("claim_tasks", asked), worker)
            tasks = [ClaimedTask(*row[:-1]) for row in rows if row[0] is not None]
            # Else this part has only set tasks of paused runs aside.
            if tasks or not rows:
                return tasks

    async def complete_tasks(self, worker: Worker, results: Sequence[TaskResult]) -> None:
        await self._database.fetch(
            "complete_tasks",
            (
                worker.id,
                packed_arrays.uuids([result.task.run_id for result in results]),
                packed_arrays.integers([result.task.seq for result in results]),
                packed_arrays.integers([result.task.dispatch for result in results]),
                packed_arrays.smallints([result.kind for result in results]),
                packed_arrays.byteas([pack_body(result.body) for result in results]),
            ),
        )

    async def heartbeat(self, run_id: RunId, seq: int, details: bytes) -> bool:
        rows = await self._database.fetch("heartbeat", (run_id, seq, details))
        return bool(rows[0][0])

    async def last_heartbeats(self, run_id: RunId) -> dict[int, bytes]:
        return dict(await self._database.fetch("last_heartbeats", (run_id,)))

    async def find_result(self, activity: str, key: str) -> bytes | None:
        rows = await self._database.fetch("find_result", (activity, key))
        return rows[0][0] if rows else None

    async def record_result(self, activity: str, key: str, run_id: RunId, result: bytes) -> bytes:
        """Two statements: the second reads the result that was recorded first."""
        await self._database.fetch("record_result", (activity, key, run_id, result))
        first = await self.find_result(activity, key)
        assert first is not None, "a recorded result is never removed"
        return first

    async def release_other_tasks(self, worker: Worker, keep: Sequence[tuple[RunId, int]]) -> int:
        rows = await self._database.fetch(
            "release_other_tasks",
            {
                "worker": worker.id,
                "runs": packed_arrays.uuids([run_id for run_id, _ in keep]),
                "seqs": packed_arrays.integers([seq for _, seq in keep]),
            },
        )
        return int(rows[0][0])


def held(rows: list[tuple[Any, ...]], worker: Worker) -> list[tuple[Any, ...]]:
    """Return the claimed rows; raise when the claim returned the one row that says that the lease is lost."""
    if rows and not rows[0][-1]:
        raise LeaseLost(worker.id)
    return rows
