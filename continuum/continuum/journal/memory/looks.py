"""Looks: what a node that is not notified has to know."""

from __future__ import annotations

from continuum.engine.ids import RunId
from continuum.journal.limits import NOTIFICATION_IDS
from continuum.journal.look_port import LookedFor, Seen
from continuum.journal.memory.suspects import MemorySuspects


class MemoryLooks(MemorySuspects):
    """Looks instead of notifications."""

    async def look(self, wanted: LookedFor, after: int | None) -> Seen:
        """Look for work and tasks that may be claimed, and for mail after a position; None for all mail."""
        return Seen(
            await self.next_due(wanted.code, namespaces=wanted.namespaces),
            self._latest_task_for(wanted),
            self._mail_of(wanted, after),
            max((row for run in self._runs.values() for row in run.inbox), default=0),
            await self.suspects_wait(),
            any(self._paused_runs_of(worker) for worker in wanted.workers),
        )

    def _latest_task_for(self, wanted: LookedFor) -> int | None:
        ages = (
            stored.age
            for stored in self._tasks.values()
            if stored.owner is None
            and not self._is_task_paused(stored)
            and stored.task.activity in wanted.activities
            and stored.task.node in (None, wanted.node)
            and (wanted.namespaces is None or self._runs[stored.run_id].start.namespace in wanted.namespaces)
        )
        return max(ages, default=None)

    def _mail_of(self, wanted: LookedFor, after: int | None) -> dict[int, RunId] | None:
        holders = [self._workers[worker] for worker in wanted.workers if worker in self._workers]
        mail = {
            row: run_id
            for holder in holders
            for run_id in holder.runs
            for row in self._runs[run_id].inbox
            if after is None or row > after
        }
        return mail if len(mail) <= NOTIFICATION_IDS else None
