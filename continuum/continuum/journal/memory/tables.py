"""The tables of the memory journal, and the operations that several of its parts share.

The tables are those of the SQL schema. Nothing here awaits, so in one
asyncio loop every method that uses it is a transaction.

Claims find a run without owner through `_due`; a run with mail is due. Its entries may be
outdated: one whose run has changed since is dropped when it is reached.
"""

from __future__ import annotations

import json
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count
from typing import Any

from continuum.engine.events import Event
from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.journal.audit_facts import AuditFacts, AuditRow, ChangeOutcome
from continuum.journal.change_port import Position, StateChanged
from continuum.journal.forked_run import StoredFork
from continuum.journal.limits import DEADLY_RUNS, DEADLY_SECONDS
from continuum.journal.memory.due_runs import DueRun, DueRuns, Group
from continuum.journal.memory.notifications import Broadcast
from continuum.journal.memory.report_row import ReportRow
from continuum.journal.memory.stored_stats import StoredStatistics
from continuum.journal.operation_facts import NewOperation, OperationState
from continuum.journal.operation_reasons import Reason
from continuum.journal.pause_facts import PauseKind, PauseScope, StoredPause
from continuum.journal.port import (
    ClosePolicy,
    Committed,
    Fault,
    InboxKind,
    InboxRow,
    LeaseLost,
    NewRun,
    NewTask,
    NodeFacts,
    Posted,
    PublishedValue,
    Refusal,
    RunState,
    Topic,
    VersionRow,
    Worker,
)
from continuum.journal.resumed_run import woken
from continuum.journal.snapshot_codec import Part
from continuum.journal.suspect_port import Place
from continuum.journal.view_port import SavedView
from continuum.journal.wait import Wait

MICROSECONDS = 1_000_000
_NOTHING_COMMITTED = Committed(0, frozenset())
# What the audit says of a post.
OUTCOMES = {
    Posted.ACCEPTED: ChangeOutcome.DONE,
    Posted.DUPLICATE: ChangeOutcome.ALREADY,
    Posted.NOT_FOUND: ChangeOutcome.NOT_FOUND,
    Posted.TERMINAL: ChangeOutcome.REFUSED,
    Posted.STALE: ChangeOutcome.STALE,
}


def system_clock() -> int:
    """Return this machine's time in microseconds since the epoch."""
    return time.time_ns() // 1000


