"""The journal as one tree of actors sees it: until its process is killed.

All trees of an environment share one journal, which survives. What a tree writes passes
through here, so that it can be counted, checked, and cut off at any write: from then on
every call of that tree waits for an answer that never comes, as after `kill -9`.
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


class Watching(Protocol):
    """Who hears of every write of a tree."""

    def dies(self, moment: str, told: str) -> bool:
        """Note a moment, such as "before a commit", and what is written; True when the process dies in it."""
        ...

    async def has_committed(self, run_ids: Sequence[RunId]) -> None:
        """Hear whose histories have grown."""
        ...


class TreeJournal:
    """A `Journal`; what it does not define is the shared journal's."""

    def __init__(self, shared: MemoryJournal, watching: Watching, died: Callable[[], None]) -> None:
        self._shared = shared
        self._watching = watching
        self._died = died
        self._dead: asyncio.Future[None] | None = None

    def cut(self) -> None:
        """Answer nothing any more; whoever waits gives up."""
        if self._dead is None:
            self._dead = asyncio.get_running_loop().create_future()
        self._dead.cancel()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._shared, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def ask(*args: Any, **kwargs: Any) -> Any:
            await self._alive()
            return await found(*args, **kwargs)

        return ask

    async def commit(self, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        """Write histories."""
        told = _told(writes)
        await self._moment("before a commit", told)
        committed = await self._shared.commit(worker, batch, writes)
        await self._watching.has_committed([w.run_id for w in writes if w.run_id not in committed.rejected])
        await self._moment("after a commit", told)
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
        """Take tasks, those for processes of their own too: here nobody else would."""
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
        """Deliver results."""
        await self._moment("before an answer of a task")
        await self._shared.complete_tasks(worker, results)
        await self._moment("after an answer of a task")

    async def record_result(self, activity: str, key: str, run_id: RunId, result: bytes) -> bytes:
        """Keep a result under its idempotency key."""
        await self._moment("before the record of a result")
        kept = await self._shared.record_result(activity, key, run_id, result)
        await self._moment("after the record of a result")
        return kept

    async def _moment(self, moment: str, told: str = "") -> None:
        await self._alive()
        if self._watching.dies(moment, told):
            self._dead = asyncio.get_running_loop().create_future()
            self._died()
            await self._alive()

    async def _alive(self) -> None:
        """Never return once the process is dead."""
        if self._dead is not None:
            await asyncio.shield(self._dead)


def _told(writes: Sequence[RunWrite]) -> str:
    """Say what a commit is about."""
    parts = [describe(event) for write in writes for event in write.events]
    parts += [write.transition.state.name.lower() for write in writes if write.transition is not None]
    return ", ".join(parts)
