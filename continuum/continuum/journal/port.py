"""What the engine asks of a journal: one interface in parts, its promises numbered.

`Journal` joins the parts; annotate with the part that is used, such as `Runs` or `Tasks`. Two adapters
implement it, memory and Postgres. One contract suite (`tests/contract`) checks both; its tests name these:

P1  A write is one transaction, fenced by the worker's lease and each run's token. A lost worker lease rejects
    the whole batch (`LeaseLost`); a rotated run token rejects that run alone: see `Committed.rejected`.
P2  A rejected write leaves nothing behind.
P3  An event of a run is written once: the fence of P1 guards that, and a second write from the same seq on is
    refused. Terminal states absorb: nothing appends to a terminal run and nothing is posted to it.
P4  What `start` and `post` acknowledged survives the death of any process.
P5  Evidence that a run has something to do (an inbox row, a due time) is written in the
    transaction that causes it, and only a fenced write of the owner removes it.
P6  A post whose key is still in the inbox is a duplicate. A signal whose delivery id was seen before is a
    duplicate even after the first one was consumed; so is a later `attempt`, and a first one that is late.
P7  A claimed run has one owner; its token is larger than any it had before. For a run that was never claimed,
    so is a drawn token.
P8  Retiring a worker waits for its write in flight and rejects every later write of that worker.
P9  A task's result reaches the inbox of its run even if the run or the task has another owner by
    then; a failure does too, unless the task has been dispatched again or belongs to another worker.
P10 All times are the journal's own clock, in microseconds since the epoch.
P11 Notifications may be lost: losing every one of them delays work, and loses none.
P12 A commit whose outcome is unknown (the connection died) can be repeated with the same
    batch number, and takes effect once.
P13 Snapshots only make loading faster: `load` reads none, and `load_compact` reads events where it must.
P14 A child is created once, with the write that starts it. Its end reaches its
    parent's inbox in the transaction that ends it, also while another worker owns it.
P15 Locks are taken parents first: worker, then runs by depth and id; a claim waits for
    none. A run's end and the stop requests to its live children are one transaction.
P16 A run that continued as new keeps its id: posts, deliveries and published values of any
    run of a chain belong to its latest run, and no unread mail is lost in between.
P17 A published value is visible only after the commit that carries it.
P18 The time of a dead worker's tasks ends with its last sign of life: its death, or the last renewal of its
    lease if nobody saw it die. It never ends with the take-over.
P19 A reader of state changes who continues after the last position that he has seen gets each later change
    once, however the transactions that made them overlap.
P20 A change that carries audit facts writes their row in its own transaction, with what came of it. However
    often the change is repeated, there is one row, with the first outcome.
P21 A run that begins with the events of another is created whole or not at all: its history, its mail, its
    place in the chain and the end of the run that it succeeds are one transaction. It compares what was seen.
    That it has events of another run is known as long as one of the two, or of their relatives, is there.
P22 A part of an operation is one transaction, fenced by the token of the operation's lease: the changes of
    its runs, the record of each, the counts and the place that has been reached. An operation that cuts
    runs has such a transaction for each run.
P23 Nobody becomes the owner of a paused run, nor of an activity task of it or of a paused queue; who owns
    one already may write on. A run that is asked to stop is held by no pause that there was then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from continuum.engine.children import ClosePolicy
from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.announced_run import CreatedRun, NewRun, TakenRun
from continuum.journal.change_port import StateChanges
from continuum.journal.claimed_task import ClaimedTask, TaskResult
from continuum.journal.ended_run import EndedRuns
from continuum.journal.facts import (
    ClaimedRun,
    Committed,
    InboxKind,
    InboxRow,
    LeaseLost,
    Namespaces,
    NewTask,
    NodeFacts,
    NodeRow,
    NodeWorker,
    Post,
    Posted,
    Query,
    Released,
    RunRow,
    RunState,
    RunWrite,
    Started,
    StoredHistory,
    Transition,
    Worker,
)
from continuum.journal.family_facts import NewChild, PublishedValue, Successor
from continuum.journal.health_port import Health
from continuum.journal.history_port import HistoryParts
from continuum.journal.look_port import Looks
from continuum.journal.looked_through import LookedThrough
from continuum.journal.node_report_port import NodeReports
from continuum.journal.notification import Notification, Notifications, Topic
from continuum.journal.operation_port import Operations
from continuum.journal.operator_port import Audits, OperatedRuns
from continuum.journal.parked_run import ParkedRuns
from continuum.journal.pause_port import Pauses
from continuum.journal.renewal import Renewal
from continuum.journal.repair_port import Repairs
from continuum.journal.secret_port import Secrets
from continuum.journal.situation import Situations
from continuum.journal.stat_port import Statistics
from continuum.journal.suspect_port import Suspects
from continuum.journal.version_facts import ContractRow, Fault, Loaded, Refusal, VersionRow
from continuum.journal.version_port import Versions
from continuum.journal.view_port import Views
from continuum.journal.worker_port import Workers
from continuum.journal.workload_port import Workload

__all__ = [
    "ClaimedRun",
    "ClaimedTask",
    "ClosePolicy",
    "Committed",
    "Connection",
    "ContractRow",
    "CreatedRun",
    "Fault",
    "Histories",
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
    "NodeWorker",
    "Notification",
    "Notifications",
    "OwnedRuns",
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
    "Runs",
    "Started",
    "StoredHistory",
    "Successor",
    "Suspects",
    "TakenRun",
    "TaskResult",
    "Tasks",
    "Topic",
    "Transition",
    "VersionRow",
    "Versions",
    "Worker",
    "Workers",
]


class Connection(Protocol):
    """The way to the journal, and its clock."""

    def now(self) -> int:
        """Return the journal's time in microseconds, without I/O."""
        ...

    async def open(self) -> None:
        """Connect, check the schema and learn the journal's time."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...

    def open_connections(self) -> int:
        """Return how many connections to the server are open, 0 without a server."""
        ...


class Runs(EndedRuns, ParkedRuns, OperatedRuns, Protocol):
    """Runs and their inboxes, as any process sees them."""

    async def start(self, runs: Sequence[NewRun]) -> list[Started]:
        """Create runs, durable on return. For a taken idempotency key or id, return the run that has it.

        One run by itself is announced to one worker that has its code, if there is one with a channel.
        """
        ...

    async def announce_work(self) -> None:
        """Notify every worker that runs may have become claimable."""
        ...

    async def post(self, posts: Sequence[Post]) -> list[Posted]:
        """Write inbox entries, durable on return."""
        ...

    async def get_run(self, run_id: RunId) -> RunRow | None:
        """Return a run's row."""
        ...

    async def query(self, query: Query) -> list[RunRow]:
        """Return up to `query.limit` rows in order."""
        ...

    async def look_through(self, query: Query, most: int) -> LookedThrough:
        """Return what a query finds among the next runs of its order, about `most` of them at most.

        For a query that `query` refuses because no index leads to its runs. The order is that of `id` or
        `started_at`; any other is refused.
        """
        ...

    async def open_runs(self, after: RunId | None, limit: int) -> list[RunRow]:
        """Return the next open runs by id: all of them, page after page."""
        ...

    async def read_published(self, run_id: RunId, names: Sequence[str]) -> dict[str, PublishedValue]:
        """Return the latest values that the run's chain has published under these names."""
        ...

    async def sweep(self) -> int:
        """Remove what ended runs left behind (inbox rows, tasks, heartbeats); return how many rows.

        Runs whose retention is over are removed with their histories: a chain as a whole, once its
        latest run has ended.
        """
        ...


