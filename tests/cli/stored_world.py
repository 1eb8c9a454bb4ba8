"""A healthy database with a run of each kind, for the checker to find nothing in until a test damages it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from continuum.codec.codec import encode, encode_arguments
from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.journal.event_codec import pack_body
from continuum.journal.facts import ClaimedRun, RunState, RunWrite, Worker
from continuum.journal.port import ClosePolicy, Fault, Journal, NewChild, Successor, Transition
from continuum.journal.postgres import PostgresJournal
from tests.contract.builders import begin, claim, commit, end, new_task, signal, sleep_until, worker_of
from tests.contract.families import finish, new_child

_SITE = ("caller", "file.py:1")
INPUT = encode_arguments((), {})


@dataclass(frozen=True, slots=True)
class StoredWorld:
    """The runs by what they are. The parent is owned and has a task, a signal and children."""

    worker: int
    parent: RunId
    child: RunId
    ended_child: RunId
    first: RunId
    latest: RunId
    failed: RunId
    blocked: RunId
    asleep: RunId


def stored_world(dsn: str, schema: str) -> StoredWorld:
    """Fill a schema."""
    return asyncio.run(_filled(dsn, schema))


async def _filled(dsn: str, schema: str) -> StoredWorld:
    journal = PostgresJournal(dsn, schema=schema, listen=False)
    await journal.open()
    try:
        worker = await worker_of(journal)
        parent = await _owned(journal, worker)
        children = [
            new_child(0, ClosePolicy.CANCEL)._replace(input=INPUT),
            new_child(1)._replace(input=INPUT),
        ]
        # Three events in one row, and one in each of three.
        await commit(journal, worker, _family(parent, children))
        for event in _later():
            await commit(journal, worker, _write(parent, event))
        ends = {run.id: run for run in await claim(journal, worker)}
        await finish(journal, worker, ends[children[1].id], result=encode("done"))
        await commit(journal, worker, _write(ends[children[0].id], transition=sleep_until(None)))
        await journal.take_snapshot(parent.id, "v1", 0)
        first, latest = await _chain(journal, worker)
        failed = await _owned(journal, worker)
        error = pack_body(("ValueError", "no", ""))
        await finish(journal, worker, failed, state=RunState.FAILED, error=error)
        blocked = await _owned(journal, worker)
        drift = Transition(RunState.BLOCKED, reason="drift: another command", fault=Fault("drift"))
        await commit(journal, worker, _write(blocked, transition=drift))
        asleep = await _owned(journal, worker)
        later = journal.now() + 3_600_000_000
        await commit(journal, worker, _published(asleep, sleep_until(later)))
        await begin(journal, input=INPUT, idempotency_key="one")
        await begin(journal, input=INPUT, idempotency_key="two")
        await journal.post([signal(parent.id)])
    finally:
        await journal.close()
    return StoredWorld(
        worker.id, parent.id, children[0].id, children[1].id, first, latest, failed.id, blocked.id, asleep.id
    )


def _write(run: ClaimedRun, *events: Event, transition: Transition | None = None) -> RunWrite:
    return RunWrite(
        run.id, run.token, list(events), transition=transition, depth=run.depth, parent=run.parent
    )


def _published(run: ClaimedRun, transition: Transition) -> RunWrite:
    write = _write(run, _event(0, EventType.STATE_PUBLISHED, "stage", *_SITE), transition=transition)
    write.published = [("stage", encode("packed"))]
    return write


async def _owned(journal: Journal, worker: Worker) -> ClaimedRun:
    run_id = await begin(journal, input=INPUT)
    (claimed,) = [run for run in await claim(journal, worker) if run.id == run_id]
    return claimed


def _event(seq: int, type: EventType, *body: object) -> Event:
    return Event(seq, type, 1_700_000_000_000_000 + seq, body)


def _started(child: NewChild) -> Event:
    digest = b"0123456789abcdef"
    return _event(
        child.seq, EventType.CHILD_STARTED, child.workflow, *_SITE, child.id, digest, int(child.close_policy)
    )


def _family(run: ClaimedRun, children: list[NewChild]) -> RunWrite:
    events = [
        *map(_started, children),
        _event(2, EventType.ACTIVITY_SCHEDULED, "send", *_SITE, encode("to"), None),
    ]
    write = _write(run, *events)
    write.children, write.tasks = children, [new_task(2)]
    return write


def _later() -> list[Event]:
    return [
        _event(3, EventType.SIGNAL_RECEIVED, "review", encode("yes"), "delivery"),
        _event(4, EventType.SIGNAL_RECEIVED, "review", encode("yes"), "another"),
        _event(5, EventType.TIMER_STARTED, 1_900_000_000_000_000, *_SITE),
    ]


async def _chain(journal: Journal, worker: Worker) -> tuple[RunId, RunId]:
    first = await _owned(journal, worker)
    successor = Successor(new_child().id, "orders", INPUT)
    write = _write(
        first,
        _event(0, EventType.RUN_CONTINUED_AS_NEW, "orders", *_SITE, successor.id, b"0123456789abcdef"),
        transition=end(),
    )
    write.successor = successor
    await commit(journal, worker, write)
    return first.id, successor.id
