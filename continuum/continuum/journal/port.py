"""What the engine asks of a journal: one interface, its promises numbered.

Two adapters keep it, memory and Postgres, held to one contract suite
(`tests/contract`), whose tests name these promises:

P1  A write is one transaction, fenced by the worker's lease and each run's
    token. A lost worker lease rejects the whole batch (`LeaseLost`); a rotated
    run token rejects that run alone and is reported in `Committed.rejected`.
P2  A rejected write leaves nothing behind.
P3  `(run_id, seq)` is unique. Terminal states absorb: nothing appends to a
    terminal run and nothing is posted to it.
P4  What `start` and `post` acknowledged survives the death of any process.
P5  Evidence that a run has something to do (an inbox row, a due time) is left in
    the transaction that causes it, and goes only with the owner's fenced write.
P6  A post with a key that was posted before is a duplicate, also after the
    first was consumed.
P7  A claimed run has one owner; its token is larger than any it had before.
P8  Taking a worker's lease away waits for its write in flight, and every later
    write of that worker is rejected.
P9  A task's result reaches the inbox of its run whoever owns the run or the
    task by then; a failure counts only while the task is still the worker's.
P10 All times are the journal's own clock, in microseconds since the epoch.
P11 Notifications are hints: losing every one of them delays, never loses.
P12 A commit whose outcome is unknown (the connection died) can be asked for
    again with the same batch number and takes effect once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from continuum.engine.events import Event
from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.errors import ContinuumError


class RunState(IntEnum):
    """The stored numbers of a run's states; the public names are the lower-case ones."""

    RUNNING = 1
    SUSPENDED = 2
    BLOCKED = 3
    COMPLETED = 4
    FAILED = 5
    CANCELLED = 6

    @property
    def terminal(self) -> bool:
        """Whether the run has ended."""
        return self >= RunState.COMPLETED


class InboxKind(IntEnum):
    """What an inbox row carries to the owner of a run, and the shape of its body.

    SIGNAL: (value bytes,), named by the signal, keyed by delivery id. CANCEL: ().
    Activity answers are named by the command's seq and keyed by the dispatch
    number: COMPLETED (result bytes,), RAISED (type, message, traceback, names of
    the exception's classes), CRASHED and TIMED_OUT () — the process that had the
    task died, before or after the task's time was up.
    """

    SIGNAL = 1
    ACTIVITY_COMPLETED = 2
    ACTIVITY_RAISED = 3
    ACTIVITY_CRASHED = 4
    ACTIVITY_TIMED_OUT = 5
    CANCEL = 6


class Topic(IntEnum):
    """What a notification is about."""

    WAKE = 1  # inbox rows arrived for these run ids
    WORK = 2  # runs became claimable
    TASKS = 3  # tasks became claimable
    DONE = 4  # these run ids reached a terminal state


class LeaseLost(ContinuumError):
    """The worker's lease was taken away; it owns nothing any more."""

    def __init__(self, worker: WorkerId) -> None:
        super().__init__(f"the lease of worker {worker} was taken away; register anew")
        self.worker = worker


@dataclass(frozen=True, slots=True)
class Worker:
    """A registered worker: the fence every write of a process names.

    The id is the epoch: a process that lost its lease registers anew, and no id is used twice.
    """

    id: WorkerId
    node: NodeId


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to start, at once."""

    id: RunId
    workflow: str
    input: bytes
    namespace: str = "default"
    idempotency_key: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    trace_context: str | None = None


class Started(NamedTuple):
    """`run_id` is the run that has the id or key; `existing` when it was there before."""

    run_id: RunId
    existing: bool


class ClaimedRun(NamedTuple):
    """A run this worker now owns. `fresh` means that it has no history yet."""

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


@dataclass(slots=True)
class Transition:
    """How a run's row changes with a write.

    `due_at` is when it next has something to do by itself (a timer or a retry),
    None when only the outside can wake it. `release` gives up ownership. Terminal
    states and BLOCKED release by themselves.
    """

    state: RunState
    due_at: int | None = None
    release: bool = False
    result: bytes | None = None
    error: bytes | None = None
    reason: str | None = None


class NewTask(NamedTuple):
    """An activity to be run by whoever claims it.

    `dispatch` grows each time the run hands the same command out again; `attempt`
    is what the activity sees. `timeout` is in seconds, 0 for none; `key` is the
    idempotency key; `node` restricts who may claim it. `isolated` asks for a
    process that may be killed.
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


