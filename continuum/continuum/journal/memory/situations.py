"""Situations of runs in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Self

from continuum.engine.ids import RunId
from continuum.journal.facts import InboxRow, RunState
from continuum.journal.limits import MANY_SUSPECTS, SITUATION_COUNT, SITUATION_EVENT_ROWS, SITUATION_ROWS
from continuum.journal.memory.queries import MemoryQueries
from continuum.journal.memory.tables import StoredRun, StoredTask
from continuum.journal.memory.tables import Suspicion as Level
from continuum.journal.pause_facts import PauseKind
from continuum.journal.situation import KnownVersion, Lease, OpenChild, Situation, Suspicion, TaskPlace


class MemorySituations(MemoryQueries):
    """What may explain why a run does not continue."""

    @asynccontextmanager
    async def one_moment(self) -> AsyncIterator[Self]:
        """Yield this journal, for no read of it lets anybody else do anything."""
        yield self

    async def unread(self, run_ids: Sequence[RunId], most: int) -> list[InboxRow]:
        """Return the oldest inbox rows of these runs, up to `most` of each."""
        known = [self._runs[id] for id in run_ids if id in self._runs]
        return sorted(row for run in known for row in sorted(run.inbox.values())[:most])

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
            suspicions=dict(islice(sorted(self._suspicions_of(run_id)), SITUATION_ROWS)),
            deadly=run.start.workflow in self._deadly_workflows(),
            active=self._active_runs() if run.claimable and self._has_come(run.due_at) else {},
            paused_queues={
                scope.name: pause
                for scope, pause in self._pauses.items()
                if scope.kind is PauseKind.QUEUE
                and any(stored.task.queue == scope.name for stored in run.tasks.values())
            },
        )

    def _suspicions_of(self, run_id: RunId) -> Iterator[tuple[int, Suspicion]]:
        for (suspected, seq), suspect in self._suspects.items():
            if suspected == run_id and suspect.level > Level.ANY:
                together = MANY_SUSPECTS >> (suspect.level - Level.MANY)
                yield -1 if seq is None else seq, Suspicion(suspect.since, together)

    def _has_come(self, at: int | None) -> bool:
        return at is not None and at <= self.now()

    def _active_runs(self) -> dict[str, int]:
        """Return how many runs each node executes."""
        active: Counter[str] = Counter()
        for stored in self._workers.values():
            if stored.expires_at > self.now():
                running = [run for run in stored.runs if self._runs[run].state is RunState.RUNNING]
                active[stored.worker.node] += len(running)
        return dict(active)

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