class OwnedRuns(Protocol):
    """Runs as their owner sees them. Every call is fenced by the worker."""

    async def claim(
        self, worker: Worker, code: Sequence[Loaded], limit: int, *, namespaces: Namespaces = None
    ) -> list[ClaimedRun]:
        """Take ownership of up to `limit` due runs of `namespaces` that `code` can execute.

        A run without a version gets the current one of `code`. Code that takes other versions gets a run
        of a version that is not in `code` after `FOREIGN_GRACE_SECONDS`, so that a worker which has the
        version comes first. The run keeps its version. Namespaces share the places, and within each its
        workflows and versions; among their runs the one that is due first comes first. Raises `LeaseLost`.
        """
        ...

    async def next_due(self, code: Sequence[Loaded], *, namespaces: Namespaces = None) -> int | None:
        """Return when the next run that a claim with these arguments takes is due; None without one.

        It may be past: claims skip a row that is locked for a moment.
        """
        ...

    async def draw_tokens(self, count: int) -> list[int]:
        """Return tokens that no claim will get, for writes that take or create a run (P7)."""
        ...

    async def inbox(self, worker: Worker, run_ids: Sequence[RunId] | None) -> list[InboxRow]:
        """Return inbox rows of the runs this worker owns, oldest first; None means all its runs."""
        ...

    async def commit(self, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        """Make writes durable (P1, P2, P3, P12). Several writes of one run are applied in order.

        `batch` starts at 1 and grows from commit to commit of a worker. A write that takes its run shares
        its batch with no other kind of write; one that creates its run may.
        """
        ...

    async def release(
        self, worker: Worker, run_ids: Sequence[RunId], *, crashed: bool, poison_after: int
    ) -> None:
        """Give runs up so that others can claim them at once. `crashed` counts a death against each."""
        ...

    async def release_other_runs(self, worker: Worker, keep: Sequence[RunId]) -> int:
        """Release all runs of this worker except `keep`, due at once; return how many.

        After a claim whose result was lost, the worker owns runs that it does not know of.
        """
        ...


class Histories(Protocol):
    """What runs did, event by event."""

    async def load(self, run_ids: Sequence[RunId]) -> dict[RunId, list[Event]]:
        """Return histories in order.

        One that cannot be decoded raises nothing: its run maps to the events before the
        bad one, followed by one whose seq is -1, which no replay accepts.
        """
        ...

    async def length_of(self, run_id: RunId) -> int:
        """Return the seq behind the last event of a history, also if some cannot be read or are lost."""
        ...

    async def load_compact(self, runs: Sequence[tuple[RunId, str]]) -> dict[RunId, StoredHistory]:
        """Return histories for replay by code of these versions, the beginnings from snapshots."""
        ...

    async def take_snapshot(self, run_id: RunId, version: str, first: int) -> int:
        """Store a compact copy of a history's events from seq `first` on (P13); return where it ends.

        With `first` 0 it replaces earlier snapshots; otherwise it continues a snapshot that ends there.
        Without events that can be compacted into little enough, nothing is stored and `first` returned.
        """
        ...


class Tasks(Protocol):
    """Queued activities, their heartbeats, and results under idempotency keys."""

    async def claim_tasks(
        self,
        worker: Worker,
        activities: Sequence[str],
        *,
        isolated: bool,
        limits: Mapping[str, int],
        unlisted_limit: int,
        limit: int,
        namespaces: Namespaces = None,
    ) -> list[ClaimedTask]:
        """Claim up to `limit` due tasks, highest priority then oldest first.

        `limits` bounds how many tasks of a queue this node runs at once, over all of its workers;
        `unlisted_limit` does so for each other queue. With `namespaces`, claim tasks of their runs only.
        """
        ...

    async def complete_tasks(self, worker: Worker, results: Sequence[TaskResult]) -> None:
        """Turn results into mail for their runs (P9); durable on return."""
        ...

    async def release_other_tasks(self, worker: Worker, keep: Sequence[tuple[RunId, int]]) -> int:
        """Release all tasks of this worker except `keep`, as `release_other_runs` does with runs."""
        ...

    async def heartbeat(self, run_id: RunId, seq: int, details: bytes) -> bool:
        """Record the latest progress of an activity; False when it has no task (any more)."""
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


class Journal(
    Connection,
    Workers,
    Suspects,
    Runs,
    OwnedRuns,
    Histories,
    Tasks,
    Versions,
    StateChanges,
    Health,
    Notifications,
    Looks,
    Audits,
    Operations,
    Situations,
    Repairs,
    Pauses,
    NodeReports,
    Statistics,
    Secrets,
    Views,
    Workload,
    HistoryParts,
    Protocol,
):
    """Everything durable.

    Methods raise `JournalUnavailable` when the database cannot be reached, and do not retry.
    """