@dataclass(slots=True)
class RunWrite:
    """What one run wants made durable together. Applied whole or not at all."""

    run_id: RunId
    token: int
    events: list[Event] = field(default_factory=list)
    consumed: Sequence[int] = ()
    tasks: Sequence[NewTask] = ()
    dropped_tasks: Sequence[int] = ()
    transition: Transition | None = None


class Committed(NamedTuple):
    """The outcome of a batch: the journal's time, and the runs whose token had changed."""

    at: int
    rejected: frozenset[RunId]


class Post(NamedTuple):
    """Something for a run's inbox. `key` deduplicates within (run, kind, name)."""

    run_id: RunId
    kind: InboxKind
    name: str
    body: tuple[Any, ...]
    key: str | None = None


class Posted(IntEnum):
    """What became of a post."""

    ACCEPTED = 1
    DUPLICATE = 2
    NOT_FOUND = 3
    TERMINAL = 4


class InboxRow(NamedTuple):
    """A row of a run's inbox, oldest first."""

    id: int
    run_id: RunId
    kind: InboxKind
    name: str
    body: tuple[Any, ...]
    key: str | None


class ClaimedTask(NamedTuple):
    """A task this worker is to run now; see `NewTask`."""

    run_id: RunId
    seq: int
    dispatch: int
    attempt: int
    queue: str
    activity: str
    arguments: bytes
    timeout: float
    key: str | None


class TaskAnswer(NamedTuple):
    """How a claimed task ended; `kind` and `body` as in `InboxKind`."""

    task: ClaimedTask
    kind: InboxKind
    body: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a node says of itself when it renews its leases."""

    node: NodeId
    pid: int
    address: str
    state: str
    processes: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node as any other sees it. `lease_age` is in seconds since its last renewal."""

    node: str
    pid: int
    address: str
    state: str
    live_runs: int
    lease_age: float
    processes: list[tuple[str, int]]


class Freed(NamedTuple):
    """What taking a worker's lease away released."""

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


@dataclass(frozen=True, slots=True)
class Query:
    """A validated query: conditions are (field or ("attributes", name), operator, value)."""

    namespace: str | None
    where: Sequence[tuple[str | tuple[str, str], str, Any]]
    order_by: tuple[str, bool]  # field, descending
    limit: int
    after: tuple[Any, str] | None


class Notification(NamedTuple):
    """A hint. Empty `ids` means: look for yourself."""

    topic: Topic
    ids: tuple[str, ...]


