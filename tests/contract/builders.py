"""Builders for the contract tests: runs, workers, events, tasks and writes with good defaults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

from continuum.engine.events import Event, EventType
from continuum.engine.ids import NodeId, RunId
from continuum.journal.port import (
    ClaimedRun,
    ClaimedTask,
    Committed,
    InboxKind,
    Journal,
    Loaded,
    NewRun,
    NewTask,
    Post,
    Query,
    RunRow,
    RunState,
    RunWrite,
    Transition,
    Worker,
)

CODE = (Loaded("orders", "v1"),)
SOON = 1_000_000_000_000  # microseconds; later than the end of any test
POISON_AFTER = 3
# Far above what any of it takes, so that a slow machine fails no test.
DEADLINE_S = 60.0
# Bodies of events, of every type that a body may have.
BODIES: tuple[tuple[object, ...], ...] = (
    (),
    (None,),
    (0, -1, 2**62),
    ("text", "ünïcödé", ""),
    (b"", b"\x00\xff"),
    (True, 1.5),
    (("nested", ("deeper", b"x")), None),
)

# Larger than the batch numbers that tests choose themselves, because batches must grow.
_batches = count(2 * 10**9)


def new_run(workflow: str = "orders", **facts: Any) -> NewRun:
    """Return a run to start, with an id of its own."""
    return replace(NewRun(RunId(str(uuid4())), workflow, b"input"), **facts)


def event(seq: int, body: tuple[Any, ...] = ("what",), at: int = 1_700_000_000_123_456) -> Event:
    """Return an event."""
    return Event(seq, EventType.SIDE_EFFECT, at, body)


def new_task(seq: int = 1, **facts: Any) -> NewTask:
    """Return a task to queue."""
    task = NewTask(
        seq=seq,
        dispatch=1,
        attempt=1,
        queue="mail",
        priority=0,
        isolated=False,
        activity="send",
        arguments=b"arguments",
        timeout=0.0,
        key=None,
        node=None,
    )
    return task._replace(**facts)


def write(run: ClaimedRun, *events: Event, **facts: Any) -> RunWrite:
    """Return a write of the owner of `run`."""
    return RunWrite(run.id, run.token, list(events), **facts)


def end(state: RunState = RunState.COMPLETED, **facts: Any) -> Transition:
    """Return a transition to a terminal state."""
    return Transition(state, **facts)


def sleep_until(due_at: int | None, *, release: bool = True) -> Transition:
    """Return a transition to suspended, by default with a release of the run."""
    return Transition(RunState.SUSPENDED, due_at, release)


def signal(run_id: RunId, value: bytes = b"yes", key: str | None = None, name: str = "review") -> Post:
    """Return a signal to post."""
    return Post(run_id, InboxKind.SIGNAL, name, (value,), key)


async def worker_of(journal: Journal, node: str = "north", ttl: float = 600.0) -> Worker:
    """Register a worker."""
    return await journal.register_worker(NodeId(node), "run_host", 4711, ttl)


async def begin(journal: Journal, **facts: Any) -> RunId:
    """Start one run."""
    started = await journal.start([new_run(**facts)])
    return started[0].run_id


async def claim(
    journal: Journal, worker: Worker, limit: int = 100, code: Sequence[Loaded] = CODE
) -> list[ClaimedRun]:
    """Claim what is due."""
    return await journal.claim(worker, code, limit)


async def owned_run(journal: Journal, worker: Worker, **facts: Any) -> ClaimedRun:
    """Start a run and claim it, when nothing else is claimable."""
    run_id = await begin(journal, **facts)
    (claimed,) = await claim(journal, worker)
    assert claimed.id == run_id
    return claimed


async def owned_runs(journal: Journal, worker: Worker, number: int) -> list[ClaimedRun]:
    """Start runs and claim them, in the order of their starts."""
    return [await owned_run(journal, worker) for _ in range(number)]


async def commit(journal: Journal, worker: Worker, *writes: RunWrite) -> Committed:
    """Commit writes as one batch."""
    return await journal.commit(worker, next(_batches), writes)


async def is_accepted(journal: Journal, worker: Worker, *writes: RunWrite) -> bool:
    """Commit writes as one batch; return whether none is rejected, so that first writes have their runs."""
    return not (await commit(journal, worker, *writes)).rejected


async def queue_tasks(journal: Journal, worker: Worker, run: ClaimedRun, *tasks: NewTask) -> None:
    """Commit tasks in one batch each, so that each is younger than the one before."""
    for task in tasks:
        await commit(journal, worker, write(run, tasks=[task]))


async def take_tasks(
    journal: Journal,
    worker: Worker,
    limit: int = 100,
    *,
    activities: Sequence[str] = ("send",),
    isolated: bool = False,
    limits: dict[str, int] | None = None,
    unlisted_limit: int = 100,
    namespaces: Sequence[str] | None = None,
) -> list[ClaimedTask]:
    """Claim tasks."""
    return await journal.claim_tasks(
        worker,
        activities,
        isolated=isolated,
        limits=limits or {},
        unlisted_limit=unlisted_limit,
        limit=limit,
        namespaces=namespaces,
    )


async def retire(
    journal: Journal, worker: Worker, executing: RunId | None = None, poison_after: int = POISON_AFTER
) -> None:
    """End a worker's lease."""
    await journal.retire_worker(worker.id, executing=executing, poison_after=poison_after)


async def row(journal: Journal, run_id: RunId) -> RunRow:
    """Return the row of a run that exists."""
    found = await journal.get_run(run_id)
    assert found is not None
    return found


async def history(journal: Journal, run_id: RunId) -> list[Event]:
    """Return a history."""
    return (await journal.load([run_id]))[run_id]


async def seqs(journal: Journal, run_id: RunId) -> list[int]:
    """Return the seqs of a history."""
    return [entry.seq for entry in await history(journal, run_id)]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not await holds():
        assert time.monotonic() < deadline, "it never held"
        await asyncio.sleep(0.005)


async def let_expire(journal: Journal, worker: Worker) -> None:
    """Let a lease run out on the journal's clock."""
    await journal.renew([worker.id], 0.001, None)

    async def expired() -> bool:
        return worker.id in await journal.expired_workers()

    await until(expired)


def query(*where: tuple[str | tuple[str, ...], str, Any], **facts: Any) -> Query:
    """Return a query, oldest start first."""
    return replace(Query(None, where, ("started_at", False), 100, None), **facts)
