"""Both orders of two writers that meet in Postgres, held open in explicit transactions.

The memory journal has no such moments: each of its methods is one step.
"""

from __future__ import annotations

import asyncio
from typing import LiteralString

import pytest

from continuum.journal.audit_facts import ChangeOutcome
from continuum.journal.port import LeaseLost, Posted, Released, RunState
from continuum.journal.repair_port import DamageFacts, Decision
from tests.contract.builders import (
    begin,
    claim,
    commit,
    end,
    event,
    new_task,
    owned_run,
    row,
    seqs,
    signal,
    sleep_until,
    take_tasks,
    worker_of,
    write,
)
from tests.contract.meetings import LOCK_RUN, meeting

CLAIM: LiteralString = (
    "select from {schema}.claim_in_turn("
    "%s, array['orders'], array['v1'], array[true], array[true], 10, 1.0, null, null)"
)


async def test_p8_a_retirement_waits_for_the_write_in_flight(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        run = await owned_run(journal, worker)
        await met.hold(LOCK_RUN, run.id)

        writing = asyncio.create_task(commit(journal, worker, write(run, event(1))))
        await met.waiting(1)
        retiring = asyncio.create_task(journal.retire_worker(worker.id, executing=None, poison_after=3))
        await met.waiting(2)
        await met.other.rollback()

        assert (await writing).rejected == frozenset()
        assert await retiring == Released(1, 0)
        assert await seqs(journal, run.id) == [1]
        with pytest.raises(LeaseLost):
            await commit(journal, worker, write(run, event(2)))


async def test_p8_a_write_waits_for_the_retirement_in_flight_and_is_rejected(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        run = await owned_run(journal, worker)
        await met.hold("delete from {schema}.workers where id = %s", worker.id)

        writing = asyncio.create_task(commit(journal, worker, write(run, event(1))))
        await met.waiting(1)
        await met.other.commit()

        with pytest.raises(LeaseLost):
            await writing
        assert await seqs(journal, run.id) == []


async def test_p1_a_write_waits_for_a_change_of_token_in_flight_and_is_rejected(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        run = await owned_run(journal, worker)
        await met.hold("update {schema}.runs set token = token + 1 where id = %s", run.id)

        writing = asyncio.create_task(commit(journal, worker, write(run, event(1))))
        await met.waiting(1)
        await met.other.commit()

        assert (await writing).rejected == {run.id}
        assert await seqs(journal, run.id) == []


async def test_p8_a_claim_during_a_retirement_waits_for_nothing_and_owns_nothing(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        run_id = await begin(journal)
        await met.hold("delete from {schema}.workers where id = %s", worker.id)

        assert await claim(journal, worker) == []
        await met.other.commit()

        with pytest.raises(LeaseLost):
            await claim(journal, worker)
        assert (await row(journal, run_id)).owner is None


async def test_p8_a_retirement_waits_for_the_claim_in_flight_and_releases_its_runs(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        run_id = await begin(journal)
        await met.hold(CLAIM, worker.id)

        retiring = asyncio.create_task(journal.retire_worker(worker.id, executing=None, poison_after=3))
        await met.waiting(1)
        await met.other.commit()

        assert await retiring == Released(1, 0)
        assert (await row(journal, run_id)).owner is None


async def test_a_claim_that_finds_nothing_writes_nothing(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    """An idle node does not flush the write-ahead log."""
    async with meeting(dsn, schema) as met:
        worker = await worker_of(met.journal)
        await met.hold(CLAIM, worker.id)
        cursor = await met.other.execute("select pg_current_xact_id_if_assigned() is null")
        assert await cursor.fetchone() == (True,)


async def test_p3_a_post_waits_for_the_end_in_flight_and_is_refused(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        run = await owned_run(journal, worker)
        await met.hold("update {schema}.runs set state = 4, owner = null where id = %s", run.id)

        posting = asyncio.create_task(journal.post([signal(run.id, key="d")]))
        await met.waiting(1)
        await met.other.commit()

        assert await posting == [Posted.TERMINAL]
        assert await journal.sweep() == 0


async def test_p5_mail_posted_while_its_run_is_being_released_makes_it_claimable(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    """B37"""
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        run = await owned_run(journal, worker)
        await met.hold(LOCK_RUN, run.id)

        giving_up = asyncio.create_task(
            commit(journal, worker, write(run, event(1), transition=sleep_until(None)))
        )
        await met.waiting(1)
        posting = asyncio.create_task(journal.post([signal(run.id)]))
        await met.waiting(2)
        await met.other.rollback()

        await giving_up
        assert await posting == [Posted.ACCEPTED]
        assert [again.id for again in await claim(journal, worker)] == [run.id]


async def test_a_forced_cancel_that_waits_for_the_end_of_a_run_does_not_undo_it(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        run = await owned_run(journal, worker)
        await met.hold(LOCK_RUN, run.id)

        ending = asyncio.create_task(
            commit(journal, worker, write(run, event(1), transition=end(result=b"r")))
        )
        await met.waiting(1)
        cancelling = asyncio.create_task(journal.force_cancel(run.id))
        await met.waiting(2)
        await met.other.rollback()

        await ending
        assert await cancelling is Posted.TERMINAL
        assert (await row(journal, run.id)).state is RunState.COMPLETED


async def test_a_retirement_of_expired_leases_that_waits_for_a_renewal_spares_the_worker(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        run = await owned_run(journal, worker)
        await journal.renew([worker.id], -1.0, None)
        await met.hold(
            "update {schema}.workers set expires_at = clock_timestamp() + interval '1 hour' where id = %s",
            worker.id,
        )

        retiring = asyncio.create_task(
            journal.retire_worker(worker.id, executing=None, poison_after=3, only_expired=True)
        )
        await met.waiting(1)
        await met.other.commit()

        assert await retiring == Released(0, 0)
        assert (await commit(journal, worker, write(run, event(1)))).rejected == frozenset()


async def test_a_claim_of_tasks_waits_for_another_of_its_node_and_counts_its_tasks(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        journal, first, second = met.journal, await worker_of(met.journal), await worker_of(met.journal)
        run = await owned_run(journal, first)
        await commit(journal, first, write(run, tasks=[new_task(seq) for seq in range(1, 7)]))
        await met.hold(
            "select * from {schema}.claim_tasks(%s, '{{send}}', false, '{{mail}}', '{{3}}', 100, 2, null)",
            first.id,
        )

        claiming = asyncio.create_task(take_tasks(journal, second, limits={"mail": 3}))
        await met.waiting(1)
        await met.other.commit()

        assert len(await claiming) == 1


async def test_p20_a_repair_waits_for_who_has_its_run_and_decides_by_what_is_stored_then(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        run_id = await begin(met.journal)
        await met.hold(LOCK_RUN, run_id)
        seen: list[int | None] = []

        def decide(facts: DamageFacts) -> Decision:
            seen.append(None if facts.run is None else facts.run.attempt)
            return Decision(ChangeOutcome.ALREADY)

        repairing = asyncio.create_task(met.journal.repair(run_id, decide))
        await met.waiting(1)
        assert seen == []
        await met.hold("update {schema}.runs set attempt = 7 where id = %s", run_id)
        await met.other.commit()

        assert await repairing is ChangeOutcome.ALREADY
        assert seen == [7]
