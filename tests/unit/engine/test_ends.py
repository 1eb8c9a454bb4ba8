"""How a run is cancelled, and how a suspended run is closed."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator

import pytest

import continuum
from continuum.engine.events import COMMANDS, EventType
from continuum.engine.execution import Execution
from continuum.engine.outcome import Cancelled, Completed, Failed
from tests.unit.engine.activities import echo, fail, undo, undo_badly
from tests.unit.engine.driver import STARTED_AT, Driver, assert_same_from_every_prefix, call_of, new_execution


async def undoes_when_stopped() -> object:
    async with continuum.saga() as saga:
        for number in range(3):
            await echo(number)
            saga.add(undo, number)
        await continuum.wait_signal("never")
    return None


def test_a_cancel_compensates_and_ends_the_run_cancelled() -> None:
    driver = Driver(undoes_when_stopped)
    driver.settle()
    driver.cancel()
    assert driver.run() == Cancelled()
    assert driver.scheduled == ["engine.echo"] * 3 + ["engine.undo"] * 3
    assert_same_from_every_prefix(undoes_when_stopped, driver)


def test_a_cancel_arrives_as_cancelled_error() -> None:
    async def program() -> object:
        try:
            await continuum.wait_signal("never")
        except asyncio.CancelledError:
            await echo(1)
            raise
        return None

    driver = Driver(program)
    driver.cancel()
    assert driver.run() == Cancelled()
    assert driver.scheduled == ["engine.echo"]


def test_a_run_that_swallows_its_cancel_still_ends_cancelled() -> None:
    async def program() -> object:
        try:
            await continuum.wait_signal("never")
        except asyncio.CancelledError:
            return "tidied up"
        return None

    driver = Driver(program)
    driver.cancel()
    assert driver.outcome == Cancelled()


def test_a_run_that_fails_while_cancelling_has_failed() -> None:
    async def program() -> object:
        try:
            await continuum.wait_signal("never")
        finally:
            await fail()
        return None

    driver = Driver(program)
    driver.cancel()
    assert isinstance(driver.run(), Failed)


def test_a_cancel_before_any_result_starts_nothing() -> None:
    async def program() -> object:
        return await echo(1)

    execution = new_execution()
    execution.begin(program(), (), started_at=STARTED_AT, now=STARTED_AT)
    assert execution.apply(EventType.CANCEL_REQUESTED, (), at=STARTED_AT)
    assert execution.outcome == Cancelled()
    assert execution.take_opened() == []


def test_a_second_cancel_is_not_journaled() -> None:
    driver = Driver(undoes_when_stopped)
    driver.settle()
    assert driver.cancel() is True
    assert driver.cancel() is False
    driver.run()
    assert [event.type for event in driver.history].count(EventType.CANCEL_REQUESTED) == 1


def test_a_run_that_has_ended_takes_no_cancel() -> None:
    async def program() -> object:
        return 1

    driver = Driver(program)
    assert driver.cancel() is False
    assert driver.outcome == Completed(1)


async def undoes_a_failure() -> object:
    async with continuum.saga() as saga:
        for number in range(3):
            await echo(number)
            saga.add(undo, number)
        await fail()
    return None


@pytest.mark.parametrize("when", range(4, 8))
def test_a_cancel_while_compensating_waits_for_the_compensations(when: int) -> None:
    driver = Driver(undoes_a_failure, cancel_at=when)
    outcome = driver.run()
    assert outcome == Cancelled() or when == 7
    assert driver.scheduled.count("engine.undo") == 3
    assert driver.executed.count("engine.undo") == 3
    assert_same_from_every_prefix(undoes_a_failure, driver)


def test_a_timeout_while_compensating_waits_for_the_compensations() -> None:
    async def program() -> object:
        try:
            async with asyncio.timeout(10):
                await undoes_a_failure()
        except TimeoutError:
            return "late"
        return None

    driver = Driver(program)
    while driver.scheduled.count("engine.undo") < 2:
        driver.step()
    held, driver._started = driver._started, []
    driver.advance(11)
    driver._started = held
    assert driver.result() == "late"
    assert driver.executed.count("engine.undo") == 3


def test_a_workflow_that_cancels_itself_fails() -> None:
    async def program() -> object:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return await echo(1)

    outcome = Driver(program).run()
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, asyncio.CancelledError)


async def suspended_everywhere() -> object:
    try:
        async with continuum.saga() as saga, asyncio.TaskGroup() as group:
            saga.add(undo, 1)
            saga.add(undo_badly, 1)
            group.create_task(sleeps_for_ever())
            group.create_task(shielded())
            async for number in letters():
                await echo(number)
            await asyncio.wait_for(continuum.wait_signal("never"), 1000)
    finally:
        await echo(99)
    return None


async def letters() -> AsyncIterator[int]:
    try:
        yield 1
        yield 2
    finally:
        await echo(98)


async def left_half_way() -> object:
    async for _ in letters():
        break
    return await echo(1)


def test_an_abandoned_generator_is_closed() -> None:
    """I10: it is closed at once, as asyncio does."""
    driver = Driver(left_half_way)
    driver.run()
    assert [call_of(event)[1] for event in driver.history if event.type in COMMANDS] == [(1,), (98,)]
    assert_same_from_every_prefix(left_half_way, driver)


async def left_in_a_cycle(collect: bool) -> object:
    abandoned = letters()
    await anext(abandoned)
    cycle: list[object] = [abandoned]
    cycle.append(cycle)
    del abandoned, cycle
    if collect:
        gc.collect()
    return await echo(1)


@pytest.mark.parametrize("collect", [False, True])
def test_the_time_of_cycle_collection_does_not_affect_a_run(collect: bool) -> None:
    """I10: a generator in a cycle is dropped, at whatever time the cycle is collected."""
    driver = Driver(lambda: left_in_a_cycle(collect))
    driver.run()
    assert driver.scheduled == [echo.name]


async def sleeps_for_ever() -> None:
    try:
        await asyncio.sleep(1_000_000)
    finally:
        await asyncio.sleep(5)


async def shielded() -> None:
    await asyncio.shield(asyncio.create_task(waits_in_finally()))


async def waits_in_finally() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.Event().wait()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_closing_a_suspended_run_has_no_effect_and_logs_nothing(
    steps: int, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = Driver(suspended_everywhere)
    for _ in range(steps):
        driver.step()
    events = len(driver.history)
    execution = driver.execution
    driver.close()
    del driver
    assert execution.log.take_events() == []
    assert execution.take_opened() == []
    del execution
    gc.collect()
    assert caplog.records == []
    assert capsys.readouterr().err == ""
    assert events


@pytest.mark.filterwarnings("error")
def test_a_run_dropped_without_close_has_no_effect_and_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver(undoes_when_stopped)
    driver.settle()
    driver.close()
    driver.close()
    del driver
    gc.collect()
    assert caplog.records == []


def test_code_collected_late_does_not_affect_another_run() -> None:
    kept: list[object] = []

    async def leaves_a_generator() -> object:
        generator = letters()
        kept.append(generator)
        await anext(generator)
        return 1

    async def collects() -> object:
        kept.clear()
        gc.collect()
        return await echo(5)

    Driver(leaves_a_generator).run()
    other = Driver(collects)
    assert other.result() == 5
    assert other.scheduled == ["engine.echo"]


def test_a_background_failure_is_logged_once_and_not_in_replay(caplog: pytest.LogCaptureFixture) -> None:
    async def program() -> object:
        asyncio.create_task(fail("unheard"))  # noqa: RUF006
        await echo(1)
        await asyncio.sleep(1)
        gc.collect()
        await echo(2)
        return 1

    with caplog.at_level(logging.WARNING, logger="continuum.engine"):
        driver = Driver(program)
        driver.run()
        logged = len(caplog.records)
        execution = new_execution()
        execution.begin(program(), driver.history, started_at=STARTED_AT, now=driver.now)
    assert logged == len(caplog.records) == 1


def test_a_background_failure_is_logged_with_a_short_message(caplog: pytest.LogCaptureFixture) -> None:
    async def program() -> object:
        asyncio.create_task(fail("unheard " * 10_000))  # noqa: RUF006
        await asyncio.sleep(1)
        gc.collect()
        return await echo(1)

    with caplog.at_level(logging.WARNING, logger="continuum.engine"):
        Driver(program).run()
    [record] = caplog.records
    assert "unheard unheard" in record.getMessage()
    assert all(len(line) < 400 for line in record.getMessage().splitlines())


def test_the_end_of_a_run_ends_its_tasks() -> None:
    async def program() -> object:
        asyncio.create_task(sleeps_for_ever())  # noqa: RUF006
        await echo(1)
        return "done"

    driver = Driver(program)
    assert driver.result() == "done"
    execution: Execution = driver.execution
    assert execution.next_due() is None
    assert not execution.tasks
    assert execution.apply(EventType.TIMER_FIRED, (0,), at=driver.now) is False


def test_a_crash_after_a_retry_clears_its_backoff() -> None:
    """The retry has started the activity, or it could not have crashed; so no backoff is due in a replay."""

    async def program() -> object:
        return await echo(1)

    first = Driver(program)
    scheduled = first.history
    due = STARTED_AT + 5
    history = [
        scheduled[0],
        scheduled[0]._replace(seq=1, type=EventType.ACTIVITY_RETRIED, body=(0, "E", "no", 1, due)),
        scheduled[0]._replace(seq=2, type=EventType.ACTIVITY_CRASHED, body=(0, 1)),
    ]
    first.close()
    execution = new_execution()
    execution.begin(program(), history, started_at=STARTED_AT, now=STARTED_AT)
    assert execution.next_due() is None
    assert execution.pending[0].attempt == 2
    execution.close()
