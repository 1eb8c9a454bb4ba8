"""The values of the port: states, claims, writes, mail, tasks, nodes. Data only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

from continuum.engine.events import Event
from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.engine.snapshot_history import CompactHistory
from continuum.errors import ContinuumError
from continuum.journal.announced_run import CreatedRun, TakenRun
from continuum.journal.audit_facts import AuditFacts
from continuum.journal.family_facts import NewChild, Successor
from continuum.journal.node_code import NodeCode
from continuum.journal.pause_facts import StoredPause
from continuum.journal.resumed_run import ResumedRun
from continuum.journal.silence import Silence
from continuum.journal.version_facts import Fault, Refusal
from continuum.journal.wait import Wait

Namespaces: TypeAlias = Sequence[str] | None  # that a worker claims from; None for all


class RunState(IntEnum):
    """The stored numbers of a run's states; the public names are the lower-case ones."""

    RUNNING = 1
    SUSPENDED = 2
    BLOCKED = 3
    COMPLETED = 4
    FAILED = 5
    CANCELLED = 6
    CONTINUED = 7  # ended, and its successor does the rest of its work

    @property
    def terminal(self) -> bool:
        """Whether the run has ended."""
        return self >= RunState.COMPLETED


class InboxKind(IntEnum):
    """The meaning of an inbox row, and the shape of its body.

    SIGNAL: (value bytes,), named by the signal, keyed by delivery id. CANCEL: (). Activity results are named
    by the command's seq and keyed by the dispatch number: COMPLETED (result bytes,), RAISED (type, message,
    traceback, names of the exception's classes), CRASHED () — it killed the process that ran it —,
    TIMED_OUT (): that process died after the task's timeout, and INTERRUPTED (): it was stopped in order or
    something else killed it, which is no crash. A child's end is named by the seq of the parent's command:
    CHILD_COMPLETED (result bytes,), CHILD_FAILED (type, message, traceback), CHILD_CANCELLED (). The name of
    a CANCEL is "" when it was requested from outside, "parent" when the run's parent requested it, by its
    code or its end. CORRUPT: the row cannot be read; it blocks only its run.
    """

    CORRUPT = 0
    SIGNAL = 1
    ACTIVITY_COMPLETED = 2
    ACTIVITY_RAISED = 3
    ACTIVITY_CRASHED = 4
    ACTIVITY_TIMED_OUT = 5
    CANCEL = 6
    CHILD_COMPLETED = 7
    CHILD_FAILED = 8
    CHILD_CANCELLED = 9
    ACTIVITY_INTERRUPTED = 10


class LeaseLost(ContinuumError):
    """The worker's lease has ended; it owns nothing any more."""

    def __init__(self, worker: WorkerId) -> None:
        super().__init__(f"the lease of worker {worker} was taken away; register anew")
        self.worker = worker


@dataclass(frozen=True, slots=True)
class Worker:
    """A registered worker: the fence of every write of a process.

    The id is the epoch: a process that lost its lease registers again, and no id is used twice.
    """

    id: WorkerId
    node: NodeId


class Started(NamedTuple):
    """`run_id` is the run that has the id or key; `existing` is True if it existed before."""

    run_id: RunId
    existing: bool


class ClaimedRun(NamedTuple):
    """A run that this worker now owns. `fresh` means that it has no history and no mail yet.

    `depth` counts the ancestors; `root` is the first run of its chain.
    """

    id: RunId
    token: int
    workflow: str
    version: str
    namespace: str
    input: bytes
    started_at: int
    attempt: int
    trace_context: str | None
    fresh: bool
    parent: RunId | None = None
    depth: int = 0
    root: RunId | None = None


@dataclass(slots=True)
class Transition:
    """How a run's row changes with a write.

    `due_at` is when the run next has something to do by itself (a timer or a retry), None when only mail can
    wake it. `release` gives up ownership; terminal states and BLOCKED always do. BLOCKED ends a run
    without a history as cancelled if a cancel request is in its inbox; others keep the request. `progress`
    resets the count of deaths against the run. A terminal transition posts the run's end to its parent, asks
    its live children to stop as their close policy says, and lets the run be removed `retention` seconds
    later, None for never. `code` is the digest of the code that blocks the run. `waits` is what a run that
    becomes or stays suspended waits for, None if that is not known; every other state forgets it.
    """

    state: RunState
    due_at: int | None = None
    release: bool = False
    result: bytes | None = None
    error: bytes | None = None
    reason: str | None = None
    progress: bool = False
    retention: float | None = None
    fault: Fault | None = None  # the reason as data
    code: str | None = None
    waits: Sequence[Wait] | None = None


class StoredHistory(NamedTuple):
    """A history for replay: its beginning from snapshots, if there are any, and the events after that."""

    compact: CompactHistory | None
    events: list[Event]

    @classmethod
    def empty(cls) -> StoredHistory:
        """Return the history of a run that has not begun."""
        return cls(None, [])

    @property
    def steps(self) -> int:
        """The number of steps to replay."""
        part, steps = self.compact, len(self.events)
        while part is not None:
            steps += part.count
            part = part.following
        return steps


class NewTask(NamedTuple):
    """An activity for any worker that claims it.

    `dispatch` grows each time the run queues the same command again; `attempt`
    is the number that the activity sees. `timeout` is in seconds, 0 for none; `key` is the
    idempotency key; only workers of `node` may claim it, if given. `isolated` requires a
    process that may be killed. `heartbeat_timeout` is in seconds, 0 for none; at `deadline` on
    the journal's clock, None for never, the activity is over with all its attempts.
    """

    seq: int
    dispatch: int
    attempt: int
    queue: str
    priority: int
    isolated: bool
    activity: str
    arguments: bytes
    timeout: float
    key: str | None
    node: NodeId | None
    heartbeat_timeout: float = 0.0
    deadline: int | None = None


