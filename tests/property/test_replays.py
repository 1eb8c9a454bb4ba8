"""Any sequential code with any input replays, from events and from snapshots."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import continuum
from continuum import workflow
from continuum.codec.codec import encode
from continuum.engine.events import Event, EventType
from continuum.engine.outcome import Blocked, Completed, Continued, Outcome
from tests.property.test_codec import values
from tests.property.test_snapshot_history import compacted, replayed
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import Driver, replay
from tests.unit.engine.families import double, failing

Program = Callable[[], Coroutine[Any, Any, Any]]
EVENTS = {
    "read": [EventType.SIDE_EFFECT],
    "draw": [EventType.SIDE_EFFECT],
    "call": [EventType.ACTIVITY_SCHEDULED, EventType.ACTIVITY_COMPLETED],
    "patch": [EventType.PATCHED],
}
steps = st.lists(st.sampled_from(sorted(EVENTS)), min_size=1, max_size=30)


def taking(kinds: Sequence[str]) -> Program:
    """Return a workflow that takes these steps one after the other and adds up their results."""

    async def program() -> float:
        total = 0.0
        for number, kind in enumerate(kinds):
            match kind:
                case "read":
                    total += continuum.side_effect(partial(int, number))
                case "draw":
                    total += continuum.random()
                case "call":
                    total += await echo(number)
                case _:
                    total += continuum.patched(f"patch {number}")
        return total

    return program


def assert_replays(program: Program, history: list[Event], outcome: Outcome | None) -> None:
    """Replay from events, and with the first event, half and all of the history from a snapshot."""
    assert replay(program, history).outcome == outcome
    for place in {1, len(history) // 2, len(history)} - {0}:
        execution = replayed(program, history, compacted(history, [place]))
        assert not execution.log.snapshot_mismatch
        assert execution.outcome == outcome
        assert execution.log.take_events() == []


@given(steps)
def test_steps_are_journaled_in_order_and_replay(kinds: list[str]) -> None:
    """PRP1, PRP3, PRP4"""
    driver = Driver(taking(kinds))
    outcome = driver.run()
    assert isinstance(outcome, Completed)
    assert [event.type for event in driver.history] == [type for kind in kinds for type in EVENTS[kind]]
    assert_replays(taking(kinds), driver.history, outcome)


def test_a_thousand_side_effects_are_a_thousand_events_and_replay() -> None:
    """PRP2"""
    driver = Driver(taking(["read"] * 1_000))
    assert driver.result() == sum(range(1_000))
    assert len(driver.history) == 1_000
    assert_replays(taking(["read"] * 1_000), driver.history, driver.outcome)


@workflow(name="replays.taking_anything")
async def taking_anything(value: Any) -> Any:
    """Run for ever, with another step each time."""
    taking_anything.continue_as_new(value)


def starting(value: Any) -> Program:
    async def program() -> bool:
        handle = await taking_anything.start_child(value)
        return bool(handle.id)

    return program


def drifts(program: Program, history: list[Event]) -> bool:
    """Whether code matches neither the events of a history nor a snapshot of them."""
    outcome = replay(program, history).outcome
    execution = replayed(program, history, compacted(history, [len(history)]))
    mismatch = execution.log.snapshot_mismatch or isinstance(execution.outcome, Blocked)
    return isinstance(outcome, Blocked) and mismatch


@given(values, values)
def test_a_child_is_identified_by_its_input(value: Any, other: Any) -> None:
    """PRP6"""
    assume(encode(value) != encode(other))
    driver = Driver(starting(value))
    outcome = driver.run()
    assert_replays(starting(value), driver.history, outcome)
    assert drifts(starting(other), driver.history)


@pytest.mark.parametrize("number", range(3))
def test_a_child_is_identified_by_its_workflow(number: int) -> None:
    """PRP6"""

    def calling(other: bool) -> Program:
        async def program() -> object:
            return await (failing(str(number)) if other else double(number))

        return program

    driver = Driver(calling(other=False))
    driver.run()
    assert drifts(calling(other=True), driver.history)


@given(values, values)
def test_a_successor_is_identified_by_its_input(value: Any, other: Any) -> None:
    """PRP7"""
    assume(encode(value) != encode(other))
    driver = Driver(partial(taking_anything.fn, value), definition=taking_anything)
    outcome = driver.run()
    assert isinstance(outcome, Continued)
    assert_replays(partial(taking_anything.fn, value), driver.history, outcome)
    assert drifts(partial(taking_anything.fn, other), driver.history)
