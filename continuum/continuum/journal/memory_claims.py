"""How runs begin and change hands: started, claimed, released, unblocked, ended by force."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heappop

from continuum.engine.ids import RunId
from continuum.journal.memory_tables import MemoryTables, StoredRun, StoredWorker, json_copy
from continuum.journal.port import ClaimedRun, NewRun, Posted, RunState, Started, Topic, Worker


class MemoryClaims(MemoryTables):
    """Who owns which run."""

    async def start(self, runs: Sequence[NewRun]) -> list[Started]:
        """Create runs. A taken idempotency key or id gives the run that has it."""
        started = [self._start(run) for run in runs]
        if not all(answer.existing for answer in started):
            self._hints.tell(Topic.WORK)
        return started

    def _start(self, new: NewRun) -> Started:
        key = None
        if new.idempotency_key is not None:
            key = (new.namespace, new.workflow, new.idempotency_key)
            if key in self._keys:
                return Started(self._keys[key], True)
        if new.id in self._runs:
            return Started(new.id, True)
        if key is not None:
            self._keys[key] = new.id
        now = self.now()
        run = StoredRun(new, next(self._ages), now, now, now, json_copy(new.attributes))
        self._runs[new.id] = run
        self._offer(run)
        return Started(new.id, False)

    async def claim(self, worker: Worker, code: Sequence[tuple[str, str]], limit: int) -> list[ClaimedRun]:
        """Own up to `limit` runs that have something to do and whose code is loaded."""
        holder = self._leased(worker)
        if limit < 1:
            return []
        loaded = frozenset(code)
        newest: dict[str, str] = {}
        for name, loaded_version in code:
            newest.setdefault(name, loaded_version)
        passed: list[StoredRun] = []
        claimed: list[ClaimedRun] = []
        for run in self._something_to_do():
            workflow = run.start.workflow
            version: str | None = newest.get(workflow) if run.version is None else run.version
            if version is None or (workflow, version) not in loaded:
                passed.append(run)
                continue
            claimed.append(self._own(holder, run, version))
            if len(claimed) >= limit:
                break
        for run in passed:
            self._offer(run)
        return claimed

    async def next_due(self, code: Sequence[tuple[str, str]]) -> int | None:
        """Return when the next run that nobody owns and `code` can execute is due."""
        loaded, names = frozenset(code), frozenset(workflow for workflow, _ in code)
        ahead = ((due, self._runs[run_id]) for due, _, run_id in self._due)
        return min(
            (
                due
                for due, run in ahead
                if self._is_due(run, due)
                and (
                    run.start.workflow in names
                    if run.version is None
                    else (run.start.workflow, run.version) in loaded
                )
            ),
            default=None,
        )

    async def disown_runs(self, worker: Worker, keep: Sequence[RunId]) -> int:
        """Free what this worker owns beside `keep`, due at once."""
        holder = self._workers.get(worker.id)
        lost = [run_id for run_id in holder.runs if run_id not in set(keep)] if holder else []
        for run_id in lost:
            run = self._runs[run_id]
            self._disown(run)
            run.due_at = run.updated_at = self.now()
            self._offer(run)
        if lost:
            self._hints.tell(Topic.WORK)
        return len(lost)

    def _something_to_do(self) -> Iterator[StoredRun]:
        """Take runs out of the places to look: the due ones, oldest first, then those with mail."""
        now = self.now()
        while self._due and self._due[0][0] <= now:
            due_at, _, run_id = heappop(self._due)
            run = self._runs[run_id]
            if self._is_due(run, due_at):
                yield run
        for run_id in list(self._mailed):
            del self._mailed[run_id]
            run = self._runs[run_id]
            if run.free and run.inbox:
                yield run

    @staticmethod
    def _is_due(run: StoredRun, due_at: int) -> bool:
        """Whether an entry of the heap still says the truth."""
        return run.free and run.due_at == due_at

    def _own(self, holder: StoredWorker, run: StoredRun, version: str) -> ClaimedRun:
        run.owner = holder.worker.id
        holder.runs[run.start.id] = None
        run.token = next(self._tokens)
        run.version = version
        run.state = RunState.RUNNING
        run.due_at = None
        run.attempt += 1
        run.updated_at = self.now()
        return ClaimedRun(
            id=run.start.id,
            token=run.token,
            workflow=run.start.workflow,
            version=version,
            namespace=run.start.namespace,
            input=run.start.input,
            started_at=run.started_at,
            attempt=run.attempt,
            trace_context=run.start.trace_context,
            fresh=run.attempt == 1,
        )

    async def release(
        self, worker: Worker, run_ids: Sequence[RunId], *, crashed: bool, poison_after: int
    ) -> None:
        """Give runs up so that they are claimed anew at once. `crashed` counts a death against each."""
        for run_id in run_ids:
            run = self._runs.get(run_id)
            if run is None or run.owner != worker.id:
                continue
            self._disown(run)
            run.due_at = run.updated_at = self.now()
            if crashed:
                self._count_death(run, poison_after)
            if run.free:
                self._offer(run)
                self._hints.tell(Topic.WORK)

    async def unblock(self, workflows: Sequence[str], run_ids: Sequence[RunId] | None = None) -> int:
        """Make blocked runs of these workflows claimable once more; return how many."""
        asked = self._runs if run_ids is None else run_ids
        blocked = [
            run
            for run_id in asked
            if (run := self._runs.get(run_id)) is not None
            and run.state == RunState.BLOCKED
            and run.start.workflow in workflows
        ]
        for run in blocked:
            run.state = RunState.RUNNING
            run.reason = None
            run.deaths = 0
            run.due_at = run.updated_at = self.now()
            self._offer(run)
        if blocked:
            self._hints.tell(Topic.WORK)
        return len(blocked)

    async def force_cancel(self, run_id: RunId) -> Posted:
        """End a run as cancelled at once; its owner is fenced off."""
        run = self._runs.get(run_id)
        if run is None:
            return Posted.NOT_FOUND
        if run.state.terminal:
            return Posted.TERMINAL
        self._disown(run)
        self._call_off(run_id)
        run.state = RunState.CANCELLED
        run.reason = None
        run.due_at = None
        run.updated_at = run.completed_at = self.now()
        self._hints.tell(Topic.DONE, [run_id])
        # The mark tells a host that the run is no longer its own, where a plain id means mail.
        self._hints.tell(Topic.WAKE, [f"!{run_id}"])
        return Posted.ACCEPTED
