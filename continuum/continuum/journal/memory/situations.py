"""Situations of runs in memory."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from continuum.engine.ids import RunId
from continuum.journal.limits import SITUATION_COUNT, SITUATION_EVENT_ROWS, SITUATION_ROWS
from continuum.journal.memory.queries import MemoryQueries
from continuum.journal.memory.tables import StoredRun, StoredTask
from continuum.journal.situation import KnownVersion, Lease, OpenChild, Situation, TaskPlace


class MemorySituations(MemoryQueries):
    """What may explain why a run does not continue."""

    async def situation(self, run_id: RunId) -> Situation | None:
        """Return the situation of the run with this id; None without such a run."""
        run = self._runs.get(run_id)
        if run is None:
            return None
        owner = None if run.owner is None else self._workers.get(run.owner)
        mail = Counter((int(row.kind), row.name) for row in run.inbox.values())
        return Situation(
            now=self.now(),
            run=self._row(run),
            attempt=run.attempt,
            deaths=run.deaths,
            lease=None if owner is None else Lease(owner.expires_at, owner.renewed_at),
            events=run.events[-SITUATION_EVENT_ROWS:],
            first=0 if len(run.events) <= SITUATION_EVENT_ROWS else run.events[-SITUATION_EVENT_ROWS].seq,
            tasks=[self._place(stored) for _, stored in sorted(run.tasks.items())[:SITUATION_ROWS]],
            mail=dict(islice(sorted(mail.items()), SITUATION_ROWS)),
            children=self._open_children(run),
            heartbeats=dict(islice(sorted(self._heartbeats[run_id].items()), SITUATION_ROWS)),
            refusals=list(run.refused.values()),
            versions=self._known_versions(run.start.workflow),
        )

    def _place(self, stored: StoredTask) -> TaskPlace:
        task = stored.task
        same = [each for each in self._tasks.values() if _queue_of(each) == _queue_of(stored)]
        ahead = [each for each in same if each.owner is None and _turn(each) < _turn(stored)]
        owner = None if stored.owner is None else self._workers.get(stored.owner)
        return TaskPlace(
            seq=task.seq,
            dispatch=task.dispatch,
            attempt=task.attempt,
            activity=task.activity,
            queue=task.queue,
            isolated=task.isolated,
            node=task.node,
            owner_node=None if owner is None else owner.worker.node,
            owner_pid=None if owner is None else owner.pid,
            claimed_at=None if stored.owner is None else stored.claimed_at,
            queued_at=stored.queued_at,
            timeout=task.timeout,
            heartbeat_timeout=task.heartbeat_timeout,
            deadline=task.deadline,
            ahead=min(len(ahead), SITUATION_COUNT) if stored.owner is None else 0,
            busy=min(sum(each.owner is not None for each in same), SITUATION_COUNT),
        )

    def _open_children(self, run: StoredRun) -> list[OpenChild]:
        children = [self._runs[child] for child in run.children]
        return [
            OpenChild(child.start.id, child.parent_seq, child.start.workflow, child.state)
            for child in sorted(children, key=lambda child: (child.parent_seq or 0, child.start.id))
            if child.parent_seq is not None and not child.state.terminal
        ][:SITUATION_ROWS]

    def _known_versions(self, workflow: str) -> list[KnownVersion]:
        rows = [row for row in self._versions.values() if row.workflow == workflow]
        rows.sort(key=lambda row: (row.registered_at, row.version), reverse=True)
        return [KnownVersion(row.version, row.label, row.module) for row in rows[:SITUATION_ROWS]]


def _queue_of(stored: StoredTask) -> tuple[bool, str]:
    return stored.task.isolated, stored.task.queue


def _turn(stored: StoredTask) -> tuple[int, int]:
    return -stored.task.priority, stored.age
