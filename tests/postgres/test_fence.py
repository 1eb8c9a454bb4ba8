"""The fence, held open: every pair of an owner's write and a retirement or forced cancel, in both orders.

One side runs the journal's own statement inside a transaction that the test leaves
open; the other side must be seen waiting for its lock before the first one ends.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from continuum.engine.ids import RunId
from continuum.journal.port import LeaseLost, Posted, Released, RunState, Successor
from continuum.journal.postgres import PostgresJournal, packed_arrays
from continuum.journal.postgres.connections import Database, Parameters
from continuum.journal.postgres.statements import statements_for
from tests.contract.builders import (
    begin,
    claim,
    commit,
    end,
    event,
    owned_run,
    owned_runs,
    retire,
    row,
    seqs,
    signal,
    until,
    worker_of,
    write,
)
from tests.contract.lock_watch import waiting_for_locks


class OpenTransaction(Database):
    """A journal's database whose statements all run in one transaction that stays open."""

    def __init__(self, dsn: str, schema: str, connection: psycopg.AsyncConnection[Any]) -> None:
        super().__init__(dsn, statements_for(schema))
        self._connection = connection

    async def fetch(
        self, statement: str, parameters: Parameters = (), *, silence: float | None = None
    ) -> list[tuple[Any, ...]]:
        cursor = await self._connection.execute(self.statements[statement], parameters)
        return await cursor.fetchall() if cursor.description else []

    async def fetch_on_lane(self, statement: str, parameters: Parameters) -> list[tuple[Any, ...]]:
        return await self.fetch(statement, parameters)


# Far above what any of it takes.
DEADLINE_S = 60.0


@asynccontextmanager
async def two_connections(
    dsn: str,
) -> AsyncIterator[tuple[psycopg.AsyncConnection[Any], psycopg.AsyncConnection[Any]]]:
    """Yield two connections whose transactions stay open until the test ends them."""
    async with (
        await psycopg.AsyncConnection.connect(dsn) as first,
        await psycopg.AsyncConnection.connect(dsn) as second,
    ):
        yield first, second


@dataclass
class Fence:
    """A journal, and a second one whose writes are not committed before the test commits them."""

    journal: PostgresJournal
    held: PostgresJournal
    transaction: psycopg.AsyncConnection[Any]
    dsn: str
    schema: str

    async def waits(self) -> None:
        """Return once a statement is seen waiting for a lock."""
        await until(lambda: waiting_for_locks(self.dsn, self.schema, 1))


@asynccontextmanager
async def fence(dsn: str, schema: str) -> AsyncIterator[Fence]:
    """Yield both journals."""
    journal, held = PostgresJournal(dsn, schema=schema), PostgresJournal(dsn, schema=schema)
    await journal.open()
    try:
        async with await psycopg.AsyncConnection.connect(dsn) as transaction:
            packed_arrays.register(transaction)
            held._database = OpenTransaction(dsn, schema, transaction)
            yield Fence(journal, held, transaction, dsn, schema)
    finally:
        await journal.close()


Test = Callable[[str, str], Awaitable[None]]


def in_a_loop(test: Test) -> Callable[[str, str], None]:
    """Run a coroutine test."""

    @functools.wraps(test)
    def run(dsn: str, schema: str) -> None:
        asyncio.run(test(dsn, schema))  # type: ignore[arg-type]

    return run


@in_a_loop
async def test_i1_a_retirement_waits_for_the_append_and_its_events_stay(dsn: str, schema: str) -> None:
    async with fence(dsn, schema) as at:
        worker = await worker_of(at.journal)
        run = await owned_run(at.journal, worker)
        await commit(at.held, worker, write(run, event(1)))
        taking = asyncio.create_task(at.journal.retire_worker(worker.id, executing=None, poison_after=3))
        await at.waits()
        await at.transaction.commit()
        assert await taking == Released(1, 0)
        assert await seqs(at.journal, run.id) == [1]
        with pytest.raises(LeaseLost):
            await commit(at.journal, worker, write(run, event(2)))
        assert await seqs(at.journal, run.id) == [1]


