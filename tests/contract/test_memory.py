"""What only the memory journal has: an injected clock, and notifications without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from continuum.engine.ids import NodeId
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import InboxKind, LeaseLost, NodeFacts, Notification, RunState, Topic
from continuum.journal.stat_port import StatsWanted
from continuum.telemetry.tallies import Tally
from tests.contract.builders import (
    begin,
    claim,
    commit,
    end,
    event,
    new_run,
    new_task,
    owned_run,
    queue_tasks,
    retire,
    row,
    signal,
    sleep_until,
    take_tasks,
    worker_of,
    write,
)

SECOND = 1_000_000


class ManualTime:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.time = 1_700_000_000 * SECOND

    def __call__(self) -> int:
        return self.time


@pytest.fixture
def clock() -> ManualTime:
    """A clock that stands still."""
    return ManualTime()


async def test_p10_all_times_are_the_injected_clocks(runner: asyncio.Runner, clock: ManualTime) -> None:
    journal = MemoryJournal(clock)
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    clock.time += 5 * SECOND

    committed = await commit(journal, worker, write(run, event(1)))

    assert run.started_at == clock.time - 5 * SECOND
    assert committed.at == journal.now() == clock.time


async def test_minutes_of_statistics_are_kept_for_a_day_and_hours_for_five_weeks(
    runner: asyncio.Runner, clock: ManualTime
) -> None:
    journal = MemoryJournal(clock)
    counted = Tally("run.ended", "orders", "failed", 3)
    await journal.renew([], 60.0, None, counted=[counted])
    began = clock.time - clock.time % (3600 * SECOND)

    async def known(seconds: int) -> list[Tally]:
        wanted = StatsWanted(began, began + seconds * SECOND, ["run.ended"])
        return [stat.tally for stat in await journal.stats(wanted)]

    for hours, minutes, long in ((23, [counted], [counted]), (25, [], [counted]), (36 * 24, [], [])):
        clock.time = began + hours * 3600 * SECOND
        await journal.sweep()
        periods = {period: [tally for _, tally in journal._statistics.of(period)] for period in (60, 3600)}
        assert (periods[60], periods[3600]) == (minutes, long)
        assert await known(7 * 3600) == long
    assert await journal.stat_totals() == [counted]


async def test_a_lost_node_is_listed_for_an_hour(runner: asyncio.Runner, clock: ManualTime) -> None:
    journal = MemoryJournal(clock)
    for node in ("north", "south"):
        await journal.renew([], 60.0, NodeFacts(NodeId(node), 10, "loopback:1", "up"))
        clock.time += 60 * SECOND

    clock.time += 3480 * SECOND
    await journal.sweep()
    assert [(node.node, node.state) for node in await journal.nodes()] == [
        ("north", "lost"),
        ("south", "lost"),
    ]

    clock.time += 1
    await journal.sweep()
    assert [node.node for node in await journal.nodes()] == ["south"]


@pytest.mark.parametrize("state", [RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED])
async def test_retention_counts_from_the_end_of_a_run(
    runner: asyncio.Runner, clock: ManualTime, state: RunState
) -> None:
    """PGJ15, B70: however long ago the run was started."""
    journal = MemoryJournal(clock)
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    clock.time += 60 * SECOND
    await commit(journal, worker, write(run, transition=end(state, retention=5.0)))

    clock.time += 5 * SECOND - 1
    assert await journal.sweep() == 0
    assert await journal.get_run(run.id) is not None

    clock.time += 2
    await journal.sweep()
    assert await journal.get_run(run.id) is None


async def test_a_sleeping_run_is_due_exactly_when_its_time_comes(
    runner: asyncio.Runner, clock: ManualTime
) -> None:
    """TMW5"""
    journal = MemoryJournal(clock)
    worker = await worker_of(journal, ttl=10**6)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=sleep_until(clock.time + 86_400 * SECOND)))

    clock.time += 86_400 * SECOND - 1
    assert await claim(journal, worker) == []
    clock.time += 1
    assert [again.id for again in await claim(journal, worker)] == [run.id]


async def test_a_lease_runs_out_on_the_injected_clock(runner: asyncio.Runner, clock: ManualTime) -> None:
    journal = MemoryJournal(clock)
    worker = await worker_of(journal, ttl=10.0)
    run = await owned_run(journal, worker)

    clock.time += 10 * SECOND - 1
    await commit(journal, worker, write(run, event(1)))
    assert await journal.expired_workers() == []
    clock.time += 1
    assert await journal.expired_workers() == [worker.id]
    with pytest.raises(LeaseLost):
        await commit(journal, worker, write(run, event(2)))


async def test_a_task_is_timed_out_by_the_injected_clock(runner: asyncio.Runner, clock: ManualTime) -> None:
    journal = MemoryJournal(clock)
    owner, early, late = [await worker_of(journal, ttl=10**6) for _ in range(3)]
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1, timeout=2.0), new_task(2, timeout=2.0))
    await take_tasks(journal, early, limit=1)
    await take_tasks(journal, late, limit=1)

    clock.time += 2 * SECOND - 1
    await retire(journal, early)
    clock.time += 1
    await retire(journal, late)

    kinds = [mail.kind for mail in await journal.inbox(owner, None)]
    assert kinds == [InboxKind.ACTIVITY_INTERRUPTED, InboxKind.ACTIVITY_TIMED_OUT]


async def test_runs_of_one_instant_are_claimed_in_the_order_of_their_starts(
    runner: asyncio.Runner, clock: ManualTime
) -> None:
    journal = MemoryJournal(clock)
    worker = await worker_of(journal)
    runs = [new_run() for _ in range(20)]
    await journal.start(runs)

    assert [claimed.id for claimed in await claim(journal, worker)] == [run.id for run in runs]


async def test_p11_waiting_notifications_of_one_topic_are_merged(runner: asyncio.Runner) -> None:
    journal = MemoryJournal()
    notifications = journal.notifications([Topic.DONE, Topic.WORK])
    run_ids = [await begin(journal) for _ in range(3)]
    for run_id in run_ids:
        await journal.force_cancel(run_id)

    assert await anext(notifications) == Notification(Topic.WORK, ())
    assert await anext(notifications) == Notification(Topic.DONE, tuple(sorted(run_ids)))


async def test_closing_ends_every_iteration_over_notifications(runner: asyncio.Runner) -> None:
    journal = MemoryJournal()
    await begin(journal)
    notifications = journal.notifications([Topic.WORK])
    waiting = asyncio.create_task(collect(notifications))
    await begin(journal)

    await journal.close()

    assert await waiting == [Notification(Topic.WORK, ())]


async def collect(notifications: AsyncIterator[Notification]) -> list[Notification]:
    """Return every notification until the end."""
    return [notification async for notification in notifications]


async def test_a_returned_row_does_not_change(runner: asyncio.Runner) -> None:
    journal = MemoryJournal()
    run_id = await begin(journal, attributes={"a": 1})
    before = await row(journal, run_id)

    await journal.set_attributes(run_id, {"b": 2})

    assert before.attributes == {"a": 1}


async def test_a_replaced_due_time_wakes_no_run(runner: asyncio.Runner, clock: ManualTime) -> None:
    journal = MemoryJournal(clock)
    worker = await worker_of(journal, ttl=10**6)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=sleep_until(clock.time + 10 * SECOND)))
    await journal.post([signal(run.id)])
    (run,) = await claim(journal, worker)
    (mail,) = await journal.inbox(worker, None)
    later = sleep_until(clock.time + 100 * SECOND)
    await commit(journal, worker, write(run, event(1), consumed=[mail.id], transition=later))

    clock.time += 10 * SECOND
    assert await claim(journal, worker) == []
    clock.time += 90 * SECOND
    assert [again.id for again in await claim(journal, worker)] == [run.id]
