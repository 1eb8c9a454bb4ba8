"""Calls of many clients take locks in one order, whatever the order of their arguments (I3)."""

from __future__ import annotations

import asyncio

from continuum.engine.ids import RunId
from continuum.journal.announced_run import NewRun
from continuum.journal.facts import Posted
from continuum.journal.port import VersionRow
from tests.contract.builders import begin, commit, event, signal, until, worker_of
from tests.contract.lock_watch import waiting_for_locks
from tests.contract.test_resumed_runs import parked_run, resuming
from tests.postgres.test_fence import DEADLINE_S, fence, in_a_loop, two_connections

LOW = RunId("00000000-0000-4000-8000-000000000000")
HIGH = RunId("ffffffff-ffff-4fff-bfff-ffffffffffff")


def keyed(number: int, key: str) -> NewRun:
    return NewRun(RunId(f"00000000-0000-7000-8000-{number:012}"), "orders", b"", idempotency_key=key)


@in_a_loop
async def test_i3_starts_insert_their_keys_in_one_order(dsn: str, schema: str) -> None:
    """A start that waits for one key must not hold a later one, or two starts could deadlock."""
    async with fence(dsn, schema) as at, asyncio.timeout(DEADLINE_S):
        await at.held.start([keyed(1, "a")])
        starting = asyncio.create_task(at.journal.start([keyed(2, "b"), keyed(3, "a")]))
        await at.waits()
        (later,) = await at.journal.start([keyed(4, "b")])
        assert not later.existing
        await at.transaction.commit()
        assert [started.run_id[-1] for started in await starting] == ["4", "1"]


@in_a_loop
async def test_i3_posts_lock_their_runs_in_one_order(dsn: str, schema: str) -> None:
    """A post that waits for one run must not hold a later one, or two posts could deadlock."""
    lock = f"select from {schema}.runs where id = %s for no key update".encode()
    async with fence(dsn, schema) as at, two_connections(dsn) as (keeper, other), asyncio.timeout(DEADLINE_S):
        for run_id in (LOW, HIGH):
            await begin(at.journal, id=run_id)
        await keeper.execute(lock, (LOW,))
        posting = asyncio.create_task(at.journal.post([signal(HIGH), signal(LOW)]))
        await until(lambda: waiting_for_locks(dsn, schema, 1))
        await other.execute(lock + b" nowait", (HIGH,))
        await other.rollback()
        await keeper.rollback()
        assert await posting == [Posted.ACCEPTED] * 2


@in_a_loop
async def test_i3_a_batch_waits_for_no_run_that_it_could_not_resume(dsn: str, schema: str) -> None:
    """It holds those that it resumes, whatever their ids: to wait for another one could deadlock."""
    lock = f"select from {schema}.runs where id = %s for no key update".encode()
    async with fence(dsn, schema) as at, two_connections(dsn) as (keeper, _), asyncio.timeout(DEADLINE_S):
        worker = await worker_of(at.journal)
        run_ids = [await parked_run(at.journal, worker) for _ in range(2)]
        await at.journal.post([signal(run_id) for run_id in run_ids])
        locked, free = sorted(await at.journal.parked(run_ids), key=lambda run: run.claim.id)
        writes = [resuming(run, event(1)) for run in (locked, free)]
        for write in writes:
            write.cancels = [LOW]
        await keeper.execute(lock, (locked.claim.id,))
        assert (await commit(at.journal, worker, *writes)).rejected == {locked.claim.id}
        await keeper.rollback()


@in_a_loop
async def test_i3_versions_are_deleted_in_the_order_in_which_they_are_registered(
    dsn: str, schema: str
) -> None:
    """A call that waits for one version must not hold a later one."""
    lock = f"select from {schema}.versions where version = %s for update".encode()
    async with fence(dsn, schema) as at, two_connections(dsn) as (keeper, other), asyncio.timeout(DEADLINE_S):
        named = [("orders", "v2"), ("orders", "v1")]
        await at.journal.register_versions([VersionRow(*each, "1", "m", None, None) for each in named])
        await keeper.execute(lock, ("v1",))
        deleting = asyncio.create_task(at.journal.delete_versions(named))
        await until(lambda: waiting_for_locks(dsn, schema, 1))
        await other.execute(lock + b" nowait", ("v2",))
        await other.rollback()
        await keeper.rollback()
        assert await deleting == 2
