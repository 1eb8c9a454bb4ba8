"""The situation of a run: what may explain why it does not continue, at one moment."""

from __future__ import annotations

import asyncio

import pytest

from continuum.engine.events import Event, EventType
from continuum.engine.ids import NodeId, RunId
from continuum.journal.memory import situations as in_memory
from continuum.journal.port import (
    Fault,
    InboxKind,
    Journal,
    Post,
    Refusal,
    RunState,
    Transition,
    VersionRow,
)
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres import situations as in_postgres
from continuum.journal.situation import KnownVersion, Situation
from continuum.journal.suspect_port import Death, Executed
from tests.contract.builders import (
    CODE,
    begin,
    claim,
    commit,
    end,
    event,
    new_run,
    new_task,
    owned_run,
    retire,
    signal,
    take_tasks,
    worker_of,
    write,
)
from tests.contract.families import family_write, finish, new_child


async def situation_of(journal: Journal, run_id: RunId) -> Situation:
    """Return the situation of a run that exists."""
    found = await journal.situation(run_id)
    assert found is not None
    return found


async def test_a_run_that_does_not_exist_has_no_situation(journal: Journal) -> None:
    assert await journal.situation(new_run().id) is None


async def test_a_run_without_anything_has_its_row_and_the_time(journal: Journal) -> None:
    run_id = await begin(journal)

    found = await situation_of(journal, run_id)

    assert found.run == await journal.get_run(run_id)
    assert abs(found.now - journal.now()) < 60_000_000
    assert (found.attempt, found.deaths, found.lease, list(found.events)) == (0, 0, None, [])
    assert (list(found.tasks), dict(found.mail), list(found.children)) == ([], {}, [])
    assert (dict(found.heartbeats), list(found.refusals), list(found.versions)) == ({}, [], [])


async def test_an_owner_has_a_lease(journal: Journal) -> None:
    worker = await worker_of(journal, ttl=600.0)
    run = await owned_run(journal, worker)

    lease = (await situation_of(journal, run.id)).lease
    assert lease is not None
    assert round((lease.expires_at - lease.renewed_at) / 1e6) == 600
    assert abs(lease.renewed_at - journal.now()) < 60_000_000

    await retire(journal, worker)
    assert (await situation_of(journal, run.id)).lease is None


async def test_a_history_is_whole_or_its_end(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    for seq in range(5):
        await commit(journal, worker, write(run, event(seq)))

    whole = await situation_of(journal, run.id)
    assert (whole.first, [each.seq for each in whole.events]) == (0, [0, 1, 2, 3, 4])

    monkeypatch.setattr(in_memory, "SITUATION_EVENT_ROWS", 2)
    monkeypatch.setitem(in_postgres._LIMITS, "events", 2)
    latest = await situation_of(journal, run.id)
    assert (latest.first, [each.seq for each in latest.events]) == (3, [3, 4])


async def test_tasks_have_their_place_in_the_queue_or_their_owner(journal: Journal) -> None:
    worker = await worker_of(journal, "north")
    run = await owned_run(journal, worker)
    other = await owned_run(journal, worker)
    await commit(journal, worker, write(other, tasks=[new_task(0, priority=9)]))
    (claimed,) = await take_tasks(journal, worker)
    await commit(journal, worker, write(other, tasks=[new_task(2, queue="elsewhere", priority=5)]))
    await commit(
        journal, worker, write(run, tasks=[new_task(3, timeout=7.0, deadline=1_900_000_000_000_000)])
    )
    # More urgent, and later.
    await commit(journal, worker, write(other, tasks=[new_task(1, priority=5)]))
    await commit(journal, worker, write(other, tasks=[new_task(4)]))

    (task,) = (await situation_of(journal, run.id)).tasks
    assert (task.seq, task.activity, task.queue, task.ahead, task.busy) == (3, "send", "mail", 1, 1)
    assert (task.owner_node, task.owner_pid, task.claimed_at) == (None, None, None)
    assert (task.timeout, task.deadline) == (7.0, 1_900_000_000_000_000)
    assert abs((task.queued_at or 0) - journal.now()) < 60_000_000

    owned = (await situation_of(journal, claimed.run_id)).tasks[0]
    assert (owned.seq, owned.owner_node, owned.owner_pid, owned.ahead) == (0, "north", 4711, 0)
    assert abs((owned.claimed_at or 0) - journal.now()) < 60_000_000


async def test_unread_mail_is_counted_by_kind_and_name(journal: Journal) -> None:
    run_id = await begin(journal)
    await journal.post([signal(run_id), signal(run_id), signal(run_id, name="other")])
    await journal.post([Post(run_id, InboxKind.CANCEL, "", ())])

    assert (await situation_of(journal, run_id)).mail == {
        (InboxKind.SIGNAL, "review"): 2,
        (InboxKind.SIGNAL, "other"): 1,
        (InboxKind.CANCEL, ""): 1,
    }


async def test_open_children_are_named_and_ended_ones_are_not(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent = await owned_run(journal, worker)
    children = [new_child(0), new_child(1)]
    await commit(journal, worker, family_write(parent, children=children))
    ends = {run.id: run for run in await claim(journal, worker)}
    await finish(journal, worker, ends[children[0].id])

    (child,) = (await situation_of(journal, parent.id)).children

    assert (child.id, child.seq, child.workflow) == (children[1].id, 1, children[1].workflow)
    assert child.state is RunState.RUNNING


async def test_heartbeats_refusals_and_versions_are_there(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, tasks=[new_task(3)]))
    await journal.heartbeat(run.id, 3, b"half")
    refusal = Refusal("v2", "it differs", Fault("drift", 4))
    refused = write(run, transition=Transition(RunState.SUSPENDED, journal.now(), release=True))
    refused.refusal = refusal
    await commit(journal, worker, refused)
    for version, label in (("v1", "1"), ("v2", "2")):
        await journal.register_versions([VersionRow("orders", version, label, "shop.orders", None, None)])

    found = await situation_of(journal, run.id)

    assert found.heartbeats == {3: b"half"}
    assert list(found.refusals) == [refusal]
    assert set(found.versions) == {
        KnownVersion("v1", "1", "shop.orders"),
        KnownVersion("v2", "2", "shop.orders"),
    }


async def test_an_ended_run_has_its_end(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    failed = Event(0, EventType.CANCEL_REQUESTED, 1_700_000_000_000_000, ())
    await commit(journal, worker, write(run, failed, transition=end(RunState.CANCELLED)))

    found = await situation_of(journal, run.id)

    assert found.run.state is RunState.CANCELLED
    assert [each.type for each in found.events] == [EventType.CANCEL_REQUESTED]


async def test_a_node_alone_may_claim_a_task_of_its_own(journal: Journal) -> None:
    worker = await worker_of(journal, "north")
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, tasks=[new_task(0, node=NodeId("north"), isolated=True)]))

    (task,) = (await situation_of(journal, run.id)).tasks

    assert (task.node, task.isolated) == ("north", True)