@in_a_loop
async def test_i1_an_append_waits_for_the_retirement_and_leaves_nothing(dsn: str, schema: str) -> None:
    async with fence(dsn, schema) as at:
        worker = await worker_of(at.journal)
        run = await owned_run(at.journal, worker)
        await retire(at.held, worker)
        appending = asyncio.create_task(commit(at.journal, worker, write(run, event(1))))
        await at.waits()
        await at.transaction.commit()
        with pytest.raises(LeaseLost):
            await appending
        assert await seqs(at.journal, run.id) == []


@in_a_loop
async def test_i1_an_append_after_a_retirement_that_is_rolled_back_is_written(dsn: str, schema: str) -> None:
    async with fence(dsn, schema) as at:
        worker = await worker_of(at.journal)
        run = await owned_run(at.journal, worker)
        await retire(at.held, worker)
        appending = asyncio.create_task(commit(at.journal, worker, write(run, event(1))))
        await at.waits()
        await at.transaction.rollback()
        assert (await appending).rejected == frozenset()
        assert await seqs(at.journal, run.id) == [1]


@in_a_loop
async def test_p7_a_retirement_waits_for_a_claim_and_releases_its_runs(dsn: str, schema: str) -> None:
    async with fence(dsn, schema) as at:
        worker = await worker_of(at.journal)
        run_id = await begin(at.journal)
        assert [claimed.id for claimed in await claim(at.held, worker)] == [run_id]
        taking = asyncio.create_task(at.journal.retire_worker(worker.id, executing=None, poison_after=3))
        await at.waits()
        await at.transaction.commit()
        assert await taking == Released(1, 0)
        assert (await row(at.journal, run_id)).owner is None


@in_a_loop
async def test_p7_a_claim_during_a_retirement_owns_nothing(dsn: str, schema: str) -> None:
    """The claim holds runs already, so it must not wait for the worker's row, which others lock first."""
    async with fence(dsn, schema) as at:
        worker = await worker_of(at.journal)
        run_id = await begin(at.journal)
        await retire(at.held, worker)
        assert await claim(at.journal, worker) == []
        await at.transaction.commit()
        with pytest.raises(LeaseLost):
            await claim(at.journal, worker)
        assert (await row(at.journal, run_id)).owner is None


@in_a_loop
async def test_p1_an_append_waits_for_a_forced_cancel_and_that_run_alone_is_rejected(
    dsn: str, schema: str
) -> None:
    async with fence(dsn, schema) as at:
        worker = await worker_of(at.journal)
        ended, other = await owned_runs(at.journal, worker, 2)
        await at.held.force_cancel(ended.id)
        appending = asyncio.create_task(
            commit(at.journal, worker, write(ended, event(1)), write(other, event(1)))
        )
        await at.waits()
        await at.transaction.commit()
        assert (await appending).rejected == {ended.id}
        assert await seqs(at.journal, ended.id) == []
        assert await seqs(at.journal, other.id) == [1]


@in_a_loop
async def test_i8_a_forced_cancel_waits_for_the_append_and_nothing_comes_after_it(
    dsn: str, schema: str
) -> None:
    async with fence(dsn, schema) as at:
        worker = await worker_of(at.journal)
        run = await owned_run(at.journal, worker)
        await commit(at.held, worker, write(run, event(1)))
        cancelling = asyncio.create_task(at.journal.force_cancel(run.id))
        await at.waits()
        await at.transaction.commit()
        assert await cancelling is Posted.ACCEPTED
        assert (await commit(at.journal, worker, write(run, event(2)))).rejected == {run.id}
        assert await seqs(at.journal, run.id) == [1]
        assert (await row(at.journal, run.id)).state is RunState.CANCELLED


@in_a_loop
async def test_i6_what_was_acknowledged_survives_the_death_of_every_connection(dsn: str, schema: str) -> None:
    async with fence(dsn, schema) as at:
        run_id = await begin(at.journal)
        assert await at.journal.post([signal(run_id)]) == [Posted.ACCEPTED]
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as operator:
            await operator.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where backend_type = 'client backend' and query like %s and pid <> pg_backend_pid()",
                (f"%{schema}%",),
            )
        after = PostgresJournal(dsn, schema=schema)
        await after.open()
        try:
            worker = await worker_of(after)
            assert [claimed.id for claimed in await claim(after, worker)] == [run_id]
            assert [mail.run_id for mail in await after.inbox(worker, [run_id])] == [run_id]
        finally:
            await after.close()


