"""Claiming runs: what is claimable, by whom, in which order, and what the owner gets."""

from __future__ import annotations

import asyncio

import pytest

from continuum.journal.port import InboxKind, Journal, LeaseLost, Loaded, Post, RunState, Transition
from tests.contract.builders import (
    CODE,
    POISON_AFTER,
    SOON,
    begin,
    claim,
    commit,
    event,
    let_expire,
    new_run,
    owned_run,
    retire,
    row,
    signal,
    sleep_until,
    worker_of,
    write,
)


async def test_a_claim_returns_what_the_run_was_started_with(journal: Journal) -> None:
    run = new_run(input=b"abc", namespace="shop", trace_context="00-trace")
    await journal.start([run])
    worker = await worker_of(journal)

    (claimed,) = await claim(journal, worker)

    stored = await row(journal, run.id)
    assert (claimed.id, claimed.workflow, claimed.version) == (run.id, "orders", "v1")
    assert (claimed.input, claimed.namespace, claimed.trace_context) == (b"abc", "shop", "00-trace")
    assert claimed.started_at == stored.started_at
    assert claimed.attempt == 1
    assert claimed.fresh
    assert stored.owner == worker.id


async def test_the_first_claim_sets_the_version_for_good(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.release(worker, [run.id], crashed=False, poison_after=POISON_AFTER)

    assert await claim(journal, worker, code=[Loaded("orders", "v2")]) == []
    (again,) = await claim(journal, worker, code=[Loaded("orders", "v2"), Loaded("orders", "v1")])

    assert again.version == "v1"
    assert (await row(journal, run.id)).version == "v1"


async def test_p7_only_one_of_many_workers_gets_a_run(journal: Journal) -> None:
    """CLD1, B42, B61"""
    workers = [await worker_of(journal) for _ in range(6)]
    run_ids = {await begin(journal) for _ in range(20)}

    hauls = await asyncio.gather(*(claim(journal, worker) for worker in workers))

    claimed = [run.id for haul in hauls for run in haul]
    assert len(claimed) == len(set(claimed))
    # A claim skips rows that another claim has locked; the next one finds them.
    claimed += [run.id for run in await claim(journal, workers[0])]
    assert sorted(claimed) == sorted(run_ids)


async def test_p7_an_owned_run_is_not_claimable(journal: Journal) -> None:
    """B62"""
    worker = await worker_of(journal)
    await owned_run(journal, worker)

    assert await claim(journal, worker) == []
    assert await claim(journal, await worker_of(journal)) == []


async def test_p7_every_claim_has_a_larger_token(journal: Journal) -> None:
    worker = await worker_of(journal)
    tokens = []
    await begin(journal)
    for _ in range(4):
        (run,) = await claim(journal, worker)
        tokens.append(run.token)
        await journal.release(worker, [run.id], crashed=False, poison_after=POISON_AFTER)

    assert tokens == sorted(set(tokens))


async def test_a_claimed_run_that_has_mail_is_not_fresh(journal: Journal) -> None:
    """CAN10: its owner reads the cancel request before the code begins."""
    worker = await worker_of(journal)
    run_id = await begin(journal)
    await journal.post([Post(run_id, InboxKind.CANCEL, "", (), "cancel")])
    (claimed,) = await claim(journal, worker)
    assert (claimed.id, claimed.fresh) == (run_id, False)


async def test_a_claim_counts_attempts_and_is_fresh_once(journal: Journal) -> None:
    first = await worker_of(journal)
    run = await owned_run(journal, first)
    await commit(journal, first, write(run, event(1)))
    await retire(journal, first)

    (again,) = await claim(journal, await worker_of(journal))

    assert (again.attempt, again.fresh) == (2, False)


async def test_the_longest_due_run_is_claimed_first(journal: Journal) -> None:
    worker = await worker_of(journal)
    run_ids = [await begin(journal) for _ in range(4)]

    claimed = [(await claim(journal, worker, limit=1))[0].id for _ in run_ids]

    assert claimed == run_ids


async def test_a_claim_takes_no_more_than_its_limit(journal: Journal) -> None:
    worker = await worker_of(journal)
    for _ in range(3):
        await begin(journal)

    assert len(await claim(journal, worker, limit=2)) == 2
    assert await claim(journal, worker, limit=0) == []
    assert len(await claim(journal, worker, limit=2)) == 1


async def test_a_run_whose_code_is_not_loaded_stays_for_workers_that_have_it(journal: Journal) -> None:
    worker = await worker_of(journal)
    refund = await begin(journal, workflow="refunds")
    order = await begin(journal)

    assert [run.id for run in await claim(journal, worker)] == [order]
    assert await claim(journal, worker, code=[]) == []
    assert [run.id for run in await claim(journal, worker, code=[Loaded("refunds", "v7")])] == [refund]


async def test_a_sleeping_run_is_not_claimed_before_it_is_due(journal: Journal) -> None:
    """TMW5, DSP7"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=sleep_until(journal.now() + SOON)))

    assert await claim(journal, worker) == []


async def test_a_due_run_is_claimed(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=sleep_until(journal.now() - 1_000_000)))
    assert (await row(journal, run.id)).state is RunState.SUSPENDED

    (again,) = await claim(journal, worker)

    assert again.id == run.id
    assert (await row(journal, run.id)).state is RunState.RUNNING


async def test_p5_a_sleeping_run_with_mail_is_claimed_before_it_is_due(journal: Journal) -> None:
    """B35"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=sleep_until(journal.now() + SOON)))

    await journal.post([signal(run.id)])

    assert [again.id for again in await claim(journal, worker)] == [run.id]


async def test_p5_mail_that_arrived_before_the_release_makes_the_run_claimable(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.post([signal(run.id)])
    await commit(journal, worker, write(run, transition=sleep_until(None)))

    assert [again.id for again in await claim(journal, worker)] == [run.id]


async def test_a_suspended_run_with_an_owner_is_not_claimable(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=sleep_until(journal.now() - 1, release=False)))
    await journal.post([signal(run.id)])

    assert await claim(journal, await worker_of(journal)) == []
    assert (await row(journal, run.id)).owner == worker.id


@pytest.mark.parametrize("state", [RunState.BLOCKED, RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED])
async def test_a_blocked_or_ended_run_is_not_claimable(journal: Journal, state: RunState) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.post([signal(run.id)])
    await commit(journal, worker, write(run, transition=Transition(state)))

    assert await claim(journal, worker) == []


async def test_a_released_run_can_be_claimed_at_once(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=sleep_until(journal.now() + SOON, release=False)))

    await journal.release(worker, [run.id], crashed=False, poison_after=1)

    assert (await row(journal, run.id)).owner is None
    assert [again.id for again in await claim(journal, worker)] == [run.id]