async def test_open_children_are_among_a_bounded_number_of_all(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await worker_of(journal)
    parent = await owned_run(journal, worker)
    children = [new_child(seq) for seq in range(4)]
    await commit(journal, worker, family_write(parent, children=children))
    monkeypatch.setattr(in_memory, "SITUATION_ROWS", 3)
    monkeypatch.setitem(in_postgres._LIMITS, "rows", 3)
    assert [child.seq for child in (await situation_of(journal, parent.id)).children] == [0, 1, 2]


async def test_a_suspect_has_its_company_under_its_place(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, tasks=[new_task(3)]))
    (task,) = await take_tasks(journal, worker)
    assert (await situation_of(journal, run.id)).suspicions == {}

    await journal.blame(worker.id, Death(Executed(run.id)))
    found = (await situation_of(journal, run.id)).suspicions
    assert {seq: suspicion.together for seq, suspicion in found.items()} == {-1: 1}
    assert abs(found[-1].since - journal.now()) < 60_000_000
    assert not (await situation_of(journal, run.id)).deadly

    await journal.blame(worker.id, Death(None, (Executed(run.id, task.seq), Executed(run.id))))
    assert (await situation_of(journal, run.id)).suspicions.keys() == {-1, 3}


async def test_a_workflow_whose_runs_kill_processes_is_kept_apart(journal: Journal) -> None:
    worker = await worker_of(journal)
    for run in [await owned_run(journal, worker) for _ in range(3)]:
        await journal.blame(worker.id, Death(Executed(run.id)))
    other = await begin(journal)
    assert (await situation_of(journal, other)).deadly


async def test_a_run_that_is_due_sees_how_much_each_node_executes(journal: Journal) -> None:
    north, south = await worker_of(journal, "north"), await worker_of(journal, "south")
    runs = [await owned_run(journal, north) for _ in range(3)]
    await commit(journal, north, write(runs[0], transition=Transition(RunState.SUSPENDED)))
    due = await begin(journal)
    assert (await situation_of(journal, due)).active == {"north": 2, "south": 0}
    await journal.claim(south, CODE, 1)
    assert (await situation_of(journal, due)).active == {}


async def test_one_moment_shows_nothing_that_comes_later(
    dsn: str, schema: str, runner: asyncio.Runner
) -> None:
    """In the memory journal nothing happens between two reads."""
    for connections in (1, 4):
        journal = PostgresJournal(dsn, schema=schema, listen=False, connections=connections)
        await journal.open()
        other = PostgresJournal(dsn, schema=schema, listen=False)
        await other.open()
        run_id = await begin(other)
        async with journal.one_moment() as moment:
            before = await situation_of(moment, run_id)
            await other.post([signal(run_id)])
            late = await begin(other)
            assert (await situation_of(moment, run_id)).mail == before.mail == {}
            assert await moment.situation(late) is None
            assert await moment.nodes() == []
        assert (await situation_of(journal, run_id)).mail
        assert await journal.situation(late) is not None
        await journal.close()
        await other.close()


async def test_unread_mail_is_read_with_and_without_an_owner(journal: Journal) -> None:
    worker = await worker_of(journal)
    owned, alone, other = (await owned_run(journal, worker)).id, await begin(journal), await begin(journal)
    for run_id, name in [(owned, "a"), (alone, "b"), (other, "c"), (owned, "d"), (owned, "e")]:
        await journal.post([signal(run_id, name=name)])

    rows = await journal.unread([alone, owned, new_run().id], 2)

    assert [(row.run_id, row.kind, row.name) for row in rows] == [
        (owned, InboxKind.SIGNAL, "a"),
        (alone, InboxKind.SIGNAL, "b"),
        (owned, InboxKind.SIGNAL, "d"),
    ]
    assert rows[0].body == signal(owned).body
