"""The record of what people change: one row for a change, in its transaction, with what came of it (P20)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import sample
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum.engine.ids import NodeId, RunId
from continuum.journal.audit_facts import Action, AuditFacts, AuditQuery, AuditRow, SeenRun
from continuum.journal.limits import AUDIT_KEPT_SECONDS
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import InboxKind, Journal, NodeFacts, Post, Posted, RunState, VersionRow
from continuum.journal.postgres import PostgresJournal
from continuum.operations.actor import Actor, Recorder
from tests.contract.builders import (
    CODE,
    begin,
    commit,
    end,
    event,
    new_run,
    owned_run,
    row,
    signal,
    worker_of,
    write,
)
from tests.contract.families import block, continue_as_new, suspend

NOBODY = RunId("00000000-0000-4000-8000-000000000000")


def facts(action: Action, subject: str = "s", **changed: Any) -> AuditFacts:
    """Return facts about a change with an id of its own."""
    made = AuditFacts(str(uuid4()), "ann@here", "cli", action, subject, {"force": True, "n": [1]}, "a ticket")
    return made._replace(**changed)


async def rows(journal: Journal, **wanted: Any) -> list[AuditRow]:
    """Return all rows, the first one first."""
    return list(reversed(await journal.audited(AuditQuery(1000, **wanted))))


async def outcomes(journal: Journal) -> list[tuple[str, str]]:
    """Return subject and outcome of each row, the first one first."""
    return [(each.subject, each.outcome) for each in await rows(journal)]


def cancel(run_id: RunId, audit: AuditFacts | None = None) -> Post:
    """Return a cancel request."""
    return Post(run_id, InboxKind.CANCEL, "cancel", (), "cancel", audit=audit)


async def ended_run(journal: Journal) -> RunId:
    """Return a run that has ended."""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=end()))
    return run.id


async def test_p20_a_row_says_everything_about_a_change(journal: Journal) -> None:
    run_id = await begin(journal)
    made = facts(Action.SIGNAL, run_id)
    before = journal.now() - 60_000_000

    assert await journal.post([signal(run_id)._replace(audit=made)]) == [Posted.ACCEPTED]

    (found,) = await rows(journal)
    assert before < found.at < journal.now() + 60_000_000
    assert found == AuditRow(
        made.id,
        found.at,
        "ann@here",
        "cli",
        "signal",
        run_id,
        {"force": True, "n": [1]},
        "a ticket",
        "done",
    )


async def test_p20_changes_without_facts_leave_no_row(journal: Journal) -> None:
    run_id = await begin(journal)
    await journal.post([signal(run_id), cancel(run_id)])
    await journal.set_attributes(run_id, {"a": 1})
    await journal.force_cancel(run_id)
    await journal.unblock(["orders"], [run_id])
    await journal.drain_node(NodeId("north"))
    await journal.delete_versions([("orders", "v1")])

    assert await rows(journal) == []


async def test_p20_a_post_records_what_became_of_it(journal: Journal) -> None:
    ended, run_id = await ended_run(journal), await begin(journal)

    posted = await journal.post(
        [
            signal(ended)._replace(audit=facts(Action.SIGNAL, "ended")),
            signal(run_id)._replace(audit=None),
            signal(run_id)._replace(audit=facts(Action.SIGNAL, "open")),
            signal(NOBODY)._replace(audit=facts(Action.SIGNAL, "nobody")),
            cancel(run_id, facts(Action.CANCEL, "first")),
            cancel(run_id, facts(Action.CANCEL, "second")),
        ]
    )

    assert posted[:4] == [Posted.TERMINAL, Posted.ACCEPTED, Posted.ACCEPTED, Posted.NOT_FOUND]
    assert sorted(await outcomes(journal)) == [
        ("ended", "refused"),
        ("first", "done"),
        ("nobody", "not_found"),
        ("open", "done"),
        ("second", "already"),
    ]


async def test_p20_a_repeated_change_is_recorded_once_with_its_first_outcome(journal: Journal) -> None:
    run_id = await begin(journal)
    post = Post(run_id, InboxKind.SIGNAL, "go", (b"1",), "key", 1, facts(Action.SIGNAL, run_id))
    new = new_run(audit=facts(Action.START))
    drained = facts(Action.DRAIN_NODE, "nobody")

    assert await journal.post([post]) == [Posted.ACCEPTED]
    assert await journal.post([post._replace(attempt=2)]) == [Posted.DUPLICATE]
    for _ in range(2):
        await journal.start([new])
        await journal.drain_node(NodeId("nobody"), audit=drained)

    assert await outcomes(journal) == [(run_id, "done"), (new.id, "done"), ("nobody", "not_found")]


async def test_p20_a_start_records_the_run_that_there_is(journal: Journal) -> None:
    first = new_run(idempotency_key="k", audit=facts(Action.START))
    second = new_run(idempotency_key="k", audit=facts(Action.START))
    third = new_run(attributes={"vip": True}, trace_context="t", audit=facts(Action.START))

    started = await journal.start([first, replace(new_run(), audit=None)])
    assert [each.existing for each in started] == [False, False]
    assert (await journal.start([second, third]))[0] == (first.id, True)

    recorded = await outcomes(journal)
    assert recorded[0] == (first.id, "done")
    assert sorted(recorded[1:]) == sorted([(first.id, "already"), (third.id, "done")])
    stored = await row(journal, third.id)
    assert (stored.attributes, stored.trace_context, stored.input) == ({"vip": True}, "t", b"input")
    assert {run.id for run in await journal.claim(await worker_of(journal), CODE, 10)} >= {third.id}


async def test_p20_an_id_given_twice_in_one_call_is_created_once(journal: Journal) -> None:
    run = new_run()

    await journal.start([replace(run, audit=facts(Action.START)) for _ in range(2)])

    assert sorted(await outcomes(journal)) == [(run.id, "already"), (run.id, "done")]


async def test_p20_a_forced_cancel_records_what_became_of_it(journal: Journal) -> None:
    ended, run_id = await ended_run(journal), await begin(journal)

    for subject, run in (("open", run_id), ("again", run_id), ("ended", ended), ("nobody", NOBODY)):
        await journal.force_cancel(run, audit=facts(Action.FORCE_CANCEL, subject))

    assert await outcomes(journal) == [
        ("open", "done"),
        ("again", "refused"),
        ("ended", "refused"),
        ("nobody", "not_found"),
    ]
    assert (await row(journal, run_id)).state is RunState.CANCELLED


async def test_a_forced_cancel_spares_a_run_that_is_not_as_it_was_seen(journal: Journal) -> None:
    worker = await worker_of(journal)
    parked = await owned_run(journal, worker)
    await suspend(journal, worker, parked)
    seen = SeenRun(parked.id, (await row(journal, parked.id)).updated_at)
    await journal.set_attributes(parked.id, {"changed": True})

    stale = await journal.force_cancel(parked.id, seen=seen, audit=facts(Action.FORCE_CANCEL, "stale"))

    assert stale is Posted.STALE
    assert (await row(journal, parked.id)).state is RunState.SUSPENDED
    seen = SeenRun(parked.id, (await row(journal, parked.id)).updated_at)
    assert await journal.force_cancel(parked.id, seen=seen) is Posted.ACCEPTED
    assert await journal.force_cancel(parked.id, seen=seen) is Posted.TERMINAL
    assert await outcomes(journal) == [("stale", "stale")]


async def test_a_forced_cancel_spares_a_chain_that_has_continued_since(journal: Journal) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    second = await continue_as_new(journal, worker, first)

    assert await journal.force_cancel(first.id, seen=SeenRun(first.id)) is Posted.STALE
    assert not (await row(journal, second.id)).state.terminal
    # A run that was seen running may run on.
    await commit(journal, worker, write(second, event(0)))
    assert await journal.force_cancel(first.id, seen=SeenRun(second.id)) is Posted.ACCEPTED


async def test_p20_unblocking_records_whether_anything_was_blocked(journal: Journal) -> None:
    worker = await worker_of(journal)
    blocked = await owned_run(journal, worker)
    await block(journal, worker, blocked)

    for subject in ("blocked", "again"):
        await journal.unblock(["orders"], [blocked.id], audit=facts(Action.UNBLOCK, subject))

    assert await outcomes(journal) == [("blocked", "done"), ("again", "already")]
    assert (await row(journal, blocked.id)).state is RunState.RUNNING


async def test_p20_attributes_are_merged_into_the_latest_run_and_recorded(journal: Journal) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker, attributes={"a": 1})
    second = await continue_as_new(journal, worker, first)

    assert await journal.set_attributes(first.id, {"b": [2]}, audit=facts(Action.SET_ATTRIBUTES, "chain"))
    assert not await journal.set_attributes(NOBODY, {"b": 2}, audit=facts(Action.SET_ATTRIBUTES, "nobody"))

    assert (await row(journal, second.id)).attributes == {"a": 1, "b": [2]}
    assert (await row(journal, first.id)).attributes == {"a": 1}
    assert await outcomes(journal) == [("chain", "done"), ("nobody", "not_found")]


async def test_p20_a_drain_records_whether_it_was_asked_for_before(journal: Journal) -> None:
    worker = await worker_of(journal)
    north = NodeFacts(NodeId("north"), 10, "loopback:1", "up")
    await journal.renew([worker.id], 60.0, north)

    for subject, node in (("first", "north"), ("second", "north"), ("nobody", "south")):
        found = await journal.drain_node(NodeId(node), audit=facts(Action.DRAIN_NODE, subject))
        assert found is (node == "north")

    assert (await journal.renew([worker.id], 60.0, north)).drain
    assert await outcomes(journal) == [("first", "done"), ("second", "already"), ("nobody", "not_found")]


async def test_p20_each_deleted_version_has_a_row(journal: Journal) -> None:
    used, unused = "v1", "v0"
    await journal.register_versions(
        [VersionRow("orders", each, "1", "m", None, None) for each in (used, unused)]
    )
    await owned_run(journal, await worker_of(journal))
    named = ["v0", "v1", "v9"]

    deleted = await journal.delete_versions(
        [("orders", each) for each in named], audits=[facts(Action.DELETE_VERSION, each) for each in named]
    )

    assert deleted == 1
    assert [each.version for each in await journal.versions()] == ["v1"]
    assert sorted(await outcomes(journal)) == [("v0", "done"), ("v1", "stale"), ("v9", "already")]


async def test_p20_a_version_given_twice_is_deleted_once(journal: Journal) -> None:
    await journal.register_versions([VersionRow("orders", "v0", "1", "m", None, None)])
    audits = [facts(Action.DELETE_VERSION, each) for each in ("first", "second")]

    assert await journal.delete_versions([("orders", "v0")] * 2, audits=audits) == 1

    assert sorted(await outcomes(journal)) == [("first", "done"), ("second", "already")]


async def test_a_subject_is_recorded_as_far_as_an_index_takes_it(journal: Journal) -> None:
    """A text that does not compress takes all of its bytes there."""
    subject = "".join(map(chr, sample(range(0x20000, 0x2A6DF), 2000)))
    made = Recorder(Actor("ann"), lambda: str(uuid4()))(Action.DRAIN_NODE, subject)

    assert not await journal.drain_node(NodeId(subject), audit=made)

    ((recorded, outcome),) = await outcomes(journal)
    assert (recorded, outcome) == (subject[:250], "not_found")


async def test_the_record_is_read_in_pages_the_latest_first(journal: Journal) -> None:
    run_id = await begin(journal)
    for number in range(5):
        audit = facts(Action.SIGNAL, str(number), actor="bob" if number % 2 else "ann")
        await journal.post([signal(run_id)._replace(audit=audit)])
    await journal.force_cancel(run_id, audit=facts(Action.FORCE_CANCEL, "5", actor="bob"))

    read: list[str] = []
    before: tuple[int, str] | None = None
    while page := await journal.audited(AuditQuery(2, before)):
        read += [each.subject for each in page]
        before = page[-1].at, page[-1].id
    assert read == ["5", "4", "3", "2", "1", "0"]
    fourth = (await journal.audited(AuditQuery(10, subject="3")))[0]
    found = {
        "actor": await rows(journal, actor="bob"),
        "action": await rows(journal, action="force_cancel"),
        "subject": await rows(journal, subject="2"),
        "since": await rows(journal, since=fourth.at),
        "all": await rows(journal, actor="bob", action="signal", since=fourth.at),
    }
    assert {name: [each.subject for each in page] for name, page in found.items()} == {
        "actor": ["1", "3", "5"],
        "action": ["5"],
        "subject": ["2"],
        "since": ["3", "4", "5"],
        "all": ["3"],
    }


def _connect(dsn: str, schema: str) -> PostgresJournal:
    return PostgresJournal(dsn, schema=schema, listen=False)


async def _ask(dsn: str, schema: str, question: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        cursor = await connection.execute(SQL(question).format(schema=Identifier(schema)), parameters)
        return await cursor.fetchall() if cursor.description else []


async def test_p20_the_row_is_of_the_transaction_of_the_change(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    """What a kill between two transactions could tear apart is one transaction."""
    journal = _connect(dsn, schema)
    await journal.open()
    worker = await worker_of(journal)
    started = new_run("refunds", audit=facts(Action.START, "start"))
    await journal.start([started])
    (signalled, marked, ended, freed) = [await owned_run(journal, worker) for _ in range(4)]
    await block(journal, worker, freed)
    await journal.post([signal(signalled.id)._replace(audit=facts(Action.SIGNAL, "signal"))])
    await journal.set_attributes(marked.id, {"a": 1}, audit=facts(Action.SET_ATTRIBUTES, "attributes"))
    await journal.force_cancel(ended.id, audit=facts(Action.FORCE_CANCEL, "end"))
    await journal.unblock(["orders"], [freed.id], audit=facts(Action.UNBLOCK, "unblock"))
    await journal.renew([worker.id], 60.0, NodeFacts(NodeId("north"), 10, "loopback:1", "up"))
    await journal.drain_node(NodeId("north"), audit=facts(Action.DRAIN_NODE, "drain"))
    await journal.close()

    audit = dict(await _ask(dsn, schema, "select subject, xmin::text from {schema}.audit"))
    runs = dict(await _ask(dsn, schema, "select id::text, xmin::text from {schema}.runs"))
    mail = dict(await _ask(dsn, schema, "select run_id::text, xmin::text from {schema}.inbox"))
    ((node,),) = await _ask(dsn, schema, "select xmin::text from {schema}.nodes")
    assert audit == {
        started.id: audit[started.id],
        "signal": mail[signalled.id],
        "attributes": runs[marked.id],
        "end": runs[ended.id],
        "unblock": runs[freed.id],
        "drain": node,
    }
    assert len(set(audit.values())) == len(audit)


async def test_p20_a_change_that_is_rolled_back_leaves_no_row_and_a_row_that_fails_no_change(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    journal = _connect(dsn, schema)
    await journal.open()
    run_id, other = await begin(journal), await begin(journal)
    await _ask(dsn, schema, "alter table {schema}.audit add check (actor <> 'refused')")
    await _ask(dsn, schema, "alter table {schema}.runs add check (attributes ->> 'refused' is null)")

    refused = facts(Action.FORCE_CANCEL, actor="refused")
    with pytest.raises(psycopg.errors.CheckViolation):
        await journal.force_cancel(run_id, audit=refused)
    with pytest.raises(psycopg.errors.CheckViolation):
        await journal.post([signal(run_id)._replace(audit=refused), signal(other)])
    with pytest.raises(psycopg.errors.CheckViolation):
        await journal.set_attributes(run_id, {"refused": True}, audit=facts(Action.SET_ATTRIBUTES))

    assert (await row(journal, run_id)).state is RunState.RUNNING
    assert await _ask(dsn, schema, "select run_id from {schema}.inbox") == []
    assert await rows(journal) == []
    await journal.close()


async def test_callers_of_earlier_code_end_runs_as_before(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    journal = _connect(dsn, schema)
    await journal.open()
    run_id = await begin(journal)

    earlier: LiteralString = "select {schema}.force_cancel(%s)"
    assert await _ask(dsn, schema, earlier, run_id) == [(Posted.ACCEPTED,)]
    assert await _ask(dsn, schema, earlier, run_id) == [(Posted.TERMINAL,)]

    assert (await row(journal, run_id)).state is RunState.CANCELLED
    await journal.close()


async def test_old_rows_are_swept(journal: Journal) -> None:
    for subject in ("old", "new"):
        await journal.force_cancel(NOBODY, audit=facts(Action.FORCE_CANCEL, subject))
    await _age(journal, "old", AUDIT_KEPT_SECONDS + 60)
    await _age(journal, "new", AUDIT_KEPT_SECONDS - 60)

    await journal.sweep()

    assert [subject for subject, _ in await outcomes(journal)] == ["new"]


async def _age(journal: Journal, subject: str, seconds: int) -> None:
    """Make a row older."""
    if isinstance(journal, MemoryJournal):
        for id, found in journal._audit.items():
            if found.subject == subject:
                journal._audit[id] = found._replace(at=found.at - seconds * 1_000_000)
        return
    assert isinstance(journal, PostgresJournal)
    update = f"UPDATE \"{journal.schema}\".audit SET at = at - %s * interval '1 second' WHERE subject = %s"
    await journal._database.fetch_text(update.encode(), (seconds, subject))
