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
P6  A post with a key that still waits is a duplicate; a signal with a delivery
    id that was seen before is one also after the first was consumed.
P7  A claimed run has one owner; its token is larger than any it had before.
P8  Taking a worker's lease away waits for its write in flight, and every later
    write of that worker is rejected.
P9  A task's result reaches the inbox of its run whoever owns the run or the
    task by then; a failure counts only while the task is still the worker's.
P10 All times are the journal's own clock, in microseconds since the epoch.
P11 Notifications are hints: losing every one of them delays, never loses.
P12 A commit whose outcome is unknown (the connection died) can be asked for
    again with the same batch number and takes effect once.
P13 A snapshot only makes loading faster: `load` never reads one, and what `load_compact`
    cannot read of one it reads from the events.
P14 A child is created with the write that starts it, once; its end reaches its
    parent's inbox in the transaction that ends it, whoever owns the parent.
P15 Locks are taken parents first: worker, then runs by depth and id; a claim waits for
    none. A run's end and the stop requests to its live children are one transaction.
P16 A run that continued as new keeps its id: posts, deliveries and cells of any
    run of a chain are those of its tip, and no unread mail is lost on the way.
P17 A cell shows a value only after the commit that carries it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from continuum.engine.children import ClosePolicy
from continuum.engine.events import Event
from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.journal.facts import (
    ClaimedRun,
    ClaimedTask,
    Committed,
    InboxKind,
    InboxRow,
    LeaseLost,
    NewRun,
    NewTask,
    NodeFacts,
    NodeRow,
    Notification,
    Post,
    Posted,
    Query,
    Released,
    Renewal,
    RunRow,
    RunState,
    RunWrite,
    Started,
    StoredHistory,
    TaskResult,
    Topic,
    Transition,
    Worker,
)
from continuum.journal.family_facts import (
    Loaded,
    NewChild,
    PublishedValue,
    Refusal,
    Successor,
    VersionRow,
)