async def blocks(dsn: str, holder: psycopg.AsyncConnection[Any]) -> bool:
    """Return whether a statement waits for a lock of this connection."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        cursor = await connection.execute(
            "select from pg_stat_activity where %s = any (pg_blocking_pids(pid))",
            (holder.info.backend_pid,),
        )
        return await cursor.fetchone() is not None


@in_a_loop
async def test_p15_a_post_to_several_runs_waits_for_no_successor_out_of_order(dsn: str, schema: str) -> None:
    """A deadlock would end one of the two statements with an error."""
    lock = f"select from {schema}.runs where id = %s for no key update".encode()
    async with fence(dsn, schema) as at, two_connections(dsn) as (keeper, other):
        worker = await worker_of(at.journal)
        first = await owned_run(at.journal, worker)
        low = await begin(at.journal, id=RunId("00000000-0000-4000-8000-000000000000"))
        high = await begin(at.journal, id=RunId("ffffffff-ffff-4fff-bfff-ffffffffffff"))
        successor = Successor(RunId(str(uuid4())), "orders", b"")
        await commit(at.held, worker, write(first, transition=end(), successor=successor))
        await keeper.execute(lock, (high,))
        posting = asyncio.create_task(at.journal.post([signal(each) for each in (low, first.id, high)]))
        await at.waits()
        await at.transaction.commit()
        # The post holds the lowest run and the one that continued, and waits for the highest.
        await until(lambda: blocks(dsn, keeper))
        # In the common order of locks: the successor, then the highest run, which the post gets first.
        await other.execute(lock, (successor.id,))
        locking = asyncio.create_task(other.execute(lock, (high,)))
        await until(lambda: waiting_for_locks(dsn, schema, 2))
        await keeper.rollback()
        await locking
        await other.rollback()
        assert await posting == [Posted.ACCEPTED] * 3
        assert [run.id for run in await claim(at.journal, worker) if run.id == successor.id]


@in_a_loop
async def test_a_sweep_waits_for_no_lock_on_rows_of_an_ended_run(dsn: str, schema: str) -> None:
    """Neither two sweeps nor a sweep and a writer may wait for each other."""
    async with fence(dsn, schema) as at:
        worker = await worker_of(at.journal)
        run = await owned_run(at.journal, worker)
        await at.journal.post([signal(run.id), signal(run.id)])
        await at.journal.heartbeat(run.id, 1, b"half")
        await commit(at.journal, worker, write(run, transition=end()))
        await at.held.heartbeat(run.id, 1, b"late")
        async with asyncio.timeout(DEADLINE_S):
            assert await at.journal.sweep() == 2
        await at.transaction.rollback()
        assert await at.journal.sweep() == 1


@in_a_loop
async def test_a_removal_waits_for_no_lock_and_keeps_a_locked_chain_whole(dsn: str, schema: str) -> None:
    async with fence(dsn, schema) as at, two_connections(dsn) as (other, _):
        worker = await worker_of(at.journal)
        first, alone = await owned_runs(at.journal, worker, 2)
        successor = Successor(RunId(str(uuid4())), "orders", b"")
        await commit(at.journal, worker, write(first, event(0), transition=end(), successor=successor))
        (tip,) = await claim(at.journal, worker)
        await commit(
            at.journal,
            worker,
            write(tip, transition=end(retention=0.0)),
            write(alone, transition=end(retention=0.0)),
        )
        await other.execute(f"select from {schema}.runs where id = %s for update".encode(), (first.id,))
        async with asyncio.timeout(DEADLINE_S):
            assert await at.journal.sweep() == 1
        assert await seqs(at.journal, first.id) == [0]
        assert await at.journal.get_run(tip.id) is not None
        await other.rollback()
        assert await at.journal.sweep() == 2
