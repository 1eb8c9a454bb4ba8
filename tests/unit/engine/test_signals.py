"""Signals inside a run: first in, first out by name, buffered, and either the signal or the timeout wins."""

from __future__ import annotations

import asyncio

import pytest

import continuum
from continuum.engine.call_site import user_site
from continuum.engine.events import EventType
from continuum.engine.outcome import Completed
from continuum.engine.signal_buffer import Awaited, SignalBuffer
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import Driver, assert_same_from_every_prefix, replay

approval = continuum.Signal("approval", str)
HERE = Awaited("s", user_site())


async def three_approvals() -> object:
    return [await approval.wait() for _ in range(3)]


def test_signals_arrive_in_the_order_they_were_sent() -> None:
    """SRT14"""
    driver = Driver(three_approvals, signals=[("approval", word) for word in ("a", "b", "c")])
    assert driver.result() == ["a", "b", "c"]
    assert_same_from_every_prefix(three_approvals, driver)


@pytest.mark.parametrize(("word", "expected"), [("go", ["went", 1]), ("stop", "stopped")])
def test_the_sent_value_decides_in_a_replay_too(word: str, expected: object) -> None:
    """RPL6, C11: the code gets the value that was sent."""

    async def program() -> object:
        if await approval.wait() == "stop":
            return "stopped"
        return ["went", await echo(1)]

    driver = Driver(program, signals=[("approval", word)])
    assert driver.result() == expected
    assert replay(program, driver.history).outcome == Completed(expected)
    assert_same_from_every_prefix(program, driver)


def test_signals_are_kept_from_the_start_of_the_run() -> None:
    async def program() -> object:
        await echo(1)
        return await three_approvals()

    driver = Driver(program)
    for word in ("a", "b", "c"):
        driver.signal("approval", word)
    assert driver.result() == ["a", "b", "c"]


def test_a_signal_that_arrives_during_a_sleep_is_taken_after_it() -> None:
    """MSB2"""

    async def program() -> object:
        await continuum.sleep(60)
        return await approval.wait()

    driver = Driver(program)
    driver.advance(59)
    driver.signal("approval", "early")
    driver.advance(2)
    assert driver.result() == "early"
    types = [event.type for event in driver.history]
    assert types == [EventType.TIMER_STARTED, EventType.SIGNAL_RECEIVED, EventType.TIMER_FIRED]
    assert_same_from_every_prefix(program, driver)


def test_names_do_not_share_a_queue() -> None:
    """MSB1, B5: a signal that arrives too early is kept."""

    async def program() -> object:
        return [await continuum.wait_signal("second"), await continuum.wait_signal("first")]

    driver = Driver(program, signals=[("first", 1), ("second", 2)])
    assert driver.result() == [2, 1]


def test_waiters_get_signals_in_the_order_they_waited() -> None:
    async def program() -> object:
        return await asyncio.gather(*[approval.wait() for _ in range(3)])

    driver = Driver(program, signals=[("approval", word) for word in ("a", "b", "c")])
    assert driver.result() == ["a", "b", "c"]


async def approved_in_time() -> object:
    result = await approval.wait(timeout=60, default="late")
    return [result, await approval.wait(timeout=5, default="none")]


def test_a_signal_before_the_timeout_wins_and_the_timer_is_cancelled() -> None:
    driver = Driver(approved_in_time)
    driver.advance(59)
    driver.signal("approval", "yes")
    driver.advance(2)
    assert EventType.TIMER_FIRED not in [event.type for event in driver.history]
    assert driver.result() == ["yes", "none"]
    assert_same_from_every_prefix(approved_in_time, driver)


def test_a_timeout_before_the_signal_wins_and_the_signal_is_kept() -> None:
    """C11"""
    driver = Driver(approved_in_time)
    driver.advance(61)
    driver.signal("approval", "yes")
    assert driver.result() == ["late", "yes"]
    assert_same_from_every_prefix(approved_in_time, driver)


def test_the_loser_of_the_race_is_not_journaled() -> None:
    """B42"""
    driver = Driver(approved_in_time)
    started = driver.history[0].seq
    driver.signal("approval", "yes")
    length = len(driver.history)
    assert driver.apply(EventType.TIMER_FIRED, (started,)) is False
    assert len(driver.history) == length
    driver.close()


def test_a_timeout_without_a_default_raises() -> None:
    async def program() -> object:
        with pytest.raises(TimeoutError, match=r"^signal approval did not come within 1 s$"):
            await approval.wait(timeout=1)
        return "late"

    assert Driver(program).result() == "late"


def test_a_cancelled_waiter_leaves_the_signal_to_the_next_one() -> None:
    async def program() -> object:
        first = asyncio.create_task(approval.wait())
        second = asyncio.create_task(approval.wait())
        await echo(1)
        first.cancel()
        return await second

    driver = Driver(program)
    driver.settle()
    driver.signal("approval", "yes")
    assert driver.result() == "yes"


def test_a_signal_for_a_waiter_cancelled_in_the_same_step_goes_to_the_next_waiter() -> None:
    async def main() -> object:
        buffer, loop = SignalBuffer(), asyncio.get_running_loop()
        first = asyncio.create_task(buffer.take(HERE, 0, loop))
        second = asyncio.create_task(buffer.take(HERE, 0, loop))
        await asyncio.sleep(0)
        buffer.deliver("s", b"1")
        first.cancel()
        buffer.deliver("s", b"2")
        with pytest.raises(asyncio.CancelledError):
            await first
        return [await second, await buffer.take(HERE, 0, loop)]

    assert asyncio.run(main()) == [b"2", b"1"]


def test_a_signal_put_back_comes_before_later_ones() -> None:
    async def main() -> object:
        buffer, loop = SignalBuffer(), asyncio.get_running_loop()
        first = asyncio.create_task(buffer.take(HERE, 0, loop))
        await asyncio.sleep(0)
        buffer.deliver("s", b"1")
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        buffer.deliver("s", b"2")
        return [await buffer.take(HERE, 0, loop), await buffer.take(HERE, 0, loop)]

    assert asyncio.run(main()) == [b"1", b"2"]


def test_a_run_names_the_signals_it_waits_for() -> None:
    async def program() -> None:
        await asyncio.gather(continuum.wait_signal("b"), continuum.wait_signal("a"))

    driver = Driver(program)
    assert driver.execution.signals_waited_for() == ["a", "b"]
    driver.close()


def test_a_value_that_does_not_match_its_signal_is_refused() -> None:
    with pytest.raises(continuum.DurableTermError):
        approval.encode(1)  # type: ignore[arg-type]
