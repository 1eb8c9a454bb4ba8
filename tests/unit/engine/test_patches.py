"""Patches: the first decision for a name holds for the run, and a marker counts only for its own call."""

from __future__ import annotations

import continuum
from continuum.engine.events import EventType
from continuum.engine.outcome import Blocked, Completed
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import Driver, Program, assert_same_from_every_prefix, replay


async def order_flow() -> object:
    return await echo(1)


def patched_flow(*names: str) -> Program:
    """Return the workflow with patches before its call."""

    async def order_flow() -> object:
        return [*map(continuum.patched, names), await echo(1)]

    order_flow.__code__ = order_flow.__code__.replace(co_qualname="order_flow")
    return order_flow


def test_a_new_run_is_marked_once_and_replays_on_the_new_side() -> None:
    """PAT1, PAT6"""
    program = patched_flow("new")
    driver = Driver(program)
    assert driver.result() == [True, 1]
    assert [event.type for event in driver.history].count(EventType.PATCHED) == 1
    assert replay(program, driver.history).outcome == Completed([True, 1])
    assert_same_from_every_prefix(program, driver)


def test_a_history_without_the_marker_stays_on_the_old_side() -> None:
    """PAT2, PAT3: with one call of patched() or with several."""
    driver = Driver(order_flow)
    driver.run()
    for names in (("new",), ("new", "newer")):
        replayed = replay(patched_flow(*names), driver.history)
        assert replayed.outcome == Completed([*(False for _ in names), 1])
        assert replayed.log.take_events() == []


def test_a_decision_holds_after_the_end_of_the_history() -> None:
    """PAT7, PAT9, B7: a patch that was not taken once is never taken later."""

    async def order_flow() -> object:
        first = continuum.patched("new")
        await echo(1)
        return [first, continuum.patched("new")]

    order_flow.__code__ = order_flow.__code__.replace(co_qualname="order_flow")
    old = Driver(globals()["order_flow"])
    resumed = Driver(order_flow, history=old.history)
    assert resumed.result() == [False, False]


def test_a_marker_of_another_name_does_not_count() -> None:
    """PAT5, B8"""
    driver = Driver(patched_flow("new"))
    driver.run()
    outcome = replay(patched_flow("other"), driver.history).outcome
    assert isinstance(outcome, Blocked)


def test_a_marker_at_another_position_is_drift() -> None:
    """PAT4, PAT8, PAT10, B8: it never counts silently for another call."""
    program = patched_flow("new")
    driver = Driver(program)
    driver.run()
    marker = driver.history[0]
    forged = [marker._replace(body=("new", "somewhere_else", marker.body[2])), *driver.history[1:]]
    outcome = replay(program, forged).outcome
    assert isinstance(outcome, Blocked)
    assert outcome.kind == "drift"


def two_uses(*, second: bool) -> Program:
    """Return the workflow with one use of a patch, or with another one of the same name before it."""

    async def order_flow() -> object:
        earlier = continuum.patched("new") if second else None
        first = await echo(1)
        return [earlier, first, await echo(2 if continuum.patched("new") else 3)]

    order_flow.__code__ = order_flow.__code__.replace(co_qualname="order_flow")
    return order_flow


def test_a_name_used_again_earlier_in_the_code_leaves_the_marker_to_its_own_call() -> None:
    recorded = Driver(two_uses(second=False))
    assert recorded.result() == [None, 1, 2]
    program = two_uses(second=True)
    assert replay(program, recorded.history).outcome == Completed([False, 1, 2])
    for cut in range(1, len(recorded.history) + 1):
        assert not isinstance(replay(program, recorded.history[:cut]).outcome, Blocked)
    fresh = Driver(program)
    assert fresh.result() == [True, 1, 2]
    assert [event.type for event in fresh.history].count(EventType.PATCHED) == 1


def test_a_name_used_again_earlier_in_a_helper_leaves_the_marker_to_its_own_call() -> None:
    def helper() -> bool:
        return continuum.patched("new")

    def program_with(*, second: bool) -> Program:
        async def order_flow() -> object:
            return [second and helper(), await echo(2 if continuum.patched("new") else 3)]

        order_flow.__code__ = order_flow.__code__.replace(co_qualname="order_flow")
        return order_flow

    recorded = Driver(program_with(second=False))
    recorded.run()
    assert replay(program_with(second=True), recorded.history).outcome == Completed([False, 2])
