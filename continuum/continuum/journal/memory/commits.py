"""The write path of owners: histories, fenced by the worker's lease and each run's token."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.announced_run import AnnouncedRun, CreatedRun, TakenRun
from continuum.journal.memory.families import BY_PARENT, MemoryFamilies
from continuum.journal.memory.parked_runs import MemoryParkedRuns
from continuum.journal.memory.tables import (
    MICROSECONDS,
    StoredRun,
    StoredTask,
    StoredWorker,
    frozen,
    json_copy,
)
from continuum.journal.port import (
    Committed,
    LeaseLost,
    NewTask,
    PublishedValue,
    RunState,
    RunWrite,
    Topic,
    Transition,
    Worker,
)
from continuum.journal.resumed_run import ResumedRun

_seq = attrgetter("seq")


class MemoryCommits(MemoryParkedRuns, MemoryFamilies):
    """Histories and commits."""

    async def load(self, run_ids: Sequence[RunId]) -> dict[RunId, list[Event]]:
        """Return histories in order."""
        return {run_id: list(self._runs[run_id].events) if run_id in self._runs else [] for run_id in run_ids}

    async def length_of(self, run_id: RunId) -> int:
        """Return the seq behind the last event of a history."""
        run = self._runs.get(run_id)
        return 0 if run is None else run.length

    async def commit(self, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        """Make writes durable (P1, P2, P3, P12). Several writes of one run are applied in order."""
        holder = self._leased(worker)
        if batch == holder.batch:
            return holder.committed
        if batch < holder.batch:
            # It comes late, over a connection that its caller has given up: it was repeated since.
            raise LeaseLost(worker.id)
        for write in writes:
            if isinstance(write.takes, ResumedRun):
                self._resume(holder, write, write.takes)
            elif write.takes is not None:
                self._take(holder, write, write.takes)
            elif write.creates is not None:
                self._create(holder, write, write.creates)
        rejected = frozenset(write.run_id for write in writes if not self._holds_token(worker, write))
        accepted = [write for write in writes if write.run_id not in rejected]
        self._check_seqs(accepted)
        for write in accepted:
            self._apply(write)
        self._notify_of(accepted)
        self._apply_to_others(accepted)
        holder.batch = batch
        holder.committed = Committed(self.now(), rejected)
        return holder.committed

    def _take(self, holder: StoredWorker, write: RunWrite, taken: TakenRun) -> None:
        """Make a worker the owner of a run that nobody has claimed and that has no mail."""
        run = self._runs.get(write.run_id)
        if (
            run is None
            or run.token
            or not run.claimable
            or run.inbox
            or run.depth
            or run.continued_from is not None
            or AnnouncedRun(
                run.start.id,
                run.start.workflow,
                run.start.namespace,
                run.start.input,
                run.start.trace_context,
                run.started_at,
            )
            != taken.announced
            or self._kept_apart(run, self._deadly_workflows())
            or self._pause_of(run) is not None
        ):
            return
        self._own_with(holder, run, write.token, taken.version)

    def _create(self, holder: StoredWorker, write: RunWrite, created: CreatedRun) -> None:
        """Create a run that a worker owns from its first write on."""
        start = created.start
        if start.workflow in self._deadly_workflows() or self._pause_together(
            start.workflow, start.namespace
        ):
            return
        if not self._insert(created.start, created.started_at).existing:
            self._own_with(holder, self._runs[created.start.id], write.token, created.version)

    def _holds_token(self, worker: Worker, write: RunWrite) -> bool:
        run = self._runs.get(write.run_id)
        return run is not None and run.owner == worker.id and run.token == write.token

    def _check_seqs(self, writes: Sequence[RunWrite]) -> None:
        """Raise before anything is applied if a history already has an event with the same seq (P3)."""
        new: set[tuple[RunId, int]] = set()
        for write in writes:
            history = self._runs[write.run_id].events
            for event in write.events:
                index = bisect_left(history, event.seq, key=_seq)
                taken = index < len(history) and history[index].seq == event.seq
                if taken or (write.run_id, event.seq) in new:
                    raise RuntimeError(f"run {write.run_id} already has an event {event.seq}")
                new.add((write.run_id, event.seq))

    def _apply(self, write: RunWrite) -> None:
        run = self._runs[write.run_id]
        for event in write.events:
            insort(run.events, event._replace(body=frozen(event.body)), key=_seq)
        for id in write.consumed:
            run.inbox.pop(id, None)
        for seq in write.dropped_tasks:
            self._drop_task(write.run_id, seq)
        for task in write.tasks:
            self._queue_task(write.run_id, task)
        if write.version is not None:
            run.version = write.version
        if write.refusal is not None:
            run.refused.pop(write.refusal.version, None)
            run.refused[write.refusal.version] = write.refusal
        for name, value in write.published:
            self._published[run.chain][name] = PublishedValue(value, self.now())
        if write.attributes is not None:
            # A new dict, so that rows returned before do not change.
            run.attributes = run.attributes | json_copy(write.attributes)
            run.updated_at = self.now()
        if write.transition is not None:
            self._change(run, _blocked_again(run, write, write.transition))

    def _apply_to_others(self, writes: Sequence[RunWrite]) -> None:
        """Apply the effects of writes on other runs, after the whole batch."""
        for write in writes:
            run = self._runs[write.run_id]
            self._create_children(run, write.children)
            if write.successor is not None:
                self._create_successor(run, write.successor)
        for write in writes:
            children = [child for id in write.cancels if (child := self._latest(id)) is not None]
            self._after_ends(self._request_cancel(children, BY_PARENT))
        changed = [self._runs[id] for id in dict.fromkeys(write.run_id for write in writes)]
        self._after_ends([run for run in changed if run.state.terminal])
        self._end_stopped(changed)
        if any(write.children or write.successor for write in writes):
            self._notifications.send(Topic.WORK)
        published = {self._runs[write.run_id].chain for write in writes if write.published}
        if published:
            self._notifications.send(Topic.PUBLISHED, sorted(published))

    def _queue_task(self, run_id: RunId, task: NewTask) -> None:
        """Add a task, or replace the row of an earlier dispatch of the same command."""
        before = self._tasks.get((run_id, task.seq))
        if before is None or before.task.dispatch < task.dispatch:
            stored = StoredTask(run_id, task, next(self._ages), queued_at=self.now())
            self._tasks[run_id, task.seq] = self._runs[run_id].tasks[task.seq] = stored

    def _change(self, run: StoredRun, change: Transition) -> None:
        self._enter(run, change.state)
        run.due_at = change.due_at
        run.result = change.result
        run.error = change.error
        run.reason = change.reason
        run.fault = change.fault
        run.blocked_by = change.code
        run.tried_in = None
        suspended = change.state is RunState.SUSPENDED and change.waits is not None
        run.waits = tuple(change.waits or ()) if suspended else None
        if change.progress:
            run.deaths = 0
        run.updated_at = self.now()
        run.completed_at = run.updated_at if change.state.terminal else None
        if change.release or change.state >= RunState.BLOCKED:
            self._release(run)
        if change.state.terminal:
            self._drop_tasks(run)
            if change.retention is not None:
                run.retain_until = run.updated_at + round(change.retention * MICROSECONDS)
        if run.claimable:
            self._make_claimable(run)

    def _notify_of(self, writes: Sequence[RunWrite]) -> None:
        if any(write.tasks for write in writes):
            self._notifications.send(Topic.TASKS)
        ended = [write.run_id for write in writes if self._runs[write.run_id].state.terminal]
        if ended:
            self._notifications.send(Topic.DONE, ended)


def _blocked_again(run: StoredRun, write: RunWrite, change: Transition) -> Transition:
    """Return the transition of a run that other code tries: what that refuses is blocked as before."""
    if run.tried_in != run.attempt:
        return change
    code = " ".join(filter(None, (run.blocked_by, change.code)))
    if change.state is RunState.BLOCKED:
        return replace(change, code=code)
    if change.state is RunState.SUSPENDED and write.refusal is not None:
        return Transition(RunState.BLOCKED, reason=run.reason, fault=run.fault, code=code)
    return change
