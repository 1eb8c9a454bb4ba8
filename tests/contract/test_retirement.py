"""Ending a worker's lease, and what happens to its runs and tasks."""

from __future__ import annotations

import math

import pytest

from continuum.journal.port import InboxKind, Journal, LeaseLost, Released, RunState, Transition
from tests.contract.builders import (
    POISON_AFTER,
    SOON,
    begin,
    claim,
    commit,
    event,
    let_expire,
    new_task,
    owned_run,
    owned_runs,
    queue_tasks,
    retire,
    row,
    sleep_until,
    take_tasks,
    until,
    worker_of,
    write,
)


async def test_p8_running_runs_of_a_retired_worker_are_claimable_at_once(journal: Journal) -> None:
    """DSP8"""
    worker, other_worker = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, event(1)))

    freed = await journal.retire_worker(worker.id, executing=None, poison_after=POISON_AFTER)

    assert freed == Released(1, 0)
    (again,) = await claim(journal, other_worker)
    assert again.id == run.id
    assert again.token > run.token


async def test_p8_suspended_runs_of_a_retired_worker_keep_their_due_time(journal: Journal) -> None:
    worker = await worker_of(journal)
    sleeping, waiting = await owned_runs(journal, worker, 2)
    due = journal.now() + SOON
    await commit(
        journal,
        worker,
        write(sleeping, transition=sleep_until(due, release=False)),
        write(waiting, transition=sleep_until(None, release=False)),
    )

    await retire(journal, worker)

    assert [(await row(journal, run.id)).due_at for run in (sleeping, waiting)] == [due, None]
    assert [(await row(journal, run.id)).owner for run in (sleeping, waiting)] == [None, None]
    assert await claim(journal, await worker_of(journal)) == []


async def test_p8_every_later_write_of_a_retired_worker_is_rejected(journal: Journal) -> None:
    worker, other_worker = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, worker)
    await retire(journal, worker)
    await claim(journal, other_worker)

    for _ in range(2):
        with pytest.raises(LeaseLost):
            await commit(journal, worker, write(run, event(1)))


async def test_retiring_a_worker_twice_releases_nothing_more(journal: Journal) -> None:
    worker = await worker_of(journal)
    await owned_run(journal, worker)
    await retire(journal, worker)

    assert await journal.retire_worker(worker.id, executing=None, poison_after=1) == Released(0, 0)


async def test_only_what_the_worker_owned_is_released(journal: Journal) -> None:
    worker, other = await worker_of(journal), await worker_of(journal)
    await owned_run(journal, worker)
    kept = await owned_run(journal, other)

    await retire(journal, worker)

    assert (await row(journal, kept.id)).owner == other.id
    assert (await commit(journal, other, write(kept, event(1)))).rejected == frozenset()