async def test_a_worker_cannot_release_a_run_of_another(journal: Journal) -> None:
    owner, other = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)

    await journal.release(other, [run.id], crashed=True, poison_after=1)

    assert (await row(journal, run.id)).owner == owner.id


async def test_a_run_released_as_crashed_too_often_is_blocked(journal: Journal) -> None:
    worker = await worker_of(journal)
    run_id = await begin(journal)
    for _ in range(2):
        await claim(journal, worker)
        await journal.release(worker, [run_id], crashed=True, poison_after=2)

    stored = await row(journal, run_id)
    assert (stored.state, stored.owner) == (RunState.BLOCKED, None)
    assert stored.reason is not None
    assert stored.reason.startswith("poison")
    assert await claim(journal, worker) == []


async def test_p8_a_retired_worker_claims_nothing(journal: Journal) -> None:
    worker = await worker_of(journal)
    await begin(journal)
    await retire(journal, worker)

    with pytest.raises(LeaseLost):
        await journal.claim(worker, CODE, 1)


async def test_p1_a_worker_whose_lease_ran_out_claims_nothing(journal: Journal) -> None:
    worker = await worker_of(journal)
    await begin(journal)
    await let_expire(journal, worker)

    with pytest.raises(LeaseLost):
        await journal.claim(worker, CODE, 1)
