"""Cases where returning a recorded result at once could differ from suspending for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import continuum
from continuum.engine.events import Event, EventType
from continuum.engine.execution import Execution
from continuum.engine.snapshot_history import CompactHistory
from continuum.journal.snapshot_codec import pack_snapshot, unpack_snapshot
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import STARTED_AT, Driver, new_execution

Program = Callable[[], Coroutine[Any, Any, Any]]


def compact_of(driver: Driver) -> CompactHistory:
    compact = unpack_snapshot(pack_snapshot(driver.history), 0, len(driver.history))
    assert compact is not None
    return compact


def replayed(program: Program, driver: Driver) -> Execution:
    """Return an execution that has replayed the whole history in its compact form."""
    execution = new_execution()
    execution.begin(program(), (), started_at=STARTED_AT, now=driver.now, compact=compact_of(driver))
    return execution


def assert_replays(program: Program) -> None:
    driver = Driver(program)
    outcome = driver.run()
    execution = replayed(program, driver)
    assert not execution.log.snapshot_mismatch
    assert execution.outcome == outcome
    assert execution.log.take_events() == []


def test_a_ready_task_runs_first_as_in_the_live_run() -> None:
    async def program() -> list[str]:
        order: list[str] = []

        async def other() -> None:
            await asyncio.sleep(0)
            order.append("other")

        task = asyncio.create_task(other())
        await echo(1)
        order.append("first")
        if order[0] == "other":
            await echo(2)
        await task
        return order

    assert_replays(program)


def test_tasks_of_one_step_keep_their_order() -> None:
    async def program() -> list[str]:
        order: list[str] = []
        ready = asyncio.Event()

        async def one() -> None:
            await ready.wait()
            await echo(1)
            order.append("one")

        async def two() -> None:
            await ready.wait()
            order.append("two")

        tasks = [asyncio.create_task(one()), asyncio.create_task(two())]
        await asyncio.sleep(0)
        ready.set()
        await asyncio.gather(*tasks)
        if order == ["two", "one"]:
            await echo(3)
        return order

    assert_replays(program)


def test_the_time_of_the_loop_is_that_of_the_result() -> None:
    async def program() -> float:
        loop = asyncio.get_running_loop()
        before = loop.time()
        await echo(1)
        return loop.time() - before

    assert_replays(program)


def test_a_task_that_cancelled_itself_is_cancelled_at_the_same_place() -> None:
    async def program() -> str:
        async def itself() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await echo(1)

        task = asyncio.create_task(itself())
        await asyncio.wait([task])
        return "cancelled" if task.cancelled() else str(await echo(2))

    assert_replays(program)


def test_a_change_of_version_in_the_middle_is_skipped() -> None:
    async def program() -> int:
        total = 0
        for number in range(4):
            total += await echo(number)
        return total

    driver = Driver(program)
    driver.run()
    changed = [
        *driver.history[:2],
        Event(2, EventType.VERSION_CHANGED, driver.history[1].at, ("old", "new")),
        *(moved(event) for event in driver.history[2:]),
    ]
    for first in (0, 2):
        compact = unpack_snapshot(pack_snapshot(changed[first:]), first, len(changed) - first)
        assert compact is not None
        before = unpack_snapshot(pack_snapshot(changed[:first]), 0, first) if first else None
        if before is not None:
            before.following = compact
        execution = new_execution()
        execution.begin(program(), (), started_at=STARTED_AT, now=driver.now, compact=before or compact)
        assert execution.outcome == driver.outcome
        assert execution.log.next_seq == len(changed)


def moved(event: Event) -> Event:
    """Return the event one position later."""
    completed = event.type == EventType.ACTIVITY_COMPLETED
    body = (event.body[0] + 1, *event.body[1:]) if completed else event.body
    return event._replace(seq=event.seq + 1, body=body)


def test_other_code_is_a_mismatch_and_issues_no_command() -> None:
    async def before() -> int:
        return await echo(1)

    async def after() -> bool:
        return continuum.random() < 2

    driver = Driver(before)
    driver.run()
    execution = replayed(after, driver)
    assert execution.log.snapshot_mismatch
    assert execution.log.take_events() == []
    assert execution.take_opened() == []
