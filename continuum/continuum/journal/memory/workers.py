"""Leases of workers, and the facts that nodes report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from math import inf

from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.memory.families import MemoryFamilies
from continuum.journal.memory.node_reports import MemoryNodeReports
from continuum.journal.memory.tables import MICROSECONDS, StoredNode, StoredWorker
from continuum.journal.node_report_port import GivenReport
from continuum.journal.port import (
    InboxKind,
    NodeFacts,
    NodeRow,
    NodeWorker,
    Released,
    Renewal,
    RunState,
    Topic,
    Worker,
)
from continuum.telemetry.tallies import Tally


class MemoryWorkers(MemoryFamilies, MemoryNodeReports):
    """Workers and nodes."""

    async def register_worker(
        self,
        node: NodeId,
        role: str,
        pid: int,
        ttl: float,
        *,
        namespaces: Sequence[str] | None = None,
        channel: str | None = None,
    ) -> Worker:
        """Register a worker with a lease of `ttl` seconds that claims from `namespaces`, None for all."""
        worker = Worker(WorkerId(next(self._worker_ids)), node)
        self._workers[worker.id] = StoredWorker(
            worker, pid, self._ends_after(ttl), self.now(), namespaces, role, channel=channel
        )
        return worker

    def _ends_after(self, ttl: float) -> int:
        return self.now() + round(ttl * MICROSECONDS)

    async def renew(
        self,
        workers: Sequence[WorkerId],
        ttl: float,
        facts: NodeFacts | None,
        report: GivenReport | None = None,
        counted: Sequence[Tally] = (),
    ) -> Renewal:
        """Extend leases; record the facts of the node, its report if one was wanted, what it has counted."""
        now = self.now()
        self._statistics.add(now, counted)
        drain, wanted = False, None
        if facts is not None:
            known = self._nodes.get(facts.node)
            drain = known is not None and known.drain and known.facts.pid == facts.pid
            self._nodes[facts.node] = StoredNode(facts, now, drain)
            wanted = self._reported(facts.node, report)
        # Also renew an expired lease, as long as its worker was not retired: after an outage
        # longer than a lease, all processes would lose their runs otherwise.
        held = frozenset(id for id in workers if id in self._workers)
        for id in held:
            self._workers[id].expires_at = self._ends_after(ttl)
            self._workers[id].renewed_at = now
        others = [stored.expires_at for id, stored in self._workers.items() if id not in workers]
        return Renewal(held, (min(others) - now) / MICROSECONDS if others else None, drain, wanted)

    async def expired_workers(self) -> list[WorkerId]:
        """Return the workers whose lease has run out."""
        now = self.now()
        return [id for id, stored in self._workers.items() if stored.expires_at <= now]

    async def node_workers(self, node: NodeId) -> list[tuple[WorkerId, int]]:
        """Return (worker, pid) of a node."""
        return [(id, stored.pid) for id, stored in self._workers.items() if stored.worker.node == node]

    async def retire_worker(
        self,
        worker: WorkerId,
        *,
        executing: RunId | None,
        poison_after: int,
        only_expired: bool = False,
        dead_for: float = 0.0,
        manner: str | None = None,
    ) -> Released:
        """End a worker's lease and release its runs and tasks (P8)."""
        stored = self._workers.get(worker)
        if stored is None or (only_expired and stored.expires_at > self.now()):
            return Released(0, 0)
        run_ids = list(stored.runs)
        for run_id in run_ids:
            self._release_run(run_id, poison_after if run_id == executing else None, manner)
        del self._workers[worker]
        seen_die = not only_expired and dead_for < inf
        died_at = self.now() - round(dead_for * MICROSECONDS) if seen_die else stored.renewed_at
        tasks = self._release_tasks(worker, InboxKind.ACTIVITY_INTERRUPTED, died_at)
        node = stored.worker.node
        left = [other.namespaces for other in self._workers.values() if other.worker.node == node]
        if None not in left:
            self._unpin_tasks(node, {name for namespaces in left for name in namespaces or ()})
        if run_ids:
            self._notifications.send(Topic.WORK)
        return Released(len(run_ids), tasks)

    def _release_run(self, run_id: RunId, poison_after: int | None, manner: str | None) -> None:
        run = self._runs[run_id]
        self._release(run)
        run.updated_at = self.now()
        if run.state == RunState.RUNNING:
            run.due_at = self.now()
        if poison_after is not None:
            last = "" if manner is None else f"; the last time {manner}"
            died = f"times while executing it{last}"
            self._count_death(run, poison_after, lambda deaths: f"its process died {deaths} {died}")
        if run.claimable:
            self._make_claimable(run)

    def _release_tasks(self, worker: WorkerId, lost_as: InboxKind, ended_at: int) -> int:
        """Report a worker's tasks to their runs; those overdue when the worker ended are timed out."""
        lost = sorted(place for place, stored in self._tasks.items() if stored.owner == worker)
        mailed = []
        for place in lost:
            stored = self._tasks[place]
            self._drop_task(*place)
            kind = InboxKind.ACTIVITY_TIMED_OUT if stored.overdue(ended_at) else lost_as
            run = self._runs[stored.run_id]
            name, key = str(stored.task.seq), str(stored.task.dispatch)
            if not run.state.terminal and self._deliver(run, kind, name, (), key):
                mailed.append(run)
        self._notify_of_mail(mailed)
        return len(lost)

    async def interrupt_activities(self, worker: WorkerId, local: Sequence[tuple[RunId, int, int]]) -> None:
        """Report what an orderly stop of this worker interrupts to its runs."""
        if worker not in self._workers:
            return
        self._release_tasks(worker, InboxKind.ACTIVITY_INTERRUPTED, self.now())
        mailed = []
        for run_id, seq, dispatch in local:
            run = self._runs.get(run_id)
            if run is not None and run.owner == worker:
                self._deliver(run, InboxKind.ACTIVITY_INTERRUPTED, str(seq), (), str(dispatch))
                mailed.append(run)
        self._notify_of_mail(mailed)

    async def retire_node(self, node: NodeId) -> None:
        """Remove a node that has stopped; its tasks may run on any node."""
        self._nodes.pop(node, None)
        self._reports.pop(node, None)
        self._unpin_tasks(node)

    def _unpin_tasks(self, node: NodeId, served: Collection[str] = ()) -> None:
        """Let any node claim the tasks that `node` alone was to run, except those of `served` namespaces."""
        unpinned = [
            task
            for task in self._tasks.values()
            if task.task.node == node
            and task.owner is None
            and self._runs[task.run_id].start.namespace not in served
        ]
        for stored in unpinned:
            stored.task = stored.task._replace(node=None)
        if unpinned:
            self._notifications.send(Topic.TASKS)

    async def drain_node(self, node: NodeId, *, audit: AuditFacts | None = None) -> bool:
        """Ask a node to stop in order."""
        stored = self._nodes.get(node)
        if stored is None:
            self._record(audit, ChangeOutcome.NOT_FOUND)
            return False
        self._record(audit, ChangeOutcome.ALREADY if stored.drain else ChangeOutcome.DONE)
        stored.drain = True
        return True

    def _lives(self, node: NodeId) -> bool:
        now = self.now()
        return any(
            stored.worker.node == node and stored.expires_at > now for stored in self._workers.values()
        )

    def _namespaces_of(self, node: NodeId) -> list[str] | None:
        claimed = [worker.namespaces for worker in self._workers.values() if worker.worker.node == node]
        # If one worker claims from all namespaces, the node does.
        limited = [namespaces for namespaces in claimed if namespaces is not None]
        if not limited or len(limited) < len(claimed):
            return None
        return sorted({name for namespaces in limited for name in namespaces}) or None

    def _queues_of(self, worker: WorkerId) -> Counter[str]:
        return Counter(stored.task.queue for stored in self._tasks.values() if stored.owner == worker)

    async def nodes(self) -> list[NodeRow]:
        """Return every node that has not been retired."""
        now = self.now()
        return [
            NodeRow(
                node=node,
                pid=stored.facts.pid,
                address=stored.facts.address,
                state=stored.facts.state if self._lives(node) else "lost",
                live_runs=sum(len(w.runs) for w in self._workers.values() if w.worker.node == node),
                lease_age=(now - stored.renewed_at) / MICROSECONDS,
                processes=[(role, pid) for role, pid in stored.facts.processes],
                workflows=list(stored.facts.workflows),
                namespaces=self._namespaces_of(node),
                workers=[
                    NodeWorker(w.role, w.pid, len(w.runs), dict(self._queues_of(id)))
                    for id, w in self._workers.items()
                    if w.worker.node == node
                ],
                waiting={pid: number for pid, number in stored.facts.waiting.items() if number},
                code=stored.facts.code,
                silent=dict(stored.facts.silent),
            )
            for node, stored in sorted(self._nodes.items())
        ]
