"""The journal as one run host sees it, until its process is killed.

All run hosts of an environment share one journal, which survives. The writes of a run host pass
through here, so that they can be counted, checked, and cut off at any point: from then on every call
of that run host waits for ever, as after `kill -9`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from continuum.engine.drift_messages import describe
from continuum.engine.ids import RunId
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import ClaimedRun, ClaimedTask, Committed, Loaded, RunWrite, TaskResult, Worker


class WriteObserver(Protocol):
    """Observes every write of a run host, and decides where its process dies."""

    def dies(self, moment: str, written: str) -> bool:
        """Count a moment, such as "before a commit", and its write; True if the process dies there."""
        ...

    async def has_committed(self, run_ids: Sequence[RunId]) -> None:
        """Observe that the histories of these runs have grown."""
        ...


class KillableJournal:
    """A `Journal`; it delegates every call that it does not define to the shared journal."""

    def __init__(self, shared: MemoryJournal, observer: WriteObserver, died: Callable[[], None]) -> None:
        self._shared = shared
        self._observer = observer
        self._died = died
        self._dead: asyncio.Future[None] | None = None

    def cut(self) -> None:
        """Fail the calls that wait, and all later ones."""
        if self._dead is None:
            self._dead = asyncio.get_running_loop().create_future()
        self._dead.cancel()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._shared, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            await self._alive()
            return await found(*args, **kwargs)

        return call

    async def commit(self, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        """Write histories."""
        written = _described(writes)
        await self._moment("before a commit", written)
        committed = await self._shared.commit(worker, batch, writes)
        await self._observer.has_committed([w.run_id for w in writes if w.run_id not in committed.rejected])
        await self._moment("after a commit", written)
        return committed

    async def claim(
        self,
        worker: Worker,
        code: Sequence[Loaded],
        limit: int,
        *,
        namespaces: Sequence[str] | None = None,
    ) -> list[ClaimedRun]:
        """Claim runs."""
        await self._alive()
        claims = await self._shared.claim(worker, code, limit, namespaces=namespaces)
        if claims:
            await self._moment("after a claim of runs")
        return claims

    async def claim_tasks(
        self, worker: Worker, activities: Sequence[str], *, isolated: bool, **limits: Any
    ) -> list[ClaimedTask]:
        """Claim tasks, also isolated ones: an environment has no activity host for them."""
        await self._alive()
        tasks: list[ClaimedTask] = []
        for kind in (False, True):
            if limits["limit"] > len(tasks):
                left = limits | {"limit": limits["limit"] - len(tasks)}
                tasks += await self._shared.claim_tasks(worker, activities, isolated=kind, **left)
        if tasks:
            await self._moment("after a claim of tasks")
        return tasks

    async def complete_tasks(self, worker: Worker, results: Sequence[TaskResult]) -> None:
        """Store results of tasks."""
        await self._moment("before a result of a task")
        await self._shared.complete_tasks(worker, results)
        await self._moment("after a result of a task")

    async def record_result(self, activity: str, key: str, run_id: RunId, result: bytes) -> bytes:
        """Record a result under its idempotency key."""
        await self._moment("before a result is recorded")
        recorded = await self._shared.record_result(activity, key, run_id, result)
        await self._moment("after a result is recorded")
        return recorded

    async def _moment(self, moment: str, written: str = "") -> None:
        await self._alive()
        if self._observer.dies(moment, written):
            self._dead = asyncio.get_running_loop().create_future()
            self._died()
            await self._alive()

    async def _alive(self) -> None:
        """Never return once the process is dead."""
        if self._dead is not None:
            await asyncio.shield(self._dead)


def _described(writes: Sequence[RunWrite]) -> str:
    """Describe the writes of a commit for people."""
    parts = [describe(event) for write in writes for event in write.events]
    parts += [write.transition.state.name.lower() for write in writes if write.transition is not None]
    return ", ".join(parts)
