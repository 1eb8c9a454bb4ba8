"""What is rare in the memory journal, for people who ask whether all is well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeVar

from continuum.engine.ids import NodeId, RunId
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.health_port import (
    ACTIVITY_HOST,
    BlockedRuns,
    ExpiredOwner,
    HealthFacts,
    HealthNode,
    InterruptedOperation,
    LostWakes,
    OldPause,
    OpenRuns,
    OverdueRuns,
    OverdueTasks,
    Quarantined,
    Review,
    RunsForNothing,
    idle,
    unserved,
)
from continuum.journal.limits import COUNTED_OF_A_PAUSE, EXPIRED_FOR_SECONDS, OLD_PAUSES, PAUSED_FOR_SECONDS
from continuum.journal.memory.pauses import MemoryPauses
from continuum.journal.memory.retention import MemoryRetention
from continuum.journal.memory.tables import MICROSECONDS, StoredRun, StoredTask, Suspicion
from continuum.journal.memory.workers import MemoryWorkers
from continuum.journal.operation_facts import OperationState
from continuum.journal.port import RunState
from continuum.journal.wait import could_end

K = TypeVar("K")
V = TypeVar("V")


class MemoryHealth(MemoryPauses, MemoryRetention, MemoryWorkers):
    """The health of the journal: everything is counted, because one process holds it all."""

    async def health_facts(self, *, due_for: float) -> HealthFacts:
        """Return what is rare, and what has been due for so long."""
        now = self.now()
        by = now - round(due_for * MICROSECONDS)
        nodes = [self._health_of(node) for node in sorted(self._nodes)]
        return HealthFacts(
            now=now,
            schema=None,
            nodes=nodes,
            overdue=self._overdue_runs(by),
            blocked=self._blocked_runs(),
            expired=self._expired_owners(now - round(EXPIRED_FOR_SECONDS * MICROSECONDS), by),
            tasks=self._overdue_tasks(by),
            quarantined=self._in_quarantines(),
            deadly=sorted(self._deadly_workflows()),
            unserved=unserved(nodes, self._versions_of_open_runs()),
            odd=await self.odd_rows(),
            reviewed=self._reviewed(),
            lost_wakes=self._lost_wakes(),
            idle=idle(nodes, self._versions_of_open_runs()),
            for_nothing=self._runs_for_nothing(by),
            interrupted=self._interrupted(by),
            old_pauses=await self._old_pauses(now - round(PAUSED_FOR_SECONDS * MICROSECONDS)),
        )

    async def review_finding(
        self, review: Review, current: Sequence[str], *, audit: AuditFacts | None = None
    ) -> bool:
        """Silence a finding; False if it was."""
        for fingerprint in self._reviews.keys() - set(current):
            del self._reviews[fingerprint]
        silent = review.fingerprint in self._reviews
        self._reviews.setdefault(review.fingerprint, (self.now(), tuple(review.parts)))
        self._record(audit, ChangeOutcome.ALREADY if silent else ChangeOutcome.DONE)
        return not silent

    def _reviewed(self) -> dict[str, int]:
        reviews = self._reviews.items()
        return {name: at for finding, (at, parts) in reviews for name in (finding, *parts)}

    def _health_of(self, node: NodeId) -> HealthNode:
        stored = self._nodes[node]
        facts = stored.facts
        return HealthNode(
            node,
            facts.pid,
            facts.state,
            self._lives(facts.node),
            stored.renewed_at,
            list(facts.workflows),
            self._namespaces_of(facts.node),
            sum(role == ACTIVITY_HOST for role, _ in facts.processes),
            facts.code,
        )

    def _overdue_runs(self, by: int) -> list[OverdueRuns]:
        groups = _grouped(
            ((run.start.workflow, run.version, run.start.namespace, tuple(run.refused)), run)
            for run in self._runs.values()
            if run.claimable
            and run.due_at is not None
            and run.due_at <= by
            and not self._in_quarantine(run.start.id)
            and self._pause_of(run) is None
        )
        return [
            OverdueRuns(*group, len(runs), False, _due(first), first.start.id, self._module(group[0]))
            for group, runs in groups.items()
            for first in [min(runs, key=_due)]
        ]

    def _module(self, workflow: str) -> str | None:
        rows = [row for row in self._versions.values() if row.workflow == workflow]
        return max(rows, key=lambda row: row.registered_at).module if rows else None

    def _blocked_runs(self) -> list[BlockedRuns]:
        groups = _grouped(
            ((run.start.workflow, "" if run.fault is None else run.fault.kind), run)
            for run in self._runs.values()
            if run.state is RunState.BLOCKED
        )
        return [
            BlockedRuns(
                workflow,
                kind,
                len(runs),
                False,
                min(run.updated_at for run in runs),
                latest.start.id,
                latest.reason or "",
                latest.updated_at,
            )
            for (workflow, kind), runs in groups.items()
            for latest in [max(runs, key=lambda run: run.updated_at)]
        ]

    def _expired_owners(self, by: int, due_by: int) -> list[ExpiredOwner]:
        now = self.now()
        nobody = not any(stored.expires_at > now for stored in self._workers.values())
        found = []
        for id, stored in self._workers.items():
            if stored.expires_at <= by:
                tasks = sum(task.owner == id for task in self._tasks.values())
                late = nobody and stored.expires_at <= due_by
                due = sum(self._has_work(run_id, now) for run_id in stored.runs) if late else 0
                found.append(
                    ExpiredOwner(
                        id,
                        stored.worker.node,
                        stored.role,
                        stored.expires_at,
                        len(stored.runs),
                        tasks,
                        due,
                        tasks if late else 0,
                    )
                )
        return found

    def _has_work(self, run_id: RunId, now: int) -> bool:
        """Return whether a run has something to do, and is not paused."""
        run = self._runs[run_id]
        due = run.due_at is not None and run.due_at <= now
        return self._pause_of(run) is None and (run.state is RunState.RUNNING or due or bool(run.inbox))

    def _overdue_tasks(self, by: int) -> list[OverdueTasks]:
        groups = _grouped(
            (self._kind_of(task), task)
            for place, task in self._tasks.items()
            if task.owner is None
            and task.queued_at <= by
            and not self._in_quarantine(*place)
            and not self._is_task_paused(task)
        )
        return [
            OverdueTasks(*group, len(tasks), False, min(task.queued_at for task in tasks), module)
            for group, tasks in groups.items()
            for module in [self._module(min(self._runs[task.run_id].start.workflow for task in tasks))]
        ]

    def _kind_of(self, stored: StoredTask) -> tuple[str, bool, str, str | None, str]:
        task = stored.task
        namespace = self._runs[stored.run_id].start.namespace
        return task.queue, task.isolated, task.activity, task.node, namespace

    def _in_quarantines(self) -> list[Quarantined]:
        groups = _grouped(
            ((run.start.workflow, seq is not None), (suspect.since, run_id))
            for (run_id, seq), suspect in self._suspects.items()
            if suspect.level > Suspicion.ANY
            and (run := self._runs.get(run_id)) is not None
            and run.state <= RunState.SUSPENDED
        )
        return [
            Quarantined(workflow, of_tasks, len(found), *min(found))
            for (workflow, of_tasks), found in groups.items()
        ]

    def _versions_of_open_runs(self) -> list[OpenRuns]:
        groups = _grouped(
            ((run.start.workflow, run.version), run.start.id)
            for run in self._runs.values()
            if run.version is not None and not run.state.terminal
        )
        return [
            OpenRuns(*version, len(runs), False, runs[0], self._module(version[0]))
            for version, runs in groups.items()
        ]

    def _lost_wakes(self) -> list[LostWakes]:
        now = self.now()
        groups = _grouped(
            (run.start.workflow, (run.updated_at, run.start.id))
            for run in self._runs.values()
            if run.claimable and run.inbox and (run.due_at is None or run.due_at > now)
        )
        return [
            LostWakes(workflow, min(found)[0], [run for _, run in sorted(found)])
            for workflow, found in groups.items()
        ]

    def _runs_for_nothing(self, by: int) -> list[RunsForNothing]:
        groups = _grouped(
            (run.start.workflow, (run.updated_at, run.start.id))
            for run in self._runs.values()
            if run.state is RunState.SUSPENDED
            and run.due_at is None
            and run.updated_at <= by
            and run.waits is not None
            and not could_end(run.waits)
            and not run.inbox
        )
        return [
            RunsForNothing(workflow, len(found), False, min(found)[0], max(found)[1], max(found)[0])
            for workflow, found in groups.items()
        ]

    def _interrupted(self, by: int) -> list[InterruptedOperation]:
        found = [
            InterruptedOperation(
                each.operation.id,
                each.operation.action,
                each.operation.search,
                each.operation.actor,
                each.done,
                each.operation.expected,
                since,
            )
            for each in self._operations.values()
            if each.state is OperationState.RUNNING
            and (since := max(each.leased_until, each.updated_at)) <= by
        ]
        return sorted(found, key=lambda each: (each.since, each.id))

    async def _old_pauses(self, by: int) -> list[OldPause]:
        together = sorted(self._pauses.values(), key=lambda pause: pause.since)[:OLD_PAUSES]
        found = []
        for pause in together:
            if pause.scope is not None and pause.since <= by:
                held = await self.held_by_pause(pause.scope, COUNTED_OF_A_PAUSE)
                found.append(OldPause(pause, *held, latest=pause.since))
        alone = _grouped(
            (run.start.workflow, (run.paused.since, run.start.id, run.paused))
            for run in self._runs.values()
            if run.paused is not None and not run.state.terminal and run.paused.since <= by
        )
        for workflow, runs in alone.items():
            (_, first, pause), latest = (
                min(runs, key=lambda each: each[:2]),
                max(runs, key=lambda each: each[:2])[0],
            )
            number = min(len(runs), COUNTED_OF_A_PAUSE)
            more = len(runs) > number
            found.append(OldPause(pause, number, more, workflow=workflow, example=first, latest=latest))
        return found


def _due(run: StoredRun) -> int:
    return run.due_at or 0


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    groups: defaultdict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return dict(groups)
