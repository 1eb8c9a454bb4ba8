"""P12: commits whose response was lost, repeated with the same batch number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum.client import Client
from continuum.engine.events import Event, EventType
from continuum.errors import JournalUnavailable
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import (
    Journal,
    LeaseLost,
    Loaded,
    Post,
    Posted,
    RunState,
    RunWrite,
    Worker,
)
from continuum.journal.postgres import PostgresJournal
from tests.contract.builders import (
    begin,
    commit,
    end,
    event,
    new_task,
    owned_run,
    owned_runs,
    retire,
    row,
    seqs,
    sleep_until,
    take_tasks,
    until,
    worker_of,
    write,
)
from tests.contract.cutting_proxy import CuttingProxy, Loss, cutting_proxy
from tests.contract.lock_watch import waiting_for_locks

BATCH = 10**9


@asynccontextmanager
async def behind_a_proxy(dsn: str, schema: str) -> AsyncIterator[tuple[PostgresJournal, CuttingProxy]]:
    """Yield a Postgres journal whose connections can be cut."""
    async with cutting_proxy(dsn) as (proxy, through):
        journal = PostgresJournal(through, schema=schema)
        await journal.open()
        try:
            yield journal, proxy
        finally:
            await journal.close()


async def lose(journal: Journal, proxy: CuttingProxy, loss: Loss, worker: Worker, *writes: RunWrite) -> None:
    """Commit, and lose the request or the response on the way."""
    # Prepare the statement first, so that the statement itself is lost and not its preparation.
    await journal.commit(worker, BATCH - 1, writes[:0])
    proxy.next_loss = loss
    with pytest.raises(JournalUnavailable):
        await journal.commit(worker, BATCH, writes)


async def test_p12_the_memory_journal_applies_a_repeated_batch_once(runner: asyncio.Runner) -> None:
    journal = MemoryJournal()
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    batch = [write(run, event(1), tasks=[new_task()], transition=end(result=b"r"))]

    outcomes = [await journal.commit(worker, BATCH, batch) for _ in range(2)]

    assert outcomes[0] == outcomes[1]
    assert outcomes[0].rejected == frozenset()
    assert await seqs(journal, run.id) == [1]


async def test_p12_a_batch_that_comes_later_than_its_successor_is_rejected(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.commit(worker, BATCH, [write(run, event(0))])
    with pytest.raises(LeaseLost):
        await journal.commit(worker, BATCH - 1, [write(run, event(1))])
    assert await seqs(journal, run.id) == [0]


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.RESPONSE])
async def test_p12_a_commit_without_response_takes_effect_once(
    runner: asyncio.Runner, dsn: str, schema: str, loss: Loss
) -> None:
    async with behind_a_proxy(dsn, schema) as (journal, proxy):
        worker = await worker_of(journal)
        going, sleeping = await owned_runs(journal, worker, 2)
        writes = [
            write(going, event(1), tasks=[new_task()]),
            write(sleeping, event(1), transition=sleep_until(None, release=False)),
        ]
        await lose(journal, proxy, loss, worker, *writes)
        assert await seqs(journal, going.id) == ([1] if loss is Loss.RESPONSE else [])

        committed = await journal.commit(worker, BATCH, writes)

        assert committed.rejected == frozenset()
        assert await seqs(journal, going.id) == await seqs(journal, sleeping.id) == [1]
        assert (await row(journal, sleeping.id)).state is RunState.SUSPENDED
        assert len(await take_tasks(journal, worker)) == 1
        assert (await commit(journal, worker, write(going, event(2)))).rejected == frozenset()


@pytest.mark.parametrize("state", [RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED, RunState.BLOCKED])
async def test_p12_a_run_that_ended_in_the_lost_commit_is_not_rejected(
    runner: asyncio.Runner, dsn: str, schema: str, state: RunState
) -> None:
    async with behind_a_proxy(dsn, schema) as (journal, proxy):
        worker = await worker_of(journal)
        run = await owned_run(journal, worker)
        writes = [write(run, event(1), transition=end(state))]
        await lose(journal, proxy, Loss.RESPONSE, worker, *writes)
        assert (await row(journal, run.id)).state is state

        assert (await journal.commit(worker, BATCH, writes)).rejected == frozenset()


async def test_p12_a_run_that_the_lost_commit_rejected_is_reported(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with behind_a_proxy(dsn, schema) as (journal, proxy):
        worker, other = await worker_of(journal), await worker_of(journal)
        stale, kept = await owned_runs(journal, worker, 2)
        await journal.release(worker, [stale.id], crashed=False, poison_after=3)
        await journal.claim(other, [Loaded("orders", "v1")], 1)
        writes = [write(stale, event(1)), write(kept, event(1))]
        await lose(journal, proxy, Loss.RESPONSE, worker, *writes)

        assert (await journal.commit(worker, BATCH, writes)).rejected == {stale.id}
        assert await seqs(journal, kept.id) == [1]


async def test_p12_repeating_a_commit_without_the_lease_is_refused(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with behind_a_proxy(dsn, schema) as (journal, proxy):
        worker = await worker_of(journal)
        run = await owned_run(journal, worker)
        writes = [write(run, event(1))]
        await lose(journal, proxy, Loss.REQUEST, worker, *writes)
        await retire(journal, worker)

        with pytest.raises(LeaseLost):
            await journal.commit(worker, BATCH, writes)
        assert await seqs(journal, run.id) == []


async def test_p12_a_commit_still_running_on_the_server_takes_effect_once(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with (
        behind_a_proxy(dsn, schema) as (journal, proxy),
        await psycopg.AsyncConnection.connect(dsn) as holder,
    ):
        worker = await worker_of(journal)
        run = await owned_run(journal, worker)
        writes = [write(run, event(1), tasks=[new_task()])]
        await journal.commit(worker, BATCH - 1, [])
        await holder.execute(
            SQL("select from {}.runs where id = %s for update").format(Identifier(schema)), (run.id,)
        )

        first = asyncio.create_task(journal.commit(worker, BATCH, writes))
        await until(lambda: waiting_for_locks(dsn, schema, 1))
        await proxy.cut()
        with pytest.raises(JournalUnavailable):
            await first
        second = asyncio.create_task(journal.commit(worker, BATCH, writes))
        await until(lambda: waiting_for_locks(dsn, schema, 2))
        await holder.rollback()

        assert (await second).rejected == frozenset()
        # The proxy also cut the pool's connections, each of which would fail once.
        onlooker = PostgresJournal(dsn, schema=schema)
        await onlooker.open()
        try:
            assert await seqs(onlooker, run.id) == [1]
        finally:
            await onlooker.close()


@pytest.mark.parametrize("loss", [Loss.NOTHING, Loss.REQUEST, Loss.RESPONSE])
@pytest.mark.parametrize("read", [False, True], ids=["unread", "read meanwhile"])
async def test_p6_a_signal_whose_answer_was_lost_arrives_once(
    runner: asyncio.Runner, dsn: str, schema: str, loss: Loss, read: bool
) -> None:
    async with behind_a_proxy(dsn, schema) as (journal, proxy), Client(journal) as client:
        direct = PostgresJournal(dsn, schema=schema)
        worker = await worker_of(direct)
        run = await owned_run(direct, worker)
        # The contract of the run is known from now on, so that the next request is the post.
        await client.signal(run.id, "warm-up", 1)
        received, post = 0, journal.post

        async def posting(posts: Sequence[Post]) -> list[Posted]:
            try:
                return await post(posts)
            except JournalUnavailable:
                if read:
                    await take_in()
                raise

        async def take_in() -> None:
            nonlocal received
            rows = [row for row in await direct.inbox(worker, None) if row.name == "go"]
            events = [
                Event(seq, EventType.SIGNAL_RECEIVED, 1_700_000_000_000_000, ("go", each.body[0], each.key))
                for seq, each in enumerate(rows, received)
            ]
            received += len(rows)
            await commit(direct, worker, write(run, *events, consumed=[each.id for each in rows]))

        client._posting._posts._write = posting
        proxy.next_loss = loss
        await client.signal(run.id, "go", 1)
        await take_in()
        kept = await direct._database.fetch_text(f'SELECT count(*)::int FROM "{schema}".deliveries'.encode())
        await direct.close()

        assert received == 1
        assert kept == [(0 if loss is Loss.NOTHING else 1,)]


async def test_p6_keys_of_senders_of_earlier_code_are_kept(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    journal = PostgresJournal(dsn, schema=schema)
    await journal.open()
    run_id = await begin(journal)
    earlier = SQL(
        "SELECT {}.post(ARRAY[%s]::uuid[], ARRAY[1]::smallint[], ARRAY['go'], "
        "ARRAY['\x1fkey'], ARRAY['']::bytea[])"
    ).format(Identifier(schema))
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        answers = [(await (await connection.execute(earlier, (run_id,))).fetchone()) for _ in range(2)]
        kept = await (
            await connection.execute(SQL("SELECT delivery_id FROM {}.deliveries").format(Identifier(schema)))
        ).fetchall()
    await journal.close()

    assert answers == [([Posted.ACCEPTED],), ([Posted.DUPLICATE],)]
    assert kept == [("\x1fkey",)]


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.RESPONSE])
async def test_p12_calls_after_a_commit_without_response_can_be_read(
    runner: asyncio.Runner, dsn: str, schema: str, loss: Loss
) -> None:
    """What was stored may be the first attempt, in which a call refers to an earlier one."""
    async with behind_a_proxy(dsn, schema) as (journal, proxy):
        worker = await worker_of(journal)
        run = await owned_run(journal, worker)
        calls = [event(seq, ("act", "flow", "file:1", b"")) for seq in range(4)]
        await journal.commit(worker, BATCH - 2, [write(run, calls[0])])
        await lose(journal, proxy, loss, worker, write(run, calls[1]))

        await journal.commit(worker, BATCH, [write(run, calls[1])])
        for later in calls[2:]:
            await commit(journal, worker, write(run, later))

        assert (await journal.load([run.id]))[run.id] == calls
