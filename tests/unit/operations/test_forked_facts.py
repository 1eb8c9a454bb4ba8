"""Plans and the check of the database, for runs that begin with the events of another, moment by moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from typing import Any

import pytest

from continuum.engine.events import Event, EventType, Forking
from continuum.engine.ids import RunId
from continuum.errors import CutRefused
from continuum.journal.event_codec import pack_body
from continuum.journal.forked_run import ForkMail, SeenHistory
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.memory.stored_facts import MemoryFacts
from continuum.journal.port import ClosePolicy, InboxKind, Post, RunState
from continuum.operations.forks import plan
from continuum.verify.verify import verify
from tests.contract.builders import (
    claim,
    commit,
    end,
    history,
    new_task,
    owned_run,
    queue_tasks,
    row,
    sleep_until,
    worker_of,
    write,
)
from tests.contract.families import family_write, finish, new_child
from tests.contract.test_forked_runs import forked

SITE = ("flow", "app.py:1")
AT = 1_700_000_000_000_000
FAILURE = pack_body(("OSError", "send failed on attempt 3: OSError: no", ""))
RETRIED: Sequence[tuple[EventType, tuple[Any, ...]]] = (
    (EventType.ACTIVITY_SCHEDULED, ("send", *SITE, b"", None)),
    (EventType.ACTIVITY_RETRIED, (0, "OSError", "no", 2, AT)),
    (EventType.ACTIVITY_RESTARTED, (0,)),
    (EventType.ACTIVITY_FAILED, (0, "OSError", "no", "", 3)),
)


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a coroutine test in a loop of its own."""

    @wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run


def events_of(bodies: Sequence[tuple[EventType, tuple[Any, ...]]]) -> list[Event]:
    return [Event(seq, type, AT, body) for seq, (type, body) in enumerate(bodies)]


async def rules_broken(journal: MemoryJournal, *run_ids: RunId) -> set[str]:
    """Return the rules about families, chains and tasks that these runs break."""
    found = {each.rule async for each in verify(MemoryFacts(journal), run_ids=run_ids)}
    return found - {"payload-unreadable", "end-incomplete"}


@in_a_loop
async def test_a_plan_keeps_the_order_of_times() -> None:
    journal = MemoryJournal()
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    events = events_of(RETRIED)
    await commit(journal, worker, write(run, *events, transition=end(RunState.FAILED, error=FAILURE)))
    origin = await row(journal, run.id)

    found = await plan(journal, origin, Forking.RESTART, None)
    new = found.new_run(RunId("new"), AT - 5)
    assert (new.prefix, new.forked.at, new.forked.body) == (events[:3], AT, (run.id, "restart", "new"))
    assert (new.keeps_signals, new.succeeds) == (True, True)
    dropping = await plan(journal, origin, Forking.FORK, 0, drop_signals=True)
    new = dropping.new_run(RunId("new"), AT - 5)
    # Without an event the time of the start counts, which is later here.
    assert (new.prefix, new.forked.at) == ([], origin.started_at)
    assert (new.keeps_signals, new.succeeds) == (False, False)


@in_a_loop
async def test_a_result_that_nobody_has_read_goes_to_the_new_run() -> None:
    journal = MemoryJournal()
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, *events_of(RETRIED[:1])))
    await journal.post([Post(run.id, InboxKind.ACTIVITY_COMPLETED, "0", (b"stored",), "1")])
    for how in (Forking.FORK, Forking.RESET):
        found = await plan(journal, await row(journal, run.id), how, 1)
        new = found.new_run(RunId(how.value), AT)
        await journal.fork_run(new)
        await claim(journal, worker)
        assert [mail.body for mail in await journal.inbox(worker, [new.id])] == [(b"stored",)]


@in_a_loop
async def test_a_task_of_a_call_that_began_again_is_no_finding() -> None:
    journal = MemoryJournal()
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    events = events_of(RETRIED[:3])
    await commit(journal, worker, write(run, *events))
    new = forked(run.id, events, 3)
    await journal.fork_run(new)
    (claimed,) = await claim(journal, worker)
    await queue_tasks(journal, worker, claimed, new_task(0))
    assert await rules_broken(journal, new.id) == set()
    await queue_tasks(journal, worker, claimed, new_task(0, dispatch=2, attempt=2))
    assert await rules_broken(journal, new.id) == {"task-dispatch"}


@in_a_loop
async def test_a_child_whose_end_is_reported_again_is_no_finding_and_a_lost_end_is_one() -> None:
    journal = MemoryJournal()
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    child = new_child(0)
    started = events_of([(EventType.CHILD_STARTED, ("orders", *SITE, child.id, b"", 1))])
    await commit(journal, worker, family_write(run, *started, children=[child]))
    (claimed,) = await claim(journal, worker)
    await finish(journal, worker, claimed, result=b"r")
    reported = forked(
        run.id,
        started,
        1,
        succeeds=False,
        children=[child.id],
        mail=[ForkMail(InboxKind.CHILD_COMPLETED, "0", (b"r",))],
    )
    await journal.fork_run(reported)
    assert await rules_broken(journal, reported.id) == set()
    lost = forked(run.id, started, 1, succeeds=False, children=[child.id])
    await journal.fork_run(lost)
    assert await rules_broken(journal, lost.id) == {"child-end-lost"}


@in_a_loop
async def test_a_child_that_was_removed_is_not_called_open() -> None:
    journal = MemoryJournal()
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    child = new_child(0, ClosePolicy.ABANDON)
    started = events_of([(EventType.CHILD_STARTED, ("orders", *SITE, child.id, b"", 3))])
    await commit(journal, worker, family_write(run, *started, children=[child]))
    (claimed,) = await claim(journal, worker)
    await finish(journal, worker, run, state=RunState.FAILED, error=FAILURE)
    await commit(journal, worker, family_write(claimed, transition=end(result=b"r", retention=0.0)))
    await journal.sweep()
    assert await journal.get_run(child.id) is None
    with pytest.raises(
        CutRefused, match="was removed before its end was reported; cut before its start"
    ) as no:
        await plan(journal, await row(journal, run.id), Forking.RESET, 1)
    assert no.value.nearest == 0


@in_a_loop
async def test_a_child_that_was_abandoned_by_a_reset_is_no_finding() -> None:
    journal = MemoryJournal()
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    child = new_child(0, ClosePolicy.ABANDON)
    started = events_of([(EventType.CHILD_STARTED, ("orders", *SITE, child.id, b"", 3))])
    await commit(journal, worker, family_write(run, *started, children=[child]))
    (claimed,) = await claim(journal, worker)
    await commit(journal, worker, family_write(claimed, transition=sleep_until(None, release=False)))
    await journal.fork_run(forked(run.id, [], 1))
    assert await rules_broken(journal, child.id, run.id) == set()


@in_a_loop
async def test_a_successor_that_does_not_say_whose_events_it_has_is_a_finding() -> None:
    journal = MemoryJournal()
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, *events_of(RETRIED)))
    new = forked(run.id, await history(journal, run.id), 4, seen=SeenHistory(RunState.RUNNING, 4))
    await journal.fork_run(new)
    assert await rules_broken(journal, run.id, new.id) == set()
    journal._runs[new.id].events.pop()
    assert await rules_broken(journal, run.id, new.id) == {"chain-broken"}