async def test_only_expired_spares_a_valid_lease(journal: Journal) -> None:
    """RCV2"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    freed = await journal.retire_worker(worker.id, executing=run.id, poison_after=1, only_expired=True)

    assert freed == Released(0, 0)
    assert (await commit(journal, worker, write(run, event(1)))).rejected == frozenset()


async def test_only_expired_ends_an_expired_lease(journal: Journal) -> None:
    """DSP8"""
    worker = await worker_of(journal)
    await owned_run(journal, worker)
    await let_expire(journal, worker)

    freed = await journal.retire_worker(worker.id, executing=None, poison_after=3, only_expired=True)

    assert freed == Released(1, 0)
    assert await journal.expired_workers() == []


async def test_deaths_while_executing_are_counted_until_the_run_is_blocked(journal: Journal) -> None:
    run_id, bystander = await begin(journal), await begin(journal)
    states = []
    for _ in range(POISON_AFTER):
        worker = await worker_of(journal)
        await claim(journal, worker)
        await retire(journal, worker, executing=run_id)
        states.append((await row(journal, run_id)).state)

    assert states == [RunState.RUNNING] * (POISON_AFTER - 1) + [RunState.BLOCKED]
    blocked = await row(journal, run_id)
    assert (blocked.owner, blocked.due_at) == (None, None)
    assert blocked.reason is not None
    assert blocked.reason.startswith("poison")
    assert [run.id for run in await claim(journal, await worker_of(journal))] == [bystander]


async def test_progress_of_a_run_resets_its_count_of_deaths(journal: Journal) -> None:
    run_id = await begin(journal)
    states = []
    for life in range(POISON_AFTER + 1):
        worker = await worker_of(journal)
        (run,) = await claim(journal, worker)
        if life == 1:
            rests = Transition(RunState.SUSPENDED, journal.now(), progress=True)
            await commit(journal, worker, write(run, event(1), transition=rests))
        await retire(journal, worker, executing=run_id)
        states.append((await row(journal, run_id)).state)

    assert RunState.BLOCKED not in states[:-1]
    assert states[-1] is RunState.BLOCKED


async def test_a_death_is_not_counted_against_a_run_the_worker_does_not_own(journal: Journal) -> None:
    worker, other = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, other)

    await retire(journal, worker, executing=run.id, poison_after=1)

    assert (await row(journal, run.id)).state is RunState.RUNNING
    assert (await row(journal, run.id)).owner == other.id


async def test_p9_tasks_of_a_retired_worker_become_interrupted_mail(journal: Journal) -> None:
    """B17"""
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1, dispatch=2), new_task(5), new_task(6, timeout=3600.0))
    await take_tasks(journal, hand)

    freed = await journal.retire_worker(hand.id, executing=None, poison_after=3)

    assert freed == Released(0, 3)
    mail = await journal.inbox(owner, None)
    assert [(m.kind, m.name, m.key, m.body) for m in mail] == [
        (InboxKind.ACTIVITY_INTERRUPTED, "1", "2", ()),
        (InboxKind.ACTIVITY_INTERRUPTED, "5", "1", ()),
        (InboxKind.ACTIVITY_INTERRUPTED, "6", "1", ()),
    ]
    assert await take_tasks(journal, await worker_of(journal)) == []


async def test_activities_that_an_orderly_stop_interrupts_become_interrupted_mail(journal: Journal) -> None:
    owner, hand, other = await worker_of(journal), await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1, dispatch=2), new_task(5, timeout=0.000_001))
    await take_tasks(journal, hand)
    await let_expire(journal, hand)

    await journal.interrupt_activities(hand.id, [])
    # The run is not that worker's: what it says of an activity in its process is not true any more.
    await journal.interrupt_activities(other.id, [(run.id, 7, 1)])
    await journal.interrupt_activities(owner.id, [(run.id, 8, 3)])
    # Repeated after a lost result.
    await journal.interrupt_activities(owner.id, [(run.id, 8, 3)])

    assert [(m.kind, m.name, m.key, m.body) for m in await journal.inbox(owner, None)] == [
        (InboxKind.ACTIVITY_INTERRUPTED, "1", "2", ()),
        (InboxKind.ACTIVITY_TIMED_OUT, "5", "1", ()),
        (InboxKind.ACTIVITY_INTERRUPTED, "8", "3", ()),
    ]
    assert await journal.retire_worker(hand.id, executing=None, poison_after=3) == Released(0, 0)
    await retire(journal, owner)
    await journal.interrupt_activities(owner.id, [(run.id, 9, 1)])
    (again,) = await claim(journal, other)
    assert len(await journal.inbox(other, [again.id])) == 3
    await queue_tasks(journal, other, again, new_task(1, dispatch=2))
    assert [(task.seq, task.dispatch) for task in await take_tasks(journal, other)] == [(1, 2)]


async def test_a_task_interrupted_by_an_orderly_stop_makes_its_suspended_run_due(journal: Journal) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1))
    await take_tasks(journal, hand)
    await commit(journal, owner, write(run, transition=sleep_until(None, release=True)))
    assert await claim(journal, owner) == []

    await journal.interrupt_activities(hand.id, [])

    assert [claimed.id for claimed in await claim(journal, owner)] == [run.id]


async def test_p9_an_overdue_task_becomes_time_out_mail(journal: Journal) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1, timeout=0.000_001))
    await take_tasks(journal, hand)
    await let_expire(journal, hand)

    await retire(journal, hand)

    assert [mail.kind for mail in await journal.inbox(owner, None)] == [InboxKind.ACTIVITY_TIMED_OUT]


async def test_p18_the_time_of_a_task_ends_with_the_death_of_its_worker(journal: Journal) -> None:
    """The take-over may come much later: after an outage, for example."""
    owner = await worker_of(journal)
    early, late = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1, timeout=60.0), new_task(2, timeout=0.000_001))
    for hand in (early, late):
        await take_tasks(journal, hand, limit=1)

    await journal.retire_worker(early.id, executing=None, poison_after=3, dead_for=3600.0)
    await journal.retire_worker(late.id, executing=None, poison_after=3, dead_for=0.0)

    assert [(mail.name, mail.kind) for mail in await journal.inbox(owner, None)] == [
        ("1", InboxKind.ACTIVITY_INTERRUPTED),
        ("2", InboxKind.ACTIVITY_TIMED_OUT),
    ]


@pytest.mark.parametrize("dead_for", [3600.0, math.inf])
async def test_p18_an_overdue_task_of_a_worker_that_died_in_time_has_crashed(
    journal: Journal, dead_for: float
) -> None:
    """Without a time of death, the last renewal of the lease is the last sign of life."""
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1, timeout=0.000_001))
    await take_tasks(journal, hand)

    await journal.retire_worker(hand.id, executing=None, poison_after=3, dead_for=dead_for)

    assert [mail.kind for mail in await journal.inbox(owner, None)] == [InboxKind.ACTIVITY_INTERRUPTED]


async def test_p18_an_overdue_task_of_a_worker_whose_lease_ran_out_has_crashed(journal: Journal) -> None:
    owner = await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1, timeout=0.000_001))
    hand = await worker_of(journal, ttl=2.0)
    await take_tasks(journal, hand)

    async def has_run_out() -> bool:
        return hand.id in await journal.expired_workers()

    await until(has_run_out)
    await journal.retire_worker(hand.id, executing=None, poison_after=3, only_expired=True)

    assert [mail.kind for mail in await journal.inbox(owner, None)] == [InboxKind.ACTIVITY_INTERRUPTED]


async def test_p18_an_overdue_task_of_a_worker_that_renewed_its_lease_later_has_timed_out(
    journal: Journal,
) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1, timeout=0.000_001))
    await take_tasks(journal, hand)
    await let_expire(journal, hand)

    await journal.retire_worker(hand.id, executing=None, poison_after=3, only_expired=True)

    assert [mail.kind for mail in await journal.inbox(owner, None)] == [InboxKind.ACTIVITY_TIMED_OUT]


async def test_a_task_is_released_with_the_lease_of_its_worker_and_not_before(journal: Journal) -> None:
    """RCV3: queueing it again is a second dispatch of the same attempt."""
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1))
    await take_tasks(journal, hand)

    spared = await journal.retire_worker(hand.id, executing=None, poison_after=3, only_expired=True)
    assert (spared, await journal.inbox(owner, None)) == (Released(0, 0), [])

    await let_expire(journal, hand)
    freed = await journal.retire_worker(hand.id, executing=None, poison_after=3, only_expired=True)
    assert freed == Released(0, 1)
    assert [(m.kind, m.name, m.key) for m in await journal.inbox(owner, None)] == [
        (InboxKind.ACTIVITY_INTERRUPTED, "1", "1")
    ]
    await queue_tasks(journal, owner, run, new_task(1, dispatch=2))
    assert [(task.dispatch, task.attempt) for task in await take_tasks(journal, owner)] == [(2, 1)]


async def test_unclaimed_tasks_stay(journal: Journal) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1))

    await retire(journal, hand)

    assert await journal.inbox(owner, None) == []
    assert len(await take_tasks(journal, owner)) == 1


async def test_p5_mail_about_a_lost_task_makes_a_sleeping_run_claimable(journal: Journal) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1))
    await take_tasks(journal, hand)
    await commit(journal, owner, write(run, transition=sleep_until(None)))

    await retire(journal, hand)

    assert [again.id for again in await claim(journal, owner)] == [run.id]