@dataclass(slots=True)
class RunWrite:
    """The changes that one run makes durable together: all or none."""

    run_id: RunId
    token: int
    events: Sequence[Event] = ()
    consumed: Sequence[int] = ()
    tasks: Sequence[NewTask] = ()
    dropped_tasks: Sequence[int] = ()
    transition: Transition | None = None
    children: Sequence[NewChild] = ()
    cancels: Sequence[RunId] = ()  # children that the code asks to stop
    successor: Successor | None = None
    published: Sequence[tuple[str, bytes]] = ()
    attributes: Mapping[str, Any] | None = None  # merged into the run's
    version: str | None = None  # the version under which the run continues
    refusal: Refusal | None = None
    # The run has no owner yet: this write takes it, and is rejected if somebody was faster. Mail makes it too
    # late for a run that begins; for one that is resumed more of it may have come.
    takes: TakenRun | ResumedRun | None = None
    # There is no such run yet: this write creates it, and is rejected if its id or idempotency key is taken.
    creates: CreatedRun | None = None
    # Writes are locked in the order of (depth, id), parents before children.
    depth: int = 0
    parent: RunId | None = None


class Committed(NamedTuple):
    """The outcome of a batch: the journal's time, and the runs whose token had changed."""

    at: int
    rejected: frozenset[RunId]


class Post(NamedTuple):
    """An entry for a run's inbox. `key` deduplicates within (run, kind, name).

    With an `attempt`, counted from 1, only the sender knows the key: no other will repeat the post, and so
    nothing is kept to recognise it. A repetition after an unknown outcome has another number. With `audit`
    the post is recorded (P20).
    """

    run_id: RunId
    kind: InboxKind
    name: str
    body: tuple[Any, ...]
    key: str | None = None
    attempt: int = 0
    audit: AuditFacts | None = None


class Posted(IntEnum):
    """The outcome of a post, or of a forced cancel, which alone may be STALE."""

    ACCEPTED = 1
    DUPLICATE = 2
    NOT_FOUND = 3
    TERMINAL = 4
    STALE = 5


class InboxRow(NamedTuple):
    """A row of a run's inbox, oldest first."""

    id: int
    run_id: RunId
    kind: InboxKind
    name: str
    body: tuple[Any, ...]
    key: str | None


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """The facts that a node reports; `waiting` and `silent` as in `NodeRow`, `code` None if none is loaded.

    `connections` is how many its processes may open to the server, 0 if they open those to a pooler.
    """

    node: NodeId
    pid: int
    address: str
    state: str
    processes: Sequence[tuple[str, int]] = ()
    workflows: Sequence[str] = ()
    waiting: Mapping[int, int] = field(default_factory=dict)
    connections: int = 0
    code: NodeCode | None = None
    silent: Mapping[int, Silence] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeWorker:
    """A process of a node that has a lease: how many runs it owns, and tasks, by queue."""

    role: str
    pid: int
    runs: int
    tasks: dict[str, int]


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node as other nodes see it; `lease_age` is in seconds since its last renewal."""

    node: str
    pid: int
    address: str
    state: str
    live_runs: int
    lease_age: float
    processes: list[tuple[str, int]]
    workflows: list[str]
    namespaces: list[str] | None = None  # those that its workers claim from, None for all
    workers: list[NodeWorker] = field(default_factory=list)
    # At the last renewal, by pid: how many `def` attempts waited for a thread, and which processes hung.
    waiting: dict[int, int] = field(default_factory=dict)
    code: NodeCode | None = None  # None if an earlier release runs there
    silent: Mapping[int, Silence] = field(default_factory=dict)


class Released(NamedTuple):
    """The numbers of runs and tasks that a retired worker owned."""

    runs: int
    tasks: int


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as stored, with encoded payloads."""

    id: RunId
    workflow: str
    version: str | None
    namespace: str
    state: RunState
    input: bytes
    result: bytes | None
    error: bytes | None
    reason: str | None
    attributes: dict[str, Any]
    idempotency_key: str | None
    trace_context: str | None
    owner: WorkerId | None
    started_at: int
    updated_at: int
    completed_at: int | None
    due_at: int | None
    parent: RunId | None = None
    parent_seq: int | None = None  # the parent's command that waits for the end
    root: RunId | None = None
    continued_from: RunId | None = None
    continued_to: RunId | None = None
    fault: Fault | None = None
    owner_node: str | None = None  # where the owner runs, like `owner_pid`
    owner_pid: int | None = None
    claimed_at: int | None = None
    waits: Sequence[Wait] | None = None  # of a suspended run, as its owner wrote it last; None if not known
    pause: StoredPause | None = None  # of an open run: its own, or the earliest that holds it with others
    refused: Sequence[str] = ()  # the versions that cannot continue it, the latest last


@dataclass(frozen=True, slots=True)
class Query:
    """A validated query: conditions are (field or ("attributes", name, ...), operator, value)."""

    namespace: str | None
    where: Sequence[tuple[str | tuple[str, ...], str, Any]]
    order_by: tuple[str, bool]  # field, descending
    limit: int
    after: tuple[Any, str] | None
    payloads: bool = True  # without, inputs and results are left out of the rows: they may be large