__all__ = [
    "ClaimedRun",
    "ClaimedTask",
    "ClosePolicy",
    "Committed",
    "InboxKind",
    "InboxRow",
    "Journal",
    "LeaseLost",
    "Loaded",
    "NewChild",
    "NewRun",
    "NewTask",
    "NodeFacts",
    "NodeRow",
    "Notification",
    "Post",
    "Posted",
    "PublishedValue",
    "Query",
    "Refusal",
    "Released",
    "Renewal",
    "RunRow",
    "RunState",
    "RunWrite",
    "Started",
    "StoredHistory",
    "Successor",
    "TaskResult",
    "Topic",
    "Transition",
    "VersionRow",
    "Worker",
]


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

    async def renew(self, workers: Sequence[WorkerId], ttl: float, facts: NodeFacts | None) -> Renewal:
        """Extend leases, and say what this node is."""
        ...

    async def expired_workers(self) -> list[WorkerId]:
        """Return the workers whose lease has run out."""
        ...

    async def node_workers(self, node: NodeId) -> list[tuple[WorkerId, int]]:
        """Return (worker, pid) of a node."""
        ...

    async def retire_worker(
        self, worker: WorkerId, *, executing: RunId | None, poison_after: int, only_expired: bool = False
    ) -> Released:
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

    async def drain_node(self, node: NodeId) -> bool:
        """Ask a node to stop in order; it hears of it with its next renewal. False when there is none."""
        ...

    async def nodes(self) -> list[NodeRow]:
        """Return every node that has not been retired."""
        ...

    # Runs, as their owner sees them.

    async def start(self, runs: Sequence[NewRun]) -> list[Started]:
        """Create runs, durable on return. A taken idempotency key or id gives the run that has it."""
        ...

    async def claim(self, worker: Worker, code: Sequence[Loaded], limit: int) -> list[ClaimedRun]:
        """Own up to `limit` runs that have something to do and that `code` can execute.

        A run without a version gets the current one of `code`. A run of a version that is
        not in `code` is given to code that takes others, after `FOREIGN_GRACE_SECONDS`: whoever
        has its version comes first. It keeps its version. Raises `LeaseLost`.
        """
        ...

    async def next_due(self, code: Sequence[Loaded]) -> int | None:
        """Return when the next run that nobody owns and `code` can execute is due, None when there is none.

        It may be past: a row that was locked for a moment is skipped by claims.
        """
        ...

    async def release_other_runs(self, worker: Worker, keep: Sequence[RunId]) -> int:
        """Free what this worker owns beside `keep`, due at once; return how many.

        After a claim whose answer was lost: what it took is owned, and nobody knows.
        """
        ...

    async def release_other_tasks(self, worker: Worker, keep: Sequence[tuple[RunId, int]]) -> int:
        """Free the tasks this worker has claimed beside `keep`, as `release_other_runs` does with runs."""
        ...

    async def load(self, run_ids: Sequence[RunId]) -> dict[RunId, list[Event]]:
        """Return histories in order.

        One that cannot be decoded raises nothing: its run maps to the events before the
        bad one, followed by one whose seq is -1, which no replay accepts.
        """
        ...

    async def load_compact(self, runs: Sequence[tuple[RunId, str]]) -> dict[RunId, StoredHistory]:
        """Return histories for replay by code of these versions, the beginnings from snapshots."""
        ...

    async def take_snapshot(self, run_id: RunId, version: str, first: int) -> int:
        """Keep a compact copy of a history's events from seq `first` on (P13); return where it ends.

        With `first` 0 it replaces what there was; otherwise it continues a snapshot that ends there.
        Events that cannot be compacted, or only into too much, have none: then it returns `first`.
        """
        ...

    async def commit(self, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        """Make writes durable (P1, P2, P3, P12). Several writes of one run are applied in order.

        `batch` grows from commit to commit of a worker, from 1.
        """
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
        """Remove what ended runs left behind (inbox rows, tasks, heartbeats); return how many rows.

        Runs whose retention is over go with their histories, a chain whole once its tip has ended.
        """
        ...

    async def unblock(self, workflows: Sequence[str], run_ids: Sequence[RunId] | None = None) -> int:
        """Make blocked runs of these workflows claimable once more; return how many."""
        ...

    # The inbox, as everyone sees it.

    async def post(self, posts: Sequence[Post]) -> list[Posted]:
        """Put things into inboxes, durable on return."""
        ...

    async def force_cancel(self, run_id: RunId) -> Posted:
        """End a run as cancelled at once, and the children that go with it; owners are fenced off."""
        ...

    # Versions of code.

    async def register_versions(self, versions: Sequence[VersionRow]) -> None:
        """Note what code there is; a source once stored stays."""
        ...

    async def versions(self) -> list[VersionRow]:
        """Return every version noted, and how many runs that have not ended are of it; without sources.

        A version that runs have and nobody has noted is told too, without label and module.
        """
        ...

    async def version_source(self, workflow: str, version: str) -> bytes | None:
        """Return the stored source of a pinned version."""
        ...

    async def delete_versions(self, versions: Sequence[tuple[str, str]]) -> int:
        """Forget those of these versions that no open run has; return how many."""
        ...

    async def refusals(self, run_id: RunId) -> list[Refusal]:
        """Return which code was found not to fit a run's history."""
        ...

    async def declared_signals(self, run_id: RunId) -> Mapping[str, Any] | None:
        """Return what the version of a run (of its chain's tip) declares its signals to take.

        None when it declares none or nobody has noted it; of a run that has no version yet,
        the latest one noted.
        """
        ...

    # State cells.

    async def read_published(self, run_id: RunId, names: Sequence[str]) -> dict[str, PublishedValue]:
        """Return the latest values the run's chain has published under these names."""
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

    async def complete_tasks(self, worker: Worker, answers: Sequence[TaskResult]) -> None:
        """Turn answers into mail for their runs (P9); durable on return."""
        ...

    async def heartbeat(self, run_id: RunId, seq: int, details: bytes) -> bool:
        """Keep the latest progress of an activity; False when no task stands for it (any more)."""
        ...

    async def last_heartbeats(self, run_id: RunId) -> dict[int, bytes]:
        """Return the latest progress of a run's activities, by seq."""
        ...

    async def find_result(self, activity: str, key: str) -> bytes | None:
        """Return the result recorded under an idempotency key, if any."""
        ...

    async def record_result(self, activity: str, key: str, run_id: RunId, result: bytes) -> bytes:
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
        """Merge attributes into the run's (its chain's tip's) atomically; False when there is no such run."""
        ...

    # Hints.

    def notifications(self, topics: Sequence[Topic]) -> AsyncIterator[Notification]:
        """Yield notifications for ever, reconnecting by itself; an empty hint follows each reconnection."""
        ...