def json_copy(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as a JSON column would return them."""
    copy: dict[str, Any] = json.loads(json.dumps(dict(attributes)))
    return copy


def frozen(body: Sequence[Any]) -> tuple[Any, ...]:
    """Return a body as storage returns it: its lists are tuples."""
    return tuple(frozen(item) if isinstance(item, list | tuple) else item for item in body)


@dataclass(frozen=True, slots=True)
class StoredSnapshots:
    """The compacted parts of one history, in order, and the version of the code they are for."""

    version: str
    parts: tuple[Part, ...]


@dataclass(slots=True)
class StoredRun:
    """A run's row, its history and its inbox.

    `age` numbers runs in the order of their starts, `children` are those that have not ended, `refused`
    has the versions that cannot continue its history, `root` is the first run of its chain.
    """

    start: NewRun
    age: int
    started_at: int
    updated_at: int
    due_at: int | None
    attributes: dict[str, Any]
    version: str | None = None
    state: RunState = RunState.RUNNING
    owner: WorkerId | None = None
    claimed_at: int | None = None
    token: int = 0
    attempt: int = 0
    deaths: int = 0
    result: bytes | None = None
    error: bytes | None = None
    reason: str | None = None
    fault: Fault | None = None
    # The digests of the code that has blocked it.
    blocked_by: str | None = None
    # The attempt in which other code tries it, which keeps its reason until then.
    tried_in: int | None = None
    waits: Sequence[Wait] | None = None
    completed_at: int | None = None
    parent: RunId | None = None
    parent_seq: int | None = None
    close_policy: ClosePolicy = ClosePolicy.CASCADE
    depth: int = 0
    root: RunId | None = None
    continued_from: RunId | None = None
    continued_to: RunId | None = None
    retain_until: int | None = None
    # Its own pause, and when a request to stop has lifted those that there were.
    paused: StoredPause | None = None
    pause_lifted_at: int | None = None
    refused: dict[str, Refusal] = field(default_factory=dict)
    children: dict[RunId, None] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    inbox: dict[int, InboxRow] = field(default_factory=dict)
    tasks: dict[int, StoredTask] = field(default_factory=dict)
    snapshots: StoredSnapshots | None = None

    @property
    def length(self) -> int:
        """The seq behind its last event."""
        return self.events[-1].seq + 1 if self.events else 0

    @property
    def chain(self) -> RunId:
        """The first run of its chain, possibly this run."""
        return self.root or self.start.id

    @property
    def waits_alone(self) -> bool:
        """Whether it waits without an owner and without a parent, and no code has refused it."""
        waits = self.owner is None and self.state is RunState.SUSPENDED and self.version is not None
        return waits and self.parent is None and not self.depth and not self.refused

    @property
    def claimable(self) -> bool:
        """Whether a worker may claim it once it is due."""
        return self.owner is None and self.state <= RunState.SUSPENDED


@dataclass(slots=True)
class StoredTask:
    """A task's row. `age` numbers tasks in the order they became claimable."""

    run_id: RunId
    task: NewTask
    age: int
    owner: WorkerId | None = None
    claimed_at: int = 0
    queued_at: int = 0

    def overdue(self, now: int) -> bool:
        """Whether its owner has run it for longer than its timeout."""
        return self.task.timeout > 0 and now >= self.claimed_at + self.task.timeout * MICROSECONDS


class Suspicion(IntEnum):
    """In what company a suspect is tried next."""

    NONE = 0
    ANY = 1
    MANY = 2
    HALF = 3
    FEW = 4
    FEWER = 5
    TWO = 6
    ALONE = 7


@dataclass(frozen=True, slots=True)
class StoredSuspect:
    """A suspect's row. `worker` died last; `since` is the time of that death or of the last acquittal.

    `acquittals` are those after which a process died. See `EarlierDeaths` for `lived`.
    """

    level: Suspicion
    worker: WorkerId
    since: int
    acquittals: int = 0
    lived: float = 0.0
    killed_at: int | None = None


@dataclass(slots=True)
class StoredWorker:
    """A worker's row and the runs it owns. `batch` numbers its last commit, `committed` is its outcome."""

    worker: Worker
    pid: int
    expires_at: int
    renewed_at: int
    namespaces: Sequence[str] | None
    role: str
    channel: str | None = None
    batch: int = 0
    committed: Committed = _NOTHING_COMMITTED
    runs: dict[RunId, None] = field(default_factory=dict)


@dataclass(slots=True)
class StoredOperation:
    """An operation's row; `reached` is the run up to which all have been looked at."""

    operation: NewOperation
    created_at: int
    updated_at: int
    state: OperationState = OperationState.RUNNING
    reached: str = ""
    done: int = 0
    skipped: int = 0
    failed: int = 0
    token: int = 0
    leased_until: int = 0
    reasons: Sequence[Reason] = ()


@dataclass(slots=True)
class ForkRow:
    """A fork's row; `family` is the chain that all its relatives come from."""

    stored: StoredFork
    family: RunId
    made_at: int


@dataclass(slots=True)
class StoredNode:
    """A node's row."""

    facts: NodeFacts
    renewed_at: int
    drain: bool = False


class MemoryTables:
    """Every table, and the shared operations on them."""

    def __init__(self, clock: Callable[[], int] = system_clock) -> None:
        self._clock = clock
        self._runs: dict[RunId, StoredRun] = {}
        self._keys: dict[tuple[str, str, str], RunId] = {}
        self._workers: dict[WorkerId, StoredWorker] = {}
        self._nodes: dict[NodeId, StoredNode] = {}
        self._reports: dict[NodeId, ReportRow] = {}
        self._secrets: dict[str, bytes] = {}
        self._views: dict[str, SavedView] = {}
        self._tasks: dict[tuple[RunId, int], StoredTask] = {}
        self._deliveries: set[tuple[RunId, str, str]] = set()
        self._heartbeats: defaultdict[RunId, dict[int, bytes]] = defaultdict(dict)
        self._results: dict[tuple[str, str], bytes] = {}
        self._chains: dict[RunId, list[RunId]] = {}
        self._forks: dict[RunId, ForkRow] = {}
        self._versions: dict[tuple[str, str], VersionRow] = {}
        self._published: defaultdict[RunId, dict[str, PublishedValue]] = defaultdict(dict)
        self._suspects: dict[Place, StoredSuspect] = {}
        self._audit: dict[str, AuditRow] = {}
        self._statistics = StoredStatistics()
        # When each finding was reviewed.
        self._reviews: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._operations: dict[str, StoredOperation] = {}
        self._pauses: dict[PauseScope, StoredPause] = {}
        self._due = DueRuns()
        # Changes of states in order, and the position of the last one that has been removed.
        self._changes: list[StateChanged] = []
        self._removed_changes: Position = 0
        self._change_positions = count(1)
        self._notifications = Broadcast()
        self._worker_ids = count(1)
        self._tokens = count(1)
        self._inbox_ids = count(1)
        self._ages = count(1)

    def now(self) -> int:
        """Return the clock's time in microseconds."""
        return self._clock()

    def _leased(self, worker: Worker) -> StoredWorker:
        stored = self._workers.get(worker.id)
        if stored is None or stored.expires_at <= self.now():
            raise LeaseLost(worker.id)
        return stored

    def _deadly_workflows(self) -> set[str]:
        """Return the workflows whose runs have killed several processes lately."""
        if not self._suspects:
            return set()
        after = self.now() - DEADLY_SECONDS * MICROSECONDS
        killed = Counter(
            self._runs[run_id].start.workflow
            for (run_id, _), suspect in self._suspects.items()
            if suspect.killed_at is not None and suspect.killed_at > after and run_id in self._runs
        )
        return {workflow for workflow, runs in killed.items() if runs >= DEADLY_RUNS}

    def _in_quarantine(self, run_id: RunId, seq: int | None = None) -> bool:
        """Whether a run or task is tried apart from others."""
        suspect = self._suspects.get((run_id, seq))
        return suspect is not None and suspect.level > Suspicion.ANY

    def _kept_apart(self, run: StoredRun, deadly: set[str]) -> bool:
        """Whether a run is left to the processes that try suspects."""
        return run.start.workflow in deadly or self._in_quarantine(run.start.id)

    def _may_be_resumed(self, run: StoredRun) -> bool:
        """Whether a first write may take a run that mail has woken."""
        apart = self._kept_apart(run, self._deadly_workflows())
        return run.waits_alone and not apart and self._pause_of(run) is None

    def _pause_of(self, run: StoredRun) -> StoredPause | None:
        """Return what pauses an open run: its own pause, or the earliest that holds it with others."""
        if run.paused is not None or run.state.terminal:
            return None if run.state.terminal else run.paused
        return self._pause_together(run.start.workflow, run.start.namespace, run.pause_lifted_at)

    def _pause_together(self, workflow: str, namespace: str, lifted: int | None = None) -> StoredPause | None:
        holding = [
            pause
            for scope, pause in self._pauses.items()
            if scope.holds(workflow, namespace) and (lifted is None or pause.since > lifted)
        ]
        return min(holding, key=lambda pause: pause.since, default=None)

    def _is_task_paused(self, stored: StoredTask) -> bool:
        queue = PauseScope(PauseKind.QUEUE, stored.task.queue)
        return queue in self._pauses or self._pause_of(self._runs[stored.run_id]) is not None

    def _paused_runs_of(self, worker: WorkerId) -> list[RunId]:
        stored = self._workers.get(worker)
        owned = [] if stored is None else stored.runs
        return [run_id for run_id in owned if self._pause_of(self._runs[run_id]) is not None]

    def _lift_pauses(self, run: StoredRun) -> None:
        """Lift the pauses of a run that is asked to stop: it continues to its end, and compensates."""
        if self._pause_of(run) is not None:
            run.paused, run.pause_lifted_at = None, self.now()
            self._notify_of_pauses([run.start.id])

    def _notify_of_pauses(self, ids: Sequence[RunId]) -> None:
        """Notify that these runs may continue, or any."""
        self._notifications.send(Topic.PAUSED, ids)
        self._notifications.send(Topic.WORK)
        self._notifications.send(Topic.TASKS)

    def _latest(self, run_id: RunId) -> StoredRun | None:
        """Return the latest run of a run's chain."""
        run = self._runs.get(run_id)
        return run if run is None or run.continued_to is None else self._runs[self._chains[run.chain][-1]]

    def _code_of(self, run: StoredRun) -> VersionRow | None:
        """Return the row of a run's version; for a run without one, the latest row of its workflow."""
        rows = [
            row
            for row in self._versions.values()
            if row.workflow == run.start.workflow and run.version in (None, row.version)
        ]
        # The largest of the labels that one node registered together is current.
        return max(rows, key=lambda row: (row.registered_at, len(row.label), row.label), default=None)

    def _make_claimable(self, run: StoredRun) -> None:
        """Let claims find a run that has no owner any more."""
        now = self.now()
        if run.inbox and (run.due_at is None or run.due_at > now):
            run.due_at = now
        if run.due_at is not None:
            group = Group(run.start.namespace, run.start.workflow, run.version)
            self._due.add(group, DueRun(run.due_at, run.age, run.start.id))

    def _add(self, run: StoredRun) -> None:
        """Store a new run."""
        self._runs[run.start.id] = run
        self._record_change(run, None)

    def _enter(self, run: StoredRun, state: RunState) -> None:
        """Change a run's state, and record the change."""
        if state is not run.state:
            run.state = state
            self._record_change(run, state)

    def _record_change(self, run: StoredRun, state: RunState | None) -> None:
        start, position = run.start, next(self._change_positions)
        changed = StateChanged(position, start.id, start.workflow, start.namespace, state, self.now())
        self._changes.append(changed)

    def _record(self, audit: AuditFacts | None, outcome: ChangeOutcome | Posted) -> None:
        """Record a change that a person has made, once however often its call is repeated."""
        if audit is None or audit.id in self._audit:
            return
        result = OUTCOMES[outcome] if isinstance(outcome, Posted) else outcome
        arguments = json_copy(audit.arguments)
        self._audit[audit.id] = AuditRow(
            audit.id,
            self.now(),
            audit.actor,
            audit.via,
            audit.action,
            audit.subject,
            arguments,
            audit.reason,
            result,
        )

    def _release(self, run: StoredRun) -> None:
        """Remove a run's owner, if it has one."""
        if run.owner is not None:
            del self._workers[run.owner].runs[run.start.id]
            run.owner = None

    def _drop_task(self, run_id: RunId, seq: int) -> StoredTask | None:
        """Remove a task, if it exists."""
        stored = self._tasks.pop((run_id, seq), None)
        if stored is not None:
            del self._runs[run_id].tasks[seq]
        return stored

    def _drop_tasks(self, run: StoredRun) -> None:
        """Remove the tasks of a run that has ended: no code waits for them."""
        for seq in list(run.tasks):
            self._drop_task(run.start.id, seq)

    def _deliver(
        self, run: StoredRun, kind: InboxKind, name: str, body: tuple[Any, ...], key: str | None
    ) -> bool:
        """Write an inbox row; False when a row with the same key waits there."""
        if key is not None and any(
            row.key == key and row.kind == kind and row.name == name for row in run.inbox.values()
        ):
            return False
        row = InboxRow(next(self._inbox_ids), run.start.id, kind, name, frozen(body), key)
        run.inbox[row.id] = row
        if run.claimable:
            self._make_claimable(run)
        return True

    def _notify_of_mail(self, runs: Iterable[StoredRun]) -> None:
        """Notify of mail: the owners of runs, or the workers that may claim them."""
        owned, free = [], []
        for run in runs:
            if run.owner is None:
                free.append(run)
            else:
                owned.append(run.start.id)
        if owned:
            self._notifications.send(Topic.WAKE, owned)
        if free and not (len(free) == 1 and self._announce_mail(free[0])):
            self._notifications.send(Topic.WORK)

    def _announce_mail(self, run: StoredRun) -> bool:
        """Announce a run that has mail to one worker; False if the run is left to claims."""
        channel = self._listener_for(run.start) if self._may_be_resumed(run) else None
        if channel is None:
            return False
        self._notifications.announce(channel, woken(run.start.id))
        return True

    def _listener_for(self, run: NewRun) -> str | None:
        """Return the channel of one worker that lives and has the code of a run."""
        channels = [
            worker.channel
            for worker in self._workers.values()
            if worker.channel is not None and self._may_be_told(worker, run)
        ]
        return channels[zlib.crc32(run.id.encode()) % len(channels)] if channels else None

    def _may_be_told(self, worker: StoredWorker, run: NewRun) -> bool:
        """Whether a worker lives, as far as is known, and has the code of a run."""
        node = self._nodes.get(worker.worker.node)
        return (
            node is not None
            and node.facts.state == "up"
            and run.workflow in node.facts.workflows
            and (worker.namespaces is None or run.namespace in worker.namespaces)
            # It has renewed its lease of late.
            and self.now() < (worker.renewed_at + worker.expires_at) // 2
        )
