"""Starting runs, and changing their owners: claim, release, unblock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from continuum.engine.ids import RunId
from continuum.journal.announcement import announcement, completed
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.limits import FOREIGN_GRACE_SECONDS
from continuum.journal.memory.due_runs import Group
from continuum.journal.memory.families import MemoryFamilies
from continuum.journal.memory.tables import MICROSECONDS, StoredRun, StoredWorker, json_copy
from continuum.journal.port import ClaimedRun, Loaded, NewRun, RunState, Started, Topic, Worker

_FOREIGN_GRACE = round(FOREIGN_GRACE_SECONDS * MICROSECONDS)


class LoadedCode:
    """The versions that a worker has loaded, indexed by workflow."""

    def __init__(self, code: Sequence[Loaded]) -> None:
        self.current: dict[str, str] = {}
        self._exact: set[tuple[str, str]] = set()
        self._taking_others: defaultdict[str, list[str]] = defaultdict(list)
        for loaded in code:
            self._exact.add((loaded.workflow, loaded.version))
            if loaded.current:
                self.current.setdefault(loaded.workflow, loaded.version)
            if loaded.takes_others:
                self._taking_others[loaded.workflow].append(loaded.version)

    def has(self, run: StoredRun) -> bool:
        """Whether a run has one of these versions; a run without a version has the current one."""
        return self.has_version(run.start.workflow, run.version)

    def has_version(self, workflow: str, version: str | None) -> bool:
        """Whether a version is loaded; None stands for the current one."""
        return workflow in self.current if version is None else (workflow, version) in self._exact

    def takes_others(self, workflow: str) -> bool:
        """Whether some version of a workflow takes runs of others."""
        return workflow in self._taking_others

    def may_try(self, run: StoredRun) -> bool:
        """Whether a version that takes runs of others was not refused for this run before."""
        trying = self._taking_others.get(run.start.workflow, ())
        return run.version is not None and any(version not in run.refused for version in trying)


class MemoryClaims(MemoryFamilies):
    """Ownership of runs."""

    async def start(self, runs: Sequence[NewRun]) -> list[Started]:
        """Create runs. For a taken idempotency key or id, return the run that has it."""
        started = [self._start(run) for run in runs]
        if not all(run.existing for run in started) and not (len(runs) == 1 and self._announce(runs[0])):
            self._notifications.send(Topic.WORK)
        return started

    async def announce_work(self) -> None:
        """Notify every worker that runs may have become claimable."""
        self._notifications.send(Topic.WORK)

    async def draw_tokens(self, count: int) -> list[int]:
        """Return tokens that no claim will get."""
        return [next(self._tokens) for _ in range(count)]

    def _announce(self, run: NewRun) -> bool:
        """Announce a start to one worker; False if there is none that may take it."""
        text, channel = announcement(run), self._listener_for(run)
        if text is None or channel is None:
            return False
        self._notifications.announce(channel, completed(text, self._runs[run.id].started_at))
        return True

    def _start(self, new: NewRun) -> Started:
        started = self._insert(new, self.now())
        if not started.existing:
            self._make_claimable(self._runs[new.id])
        if new.audit is not None:
            outcome = ChangeOutcome.ALREADY if started.existing else ChangeOutcome.DONE
            self._record(new.audit._replace(subject=started.run_id), outcome)
        return started

    def _insert(self, new: NewRun, started_at: int) -> Started:
        """Store a run unless its id or key is taken."""
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
        self._add(StoredRun(new, next(self._ages), started_at, now, now, json_copy(new.attributes)))
        return Started(new.id, False)

    async def claim(
        self,
        worker: Worker,
        code: Sequence[Loaded],
        limit: int,
        *,
        namespaces: Sequence[str] | None = None,
    ) -> list[ClaimedRun]:
        """Take ownership of up to `limit` due runs of `namespaces` that `code` can execute."""
        holder = self._leased(worker)
        if limit < 1:
            return []
        loaded, deadly = LoadedCode(code), self._deadly_workflows()
        passed: list[StoredRun] = []
        claimed: list[ClaimedRun] = []

        def may_take(group: Group) -> bool:
            return namespaces is None or group.namespace in namespaces

        def own(group: Group) -> bool:
            return may_take(group) and loaded.has_version(group.workflow, group.version)

        def others(group: Group) -> bool:
            return may_take(group) and not own(group) and loaded.takes_others(group.workflow)

        for wanted, may_own, waited in ((own, loaded.has, 0), (others, loaded.may_try, _FOREIGN_GRACE)):
            for run in self._in_turn(wanted, self.now() - waited):
                if self._kept_apart(run, deadly) or self._pause_of(run) is not None or not may_own(run):
                    passed.append(run)
                    continue
                claimed.append(self._own(holder, run, loaded))
                if len(claimed) >= limit:
                    break
            if len(claimed) >= limit:
                break
        for run in passed:
            self._make_claimable(run)
        return claimed

    async def next_due(
        self, code: Sequence[Loaded], *, namespaces: Sequence[str] | None = None
    ) -> int | None:
        """Return when the next run that a claim with the same arguments takes is due."""
        loaded, deadly = LoadedCode(code), self._deadly_workflows()
        ahead = ((entry.due_at, self._runs.get(entry.run_id)) for entry in self._due)
        return min(
            (
                due if loaded.has(run) else due + _FOREIGN_GRACE
                for due, run in ahead
                if run is not None
                and self._is_due(run, due)
                and within(namespaces, run)
                and not self._kept_apart(run, deadly)
                and self._pause_of(run) is None
                and (loaded.has(run) or loaded.may_try(run))
            ),
            default=None,
        )

    async def release_other_runs(self, worker: Worker, keep: Sequence[RunId]) -> int:
        """Release all runs of this worker except `keep`, due at once."""
        holder = self._workers.get(worker.id)
        lost = [run_id for run_id in holder.runs if run_id not in set(keep)] if holder else []
        for run_id in lost:
            run = self._runs[run_id]
            self._release(run)
            run.due_at = run.updated_at = self.now()
            self._make_claimable(run)
        if lost:
            self._notifications.send(Topic.WORK)
        return len(lost)

    def _in_turn(self, wanted: Callable[[Group], bool], by: int) -> Iterator[StoredRun]:
        """Remove the runs of wanted groups that were due by a time, and yield them in turns, each once."""
        seen: set[RunId] = set()
        for due_at, _, run_id in self._due.take(by, wanted):
            run = self._runs.get(run_id)
            if run is not None and run_id not in seen and self._is_due(run, due_at):
                seen.add(run_id)
                yield run

    @staticmethod
    def _is_due(run: StoredRun, due_at: int) -> bool:
        """Whether a run is due at that time."""
        return run.claimable and run.due_at == due_at

    def _own(self, holder: StoredWorker, run: StoredRun, loaded: LoadedCode) -> ClaimedRun:
        version = run.version or loaded.current[run.start.workflow]
        self._own_with(holder, run, next(self._tokens), version)
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
            fresh=run.attempt == 1 and not run.inbox,
            parent=run.parent,
            depth=run.depth,
            root=run.chain,
        )

    def _own_with(self, holder: StoredWorker, run: StoredRun, token: int, version: str) -> None:
        run.owner = holder.worker.id
        run.claimed_at = self.now()
        holder.runs[run.start.id] = None
        run.token = token
        run.version = version
        self._enter(run, RunState.RUNNING)
        run.due_at = None
        run.attempt += 1
        run.updated_at = self.now()

    async def release(
        self, worker: Worker, run_ids: Sequence[RunId], *, crashed: bool, poison_after: int
    ) -> None:
        """Give runs up so that others can claim them at once. `crashed` counts a death against each."""
        for run_id in run_ids:
            run = self._runs.get(run_id)
            if run is None or run.owner != worker.id:
                continue
            self._release(run)
            run.due_at = run.updated_at = self.now()
            if crashed:
                self._count_death(run, poison_after, _failed_inside)
            if run.claimable:
                self._make_claimable(run)
                self._notifications.send(Topic.WORK)

    async def unblock(
        self,
        workflows: Sequence[str],
        run_ids: Sequence[RunId] | None = None,
        *,
        namespaces: Sequence[str] | None = None,
        code: str | None = None,
        audit: AuditFacts | None = None,
    ) -> int:
        """Make blocked runs of these workflows claimable again; return how many."""
        asked = self._runs if run_ids is None else run_ids
        blocked = [
            run
            for run_id in asked
            if (run := self._runs.get(run_id)) is not None
            and run.state == RunState.BLOCKED
            and run.start.workflow in workflows
            and within(namespaces, run)
            and (code is None or _waits_for_code(run, code))
        ]
        self._unblock(blocked, code)
        self._record(audit, ChangeOutcome.DONE if blocked else ChangeOutcome.ALREADY)
        return len(blocked)

    def _unblock(self, blocked: Sequence[StoredRun], code: str | None) -> None:
        for run in blocked:
            self._enter(run, RunState.RUNNING)
            if code is None:
                run.reason = run.fault = None
            run.tried_in = None if code is None else run.attempt + 1
            run.deaths = 0
            run.due_at = run.updated_at = self.now()
            self._make_claimable(run)
        if blocked:
            self._notifications.send(Topic.WORK)


def _waits_for_code(run: StoredRun, code: str) -> bool:
    return run.fault is not None and run.fault.may_change_with_code and code not in (run.blocked_by or "")


def within(namespaces: Sequence[str] | None, run: StoredRun) -> bool:
    """Whether a run is of one of these namespaces."""
    return namespaces is None or run.start.namespace in namespaces


def _failed_inside(times: int) -> str:
    return f"executing it failed {times} times inside the engine"
