"""A wait with a timeout for a signal that is there starts no timer; histories in which it did replay."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

import continuum
from continuum.codec.codec import encode
from continuum.engine.events import Event, EventType
from continuum.engine.outcome import Completed
from continuum.journal.snapshot_codec import pack_snapshot, unpack_snapshot
from tests.unit.engine.driver import (
    SECOND,
    STARTED_AT,
    Driver,
    Program,
    assert_same_from_every_prefix,
    new_execution,
    replay,
)

go = continuum.Signal("go", int)


async def takes_two() -> list[int]:
    await continuum.sleep(1)
    first = await go.wait(timeout=5)
    await continuum.sleep(5)
    return [first, await go.wait(timeout=5)]


async def takes_one_in_a_task() -> list[int]:
    await continuum.sleep(1)
    first = await asyncio.create_task(go.wait(timeout=5))
    await continuum.sleep(5)
    return [first]


def types_of(history: Sequence[Event]) -> list[str]:
    return [EventType(event.type).name.lower() for event in history]


def earlier(program: Program, *, timers: int) -> list[Event]:
    """Return the history of an earlier release, with this many timers for signals that were there."""
    caller = "Signal.wait" if program is takes_one_in_a_task else program.__name__

    def timer(seq: int, at: int, author: str) -> Event:
        return Event(seq, EventType.TIMER_STARTED, at, (at + 5 * SECOND, author, "flows.py:1"))

    def signal(seq: int) -> Event:
        return Event(seq, EventType.SIGNAL_RECEIVED, STARTED_AT, ("go", encode(seq), None))

    begun, later = STARTED_AT + SECOND, STARTED_AT + 6 * SECOND
    history = [
        Event(0, EventType.TIMER_STARTED, STARTED_AT, (begun, program.__name__, "flows.py:1")),
        signal(1),
        signal(2),
        Event(3, EventType.TIMER_FIRED, begun, (0,)),
        timer(4, begun, caller),
        timer(5, begun, program.__name__),
    ]
    if timers == 2:
        history += [Event(6, EventType.TIMER_FIRED, later, (5,)), timer(7, later, caller)]
    return history


def test_a_signal_that_is_there_is_one_event() -> None:
    driver = Driver(takes_two, signals=[("go", 1), ("go", 2)])
    assert driver.result() == [1, 2]
    slept = ["timer_started", "timer_fired"]
    received = ["signal_received"] * 2
    assert types_of(driver.history) == [slept[0], *received, slept[1], *slept]
    assert_same_from_every_prefix(takes_two, driver)


@pytest.mark.parametrize("timers", [1, 2])
def test_a_history_with_timers_for_signals_that_were_there_replays(timers: int) -> None:
    """The sleep after the wait takes as long as the timeout, so only the mark tells the timers apart."""
    history = earlier(takes_two, timers=timers)
    driver = Driver(takes_two, history=history)
    assert driver.result() == [1, 2]
    assert types_of(driver.history[6:]) == ["timer_fired", "timer_started"][:timers]
    for cut in range(len(driver.history)):
        assert replay(takes_two, driver.history[:cut]).outcome in (None, Completed([1, 2]))
    assert replay(takes_two, driver.history).outcome == Completed([1, 2])


def test_a_history_with_a_timer_of_a_wait_in_a_task_of_its_own_replays() -> None:
    driver = Driver(takes_one_in_a_task, history=earlier(takes_one_in_a_task, timers=1))
    assert driver.result() == [1]


@pytest.mark.parametrize("of_earlier_release", [False, True])
def test_a_snapshot_keeps_apart_which_release_wrote_a_timer(of_earlier_release: bool) -> None:
    if of_earlier_release:
        driver = Driver(takes_two, history=earlier(takes_two, timers=2))
    else:
        driver = Driver(takes_two, signals=[("go", 1), ("go", 2)])
    driver.run()
    compact = unpack_snapshot(pack_snapshot(driver.history), 0, len(driver.history))
    assert compact is not None
    execution = new_execution()
    execution.begin(takes_two(), (), started_at=STARTED_AT, now=driver.now, compact=compact)
    assert not execution.log.snapshot_mismatch
    assert execution.outcome == Completed([1, 2])
    assert execution.log.take_events() == []
