"""P21: runs that begin with the events of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.journal.audit_facts import Action, AuditFacts, AuditQuery
from continuum.journal.forked_run import ForkedRun, ForkMail, SeenHistory
from continuum.journal.port import (
    ClaimedRun,
    ClosePolicy,
    InboxKind,
    Journal,
    Loaded,
    Post,
    Posted,
    RunState,
    Worker,
)
from tests.contract.builders import (
    claim,
    commit,
    end,
    event,
    history,
    is_accepted,
    new_task,
    owned_run,
    queue_tasks,
    row,
    signal,
    take_tasks,
    worker_of,
    write,
)
from tests.contract.families import block, claimed_child, family_write, finish, parent_and_child

AT = 1_700_000_000_999_999


def forked(origin: RunId, prefix: Sequence[Event], events: int, **facts: Any) -> ForkedRun:
    """Return a run that begins with these events of another that has so many."""
    run = ForkedRun(
        RunId(str(uuid4())),
        origin,
        True,
        prefix,
        Event(len(prefix), EventType.RUN_FORKED, AT, (origin, "reset")),
        "v1",
        SeenHistory(RunState.RUNNING, events),
    )
    return run._replace(**facts)


def facts_of(run: ForkedRun) -> AuditFacts:
    return AuditFacts(str(uuid4()), "ann", "cli", Action.RESET, run.origin, {"at": len(run.prefix)})


async def run_of(
    journal: Journal, worker: Worker, *writes: int, **facts: Any
) -> tuple[ClaimedRun, list[Event]]:
    """Return a claimed run with writes of so many events each, and its history."""
    run = await owned_run(journal, worker, **facts)
    first = 0
    for number in writes:
        await commit(journal, worker, write(run, *[event(seq) for seq in range(first, first + number)]))
        first += number
    return run, await history(journal, run.id)


@pytest.mark.parametrize("cut", range(7))
async def test_p21_a_run_begins_with_the_events_before_the_cut(journal: Journal, cut: int) -> None:
    """Wherever the cut is in the rows that were written."""
    worker = await worker_of(journal)
    run, events = await run_of(journal, worker, 1, 3, 2)

    new = forked(run.id, events[:cut], 6, version="v0")
    assert await journal.fork_run(new) is Posted.ACCEPTED

    assert await history(journal, new.id) == [*events[:cut], new.forked]
    (claimed,) = await claim(journal, worker, code=(Loaded("orders", "v0"),))
    assert (claimed.id, claimed.fresh, claimed.version) == (new.id, False, "v0")
    assert await is_accepted(journal, worker, write(claimed, event(cut + 1)))
    assert [each.seq for each in await history(journal, new.id)] == list(range(cut + 2))
    assert await history(journal, run.id) == events


async def test_p21_an_open_run_ends_as_cancelled_and_is_succeeded(journal: Journal) -> None:
    worker = await worker_of(journal)
    facts = {"namespace": "shop", "attributes": {"customer": 7}, "trace_context": "00-trace"}
    run, events = await run_of(journal, worker, 2, idempotency_key="once", **facts)
    await queue_tasks(journal, worker, run, new_task(1))

    new = forked(run.id, events[:1], 2)
    assert await journal.fork_run(new) is Posted.ACCEPTED

    old, next_run = await row(journal, run.id), await row(journal, new.id)
    assert (old.state, old.owner, old.continued_to) == (RunState.CANCELLED, None, new.id)
    assert old.completed_at is not None
    assert (next_run.continued_from, next_run.root) == (run.id, run.id)
    assert (next_run.namespace, next_run.attributes, next_run.trace_context) == tuple(facts.values())
    assert (next_run.input, next_run.started_at, next_run.idempotency_key) == (b"input", old.started_at, None)
    assert await take_tasks(journal, worker) == []
    # The owner is fenced off, and every id means the run that continues.
    assert not await is_accepted(journal, worker, write(run, event(2)))
    assert await journal.post([signal(run.id)]) == [Posted.ACCEPTED]
    (claimed,) = await claim(journal, worker)
    assert [(mail.run_id, mail.name) for mail in await journal.inbox(worker, [claimed.id])] == [
        (new.id, "review")
    ]


async def test_p21_a_run_that_has_ended_stays_as_it_is(journal: Journal) -> None:
    worker = await worker_of(journal)
    run, events = await run_of(journal, worker, 2)
    await finish(journal, worker, run, state=RunState.FAILED, error=b"\x01\x93\xa1a\xa1b\xa1c")
    before = await row(journal, run.id)

    new = forked(run.id, events, 2, seen=SeenHistory(RunState.FAILED, 2))
    assert await journal.fork_run(new) is Posted.ACCEPTED

    after = await row(journal, run.id)
    assert (after.state, after.error, after.completed_at) == (before.state, before.error, before.completed_at)
    assert after.continued_to == new.id
    (ended,) = await journal.ended([run.id])
    assert ended.continued_to == new.id


async def test_p21_a_fork_is_a_run_of_its_own(journal: Journal) -> None:
    worker = await worker_of(journal)
    run, events = await run_of(journal, worker, 2, attributes={"vip": True})
    await commit(journal, worker, write(run, published=[("kept", b"1"), ("later", b"2")]))
    await journal.post([signal(run.id, key="delivery")])

    new = forked(run.id, events[:1], 2, succeeds=False, published=["kept"])
    assert await journal.fork_run(new) is Posted.ACCEPTED

    stays, fork = await row(journal, run.id), await row(journal, new.id)
    assert (stays.state, stays.owner, stays.continued_to) == (RunState.RUNNING, worker.id, None)
    assert (fork.continued_from, fork.root, fork.attributes) == (None, new.id, {"vip": True})
    assert set(await journal.read_published(new.id, ["kept", "later"])) == {"kept"}
    assert await is_accepted(journal, worker, write(run, event(2)))
    # What the other has not read is there for both, and its delivery is known to both.
    await claim(journal, worker)
    mail = await journal.inbox(worker, [run.id, new.id])
    assert sorted(each.run_id for each in mail) == sorted((run.id, new.id))
    assert await journal.post([signal(new.id, key="delivery")]) == [Posted.DUPLICATE]


async def test_p21_mail_comes_before_what_was_not_read(journal: Journal) -> None:
    worker = await worker_of(journal)
    run, events = await run_of(journal, worker, 2)
    await journal.post(
        [
            signal(run.id, b"unread"),
            Post(run.id, InboxKind.CANCEL, "", (), "cancel"),
            Post(run.id, InboxKind.ACTIVITY_COMPLETED, "0", (b"kept",), "1"),
            Post(run.id, InboxKind.ACTIVITY_COMPLETED, "1", (b"cut off",), "1"),
            Post(run.id, InboxKind.ACTIVITY_RAISED, "0", ("a", "b", "c", ()), "2"),
        ]
    )
    again = [
        ForkMail(InboxKind.SIGNAL, "review", (b"again",), "key"),
        ForkMail(InboxKind.CHILD_COMPLETED, "0", (b"result",)),
    ]

    new = forked(run.id, events[:1], 2, mail=again)
    assert await journal.fork_run(new) is Posted.ACCEPTED

    await claim(journal, worker)
    mail = await journal.inbox(worker, [new.id])
    assert [(each.kind, each.body) for each in mail] == [
        (InboxKind.SIGNAL, (b"again",)),
        (InboxKind.CHILD_COMPLETED, (b"result",)),
        (InboxKind.SIGNAL, (b"unread",)),
        (InboxKind.CANCEL, ()),
        (InboxKind.ACTIVITY_COMPLETED, (b"kept",)),
    ]


async def test_p21_signals_and_stop_requests_may_stay_behind(journal: Journal) -> None:
    worker = await worker_of(journal)
    run, events = await run_of(journal, worker, 2)
    await journal.post([signal(run.id), Post(run.id, InboxKind.CANCEL, "", (), "cancel")])

    dropping = forked(run.id, events[:1], 2, keeps_signals=False, succeeds=False)
    assert await journal.fork_run(dropping) is Posted.ACCEPTED
    await claim(journal, worker)
    assert await journal.inbox(worker, [dropping.id]) == []

    # A run that has ended does not hand on that it was to stop.
    await finish(journal, worker, run, state=RunState.FAILED, error=b"\x01\x93\xa1a\xa1b\xa1c")
    new = forked(run.id, events[:1], 2, seen=SeenHistory(RunState.FAILED, 2))
    assert await journal.fork_run(new) is Posted.ACCEPTED
    await claim(journal, worker)
    assert [each.kind for each in await journal.inbox(worker, [new.id])] == [InboxKind.SIGNAL]


async def test_p21_nothing_happens_if_the_run_is_not_as_it_was_seen(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    await commit(journal, worker, family_write(parent, event(0), event(1)))
    events = await history(journal, parent.id)

    for stale in (
        forked(parent.id, events[:1], 1),
        forked(parent.id, events[:1], 3),
        forked(parent.id, events[:1], 2, seen=SeenHistory(RunState.FAILED, 2)),
        forked(parent.id, events[:1], 2, children=[child.id]),
    ):
        audit = facts_of(stale)
        assert await journal.fork_run(stale, audit=audit) is Posted.STALE
        assert await journal.get_run(stale.id) is None
    assert (await row(journal, parent.id)).owner == worker.id
    await finish(journal, worker, child)
    assert await journal.fork_run(forked(parent.id, events[:1], 2, children=[child.id])) is Posted.ACCEPTED
    assert await journal.fork_run(forked(parent.id, events[:1], 2)) is Posted.STALE
    assert await journal.fork_run(forked(RunId(str(uuid4())), [], 0)) is Posted.NOT_FOUND
    assert [(each.action, each.outcome) for each in await journal.audited(AuditQuery(9))] == [
        ("reset", "stale")
    ] * 4


async def test_p21_a_repeated_call_makes_one_run(journal: Journal) -> None:
    worker = await worker_of(journal)
    run, events = await run_of(journal, worker, 2)
    new = forked(run.id, events[:1], 2)
    audit = facts_of(new)

    assert await journal.fork_run(new, audit=audit) is Posted.ACCEPTED
    assert await journal.fork_run(new, audit=audit) is Posted.DUPLICATE

    (recorded,) = await journal.audited(AuditQuery(9))
    assert (recorded.action, recorded.subject, recorded.outcome) == ("reset", run.id, "done")
    assert await history(journal, new.id) == [*events[:1], new.forked]


async def test_p21_a_request_that_looked_twice_has_one_row(journal: Journal) -> None:
    """P20"""
    worker = await worker_of(journal)
    run, events = await run_of(journal, worker, 2)
    stale, new = forked(run.id, events[:1], 1), forked(run.id, events[:1], 2)
    first = facts_of(stale)
    again = facts_of(new)._replace(id=first.id, arguments={"at": 1, "new_run": new.id})
    assert await journal.fork_run(stale, audit=first) is Posted.STALE
    assert await journal.fork_run(new, audit=again) is Posted.ACCEPTED
    (recorded,) = await journal.audited(AuditQuery(9))
    assert (recorded.outcome, recorded.arguments) == ("done", {"at": 1, "new_run": new.id})


async def test_p21_a_parent_hears_from_the_successor_alone(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    new = forked(child.id, [], 0)

    assert await journal.fork_run(new) is Posted.ACCEPTED

    assert await journal.inbox(worker, [parent.id]) == []
    (claimed,) = await claim(journal, worker)
    assert (claimed.id, claimed.parent, claimed.depth) == (new.id, parent.id, 1)
    assert (await row(journal, new.id)).parent_seq == (await row(journal, child.id)).parent_seq == 1
    await finish(journal, worker, claimed, result=b"late")
    (mail,) = await journal.inbox(worker, [parent.id])
    assert (mail.kind, mail.name, mail.body) == (InboxKind.CHILD_COMPLETED, "1", (b"late",))


@pytest.mark.parametrize("policy", ClosePolicy)
@pytest.mark.parametrize("blocked", [False, True])
async def test_p21_children_of_an_open_run_end_with_it_as_their_policies_say(
    journal: Journal, policy: ClosePolicy, blocked: bool
) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker, policy)
    if blocked:
        await block(journal, worker, child)

    assert await journal.fork_run(forked(parent.id, [], 0)) is Posted.ACCEPTED

    state = (await row(journal, child.id)).state
    if blocked:
        expected = RunState.BLOCKED if policy is ClosePolicy.ABANDON else RunState.CANCELLED
        assert state is expected
    else:
        asked = [mail.kind for mail in await journal.inbox(worker, [child.id])]
        assert asked == ([] if policy is ClosePolicy.ABANDON else [InboxKind.CANCEL])


async def test_p21_children_stay_with_a_run_that_is_forked(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent = await owned_run(journal, worker)
    child = await claimed_child(journal, worker, parent)
    assert await journal.fork_run(forked(parent.id, [], 0, succeeds=False)) is Posted.ACCEPTED
    assert await journal.inbox(worker, [child.id]) == []
    assert (await row(journal, child.id)).parent == parent.id


async def test_p21_a_chain_is_removed_by_the_time_of_its_latest_run(journal: Journal) -> None:
    worker = await worker_of(journal)
    run, events = await run_of(journal, worker, 1)
    await commit(journal, worker, write(run, transition=end(result=b"r", retention=0.0)))
    new = forked(run.id, events, 1, seen=SeenHistory(RunState.COMPLETED, 1))
    assert await journal.fork_run(new) is Posted.ACCEPTED
    await journal.sweep()
    assert await journal.get_run(run.id) is not None
    (claimed,) = await claim(journal, worker)
    await commit(journal, worker, write(claimed, transition=end(result=b"r", retention=0.0)))
    await journal.sweep()
    assert await journal.get_run(run.id) is None
    assert await journal.get_run(new.id) is None


ERROR = b"\x01\x93\xa1a\xa1b\xa1c"


async def failed_family(journal: Journal, worker: Worker) -> tuple[ClaimedRun, ClaimedRun]:
    """Return a parent that has failed, and its child that failed after it."""
    parent, child = await parent_and_child(journal, worker, ClosePolicy.ABANDON)
    await commit(journal, worker, family_write(parent, event(0), event(1)))
    for run in (parent, child):
        await finish(journal, worker, run, state=RunState.FAILED, error=ERROR)
    return parent, child


async def test_p21_of_parent_and_child_one_is_cut_by_what_was_seen_of_both(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await failed_family(journal, worker)
    of_child = forked(child.id, [], 0, seen=SeenHistory(RunState.FAILED, 0))
    events = await history(journal, parent.id)
    of_parent = forked(parent.id, events, 2, seen=SeenHistory(RunState.FAILED, 2), children=[child.id])
    assert await journal.fork_run(of_child) is Posted.ACCEPTED
    # It has not ended as it was seen: another run continues it, which may end otherwise.
    assert await journal.fork_run(of_parent) is Posted.STALE
    (claimed,) = await claim(journal, worker)
    await finish(journal, worker, claimed, result=b"other")
    assert await journal.fork_run(of_parent) is Posted.STALE
    assert await journal.fork_run(of_parent._replace(children=[of_child.id])) is Posted.ACCEPTED

    # The parent has heard the end of this one since it was seen.
    again = forked(of_child.id, [], 1, seen=SeenHistory(RunState.COMPLETED, 1))
    assert await journal.fork_run(again) is Posted.STALE
    seen = SeenHistory(RunState.COMPLETED, 1, of_parent.id)
    assert await journal.fork_run(again._replace(seen=seen)) is Posted.ACCEPTED
