"""Tasks: activities for any worker that claims them, their heartbeats and recorded results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from continuum.engine.ids import NodeId, RunId
from continuum.journal.memory.tables import MICROSECONDS, MemoryTables, StoredTask
from continuum.journal.port import ClaimedTask, InboxKind, TaskResult, Topic, Worker


class MemoryTasks(MemoryTables):
    """Tasks and activities."""

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
        """Claim up to `limit` tasks, highest priority then oldest first, within the limits of the node."""
        self._leased(worker)
        running = self._running_on(worker.node)
        claimed: list[ClaimedTask] = []
        for stored in self._waiting_for(worker.node, activities, isolated):
            if namespaces is not None and self._runs[stored.run_id].start.namespace not in namespaces:
                continue
            if len(claimed) >= limit:
                break
            queue = stored.task.queue
            if running[queue] < limits.get(queue, unlisted_limit):
                running[queue] += 1
                stored.owner = worker.id
                stored.claimed_at = self.now()
                claimed.append(self._as_claimed(stored))
        return claimed

    def _running_on(self, node: NodeId) -> Counter[str]:
        return Counter(
            stored.task.queue
            for stored in self._tasks.values()
            if stored.owner is not None and self._workers[stored.owner].worker.node == node
        )

    def _waiting_for(self, node: NodeId, activities: Sequence[str], isolated: bool) -> list[StoredTask]:
        waiting = [
            stored
            for stored in self._tasks.values()
            if stored.owner is None
            and stored.task.isolated == isolated
            and stored.task.activity in activities
            and stored.task.node in (None, node)
            and (isolated or not self._in_quarantine(stored.run_id, stored.task.seq))
            and not self._is_task_paused(stored)
        ]
        waiting.sort(key=lambda stored: (-stored.task.priority, stored.age))
        return waiting

    async def release_other_tasks(self, worker: Worker, keep: Sequence[tuple[RunId, int]]) -> int:
        """Release all tasks of this worker except `keep`."""
        kept = set(keep)
        lost = [
            stored for place, stored in self._tasks.items() if stored.owner == worker.id and place not in kept
        ]
        for stored in lost:
            stored.owner = None
        if lost:
            self._notifications.send(Topic.TASKS)
        return len(lost)

    async def complete_tasks(self, worker: Worker, results: Sequence[TaskResult]) -> None:
        """Turn results into mail for their runs (P9)."""
        mailed = {}
        for task, kind, body in results:
            counts = self._take_back(worker, task) or (task.run_id, task.seq) not in self._tasks
            run = self._runs.get(task.run_id)
            if run is None or run.state.terminal or not (counts or kind is InboxKind.ACTIVITY_COMPLETED):
                continue
            if self._deliver(run, kind, str(task.seq), body, str(task.dispatch)):
                mailed[task.run_id] = run
        self._notify_of_mail(mailed.values())

    def _take_back(self, worker: Worker, task: ClaimedTask) -> bool:
        """Remove a task that is still the worker's; False when it is not."""
        stored = self._tasks.get((task.run_id, task.seq))
        if stored is None or stored.owner != worker.id or stored.task.dispatch != task.dispatch:
            return False
        self._drop_task(task.run_id, task.seq)
        return True

    async def heartbeat(self, run_id: RunId, seq: int, details: bytes) -> bool:
        """Record the latest progress of an activity; False when it has no task (any more)."""
        self._heartbeats[run_id][seq] = details
        return (run_id, seq) in self._tasks

    async def last_heartbeats(self, run_id: RunId) -> dict[int, bytes]:
        """Return the latest progress of a run's activities, by seq."""
        return dict(self._heartbeats.get(run_id, {}))

    async def find_result(self, activity: str, key: str) -> bytes | None:
        """Return the result recorded under an idempotency key, if any."""
        return self._results.get((activity, key))

    async def record_result(self, activity: str, key: str, run_id: RunId, result: bytes) -> bytes:
        """Record a result under an idempotency key and return the one that was recorded first."""
        return self._results.setdefault((activity, key), result)

    def _as_claimed(self, stored: StoredTask) -> ClaimedTask:
        """Return a task as its claimer sees it."""
        task, start = stored.task, self._runs[stored.run_id].start
        return ClaimedTask(
            run_id=stored.run_id,
            seq=task.seq,
            dispatch=task.dispatch,
            attempt=task.attempt,
            queue=task.queue,
            activity=task.activity,
            arguments=task.arguments,
            timeout=task.timeout,
            key=task.key,
            heartbeat_timeout=task.heartbeat_timeout,
            remaining=None if task.deadline is None else (task.deadline - self.now()) / MICROSECONDS,
            last_heartbeat=self._heartbeats.get(stored.run_id, {}).get(task.seq),
            workflow=start.workflow,
            trace_context=start.trace_context,
            waited=(self.now() - stored.queued_at) / MICROSECONDS,
        )