class Journal(Protocol):
    """Everything durable. All methods raise `JournalUnavailable` when the world is down, after no retry."""

    def now(self) -> int:
        """Return the journal's time in microseconds, without I/O."""
        ...

    async def open(self) -> None:
        """Connect, check the schema and learn the journal's time."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...

    # Workers and nodes.

    async def register_worker(self, node: NodeId, role: str, pid: int, ttl: float) -> Worker:
        """Register a worker with a lease of `ttl` seconds."""
        ...

    async def renew(
        self, workers: Sequence[WorkerId], ttl: float, facts: NodeFacts | None
    ) -> tuple[frozenset[WorkerId], float | None]:
        """Extend leases; return those still held, and seconds until some other worker's lease runs out (may be negative)."""
        ...

    async def expired_workers(self) -> list[WorkerId]:
        """Return the workers whose lease has run out."""
        ...

    async def node_workers(self, node: NodeId) -> list[tuple[WorkerId, int]]:
        """Return (worker, pid) of a node."""
        ...

    async def retire_worker(
        self, worker: WorkerId, *, executing: RunId | None, poison_after: int, only_expired: bool = False
    ) -> Freed:
        """Take a worker's lease away and free its runs and tasks (P8).

        Its tasks become mail for their runs (CRASHED or TIMED_OUT). With `only_expired`
        nothing happens while the lease still holds.

        Its running runs become due at once, its suspended ones keep their due time.
        `executing`, if given, was being executed when the worker died: the death is
        counted, and at `poison_after` deaths the run is parked as blocked.
        """
        ...

    async def retire_node(self, node: NodeId) -> None:
        """Forget a node that has stopped."""
        ...

    async def nodes(self) -> list[NodeRow]:
        """Return every node that has not been retired."""
        ...

    # Runs, as their owner sees them.

    async def start(self, runs: Sequence[NewRun]) -> list[Started]:
        """Create runs, durable on return. A taken idempotency key or id gives the run that has it."""
        ...

    async def claim(self, worker: Worker, code: Sequence[tuple[str, str]], limit: int) -> list[ClaimedRun]:
        """Own up to `limit` runs that have something to do and whose (workflow, version) is in `code`.

        A run without a version gets the one in `code`. Raises `LeaseLost`.
        """
        ...

    async def load(self, run_ids: Sequence[RunId]) -> dict[RunId, list[Event]]:
        """Return histories in order. A history that cannot be decoded raises nothing: its run maps to
        events up to the bad one followed by one whose seq is -1 (see `continuum.engine.messages.corrupt_history`)."""
        ...

    async def commit(self, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        """Make writes durable (P1, P2, P3, P12). Several writes of one run are applied in order."""
        ...

    async def inbox(self, worker: Worker, run_ids: Sequence[RunId] | None) -> list[InboxRow]:
        """Return inbox rows of the runs this worker owns, oldest first; None means all its runs."""
        ...

    async def release(
        self, worker: Worker, run_ids: Sequence[RunId], *, crashed: bool, poison_after: int
    ) -> None:
        """Give runs up so that they are claimed anew at once. `crashed` counts a death against each."""
        ...

    async def sweep(self) -> int:
        """Remove what ended runs left behind (inbox rows, tasks, heartbeats); return how many rows."""
        ...

    async def unblock(self, workflows: Sequence[str], run_ids: Sequence[RunId] | None = None) -> int:
        """Make blocked runs of these workflows claimable once more; return how many."""
        ...

    # The inbox, as everyone sees it.

    async def post(self, posts: Sequence[Post]) -> list[Posted]:
        """Put things into inboxes, durable on return."""
        ...

    async def force_cancel(self, run_id: RunId) -> Posted:
        """End a run as cancelled at once; its owner is fenced off."""
        ...

    # Tasks and activities.

    async def claim_tasks(
        self,
        worker: Worker,
        activities: Sequence[str],
        *,
        isolated: bool,
        limits: Mapping[str, int],
        unlisted_limit: int,
        limit: int,
    ) -> list[ClaimedTask]:
        """Take up to `limit` due tasks, highest priority then oldest first.

        `limits` bounds how many tasks of a queue this node runs at once, over all of
        its workers; `unlisted_limit` does so for each queue not named there.
        """
        ...

    async def answer_tasks(self, worker: Worker, answers: Sequence[TaskAnswer]) -> None:
        """Turn answers into mail for their runs (P9); durable on return."""
        ...

    async def heartbeat(self, run_id: RunId, seq: int, details: bytes) -> None:
        """Keep the latest progress of an activity."""
        ...

    async def last_heartbeats(self, run_id: RunId) -> dict[int, bytes]:
        """Return the latest progress of a run's activities, by seq."""
        ...

    async def recall(self, activity: str, key: str) -> bytes | None:
        """Return the result recorded under an idempotency key, if any."""
        ...

    async def remember(self, activity: str, key: str, run_id: RunId, result: bytes) -> bytes:
        """Record a result under an idempotency key and return the one that was recorded first."""
        ...

    # Looking.

    async def get_run(self, run_id: RunId) -> RunRow | None:
        """Return a run's row."""
        ...

    async def query(self, query: Query) -> list[RunRow]:
        """Return up to `query.limit` rows in order."""
        ...

    async def set_attributes(self, run_id: RunId, attributes: Mapping[str, Any]) -> bool:
        """Merge attributes atomically; False when there is no such run."""
        ...

    # Hints.

    def notifications(self, topics: Sequence[Topic]) -> AsyncIterator[Notification]:
        """Yield notifications for ever, reconnecting by itself; an empty hint follows each reconnection."""
        ...
