"""Calls with a compensation: registered when they complete, undone once, in reverse order, on demand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import continuum
from continuum import ActivityError, ActivityRef, InvalidDefinition, InvalidOption, NotInWorkflow, activity
from continuum.engine.events import EventType
from continuum.engine.outcome import Blocked, Cancelled, Completed, Failed
from tests.unit.engine.activities import echo, fail, undo, undo_badly
from tests.unit.engine.driver import (
    Driver,
    assert_same_from_every_prefix,
    call_of,
    replay,
)

charge = echo.options(compensate=undo)
COMPENSATIONS = (
    EventType.COMPENSATION_SCHEDULED,
    EventType.COMPENSATION_COMPLETED,
    EventType.COMPENSATION_FAILED,
)


@activity(name="compensation.explain")
def explain(value: int, reason: str) -> str:
    """Undo with a reason."""
    return f"{value} {reason}"


def undone(driver: Driver) -> list[int]:
    """The arguments of the compensations, in the order of their scheduling."""
    scheduled = [event for event in driver.history if event.type == EventType.COMPENSATION_SCHEDULED]
    return [call_of(event)[1][0] for event in scheduled]


async def three_calls() -> list[ActivityRef[int]]:
    return [await charge(value) for value in (1, 2, 3)]


def test_a_call_with_a_compensation_returns_a_reference_with_the_result() -> None:
    async def program() -> list[object]:
        ref = await charge(5)
        return [ref.result, ref.activity, continuum.unwrap(ref), continuum.unwrap(7)]

    assert Driver(program).result() == [5, "engine.echo", 5, 7]


def test_a_successful_run_undoes_nothing() -> None:
    """SAG1"""

    async def program() -> int:
        return (await charge(5)).result

    driver = Driver(program)
    assert driver.result() == 5
    assert [event.type for event in driver.history if event.type in COMPENSATIONS] == []
    assert replay(program, driver.history).outcome == Completed(5)


def test_compensate_undoes_one_call() -> None:
    """SAG2, SEC1: the compensation's own result is returned, and everything replays."""

    async def program() -> list[object]:
        before = continuum.side_effect(lambda: 1)
        patched = continuum.patched("compensation")
        ref = await echo.options(compensate=explain.bind(9, "changed mind"))(5)
        result = await continuum.compensate(ref)
        return [before, patched, result, continuum.side_effect(lambda: 2)]

    driver = Driver(program)
    assert driver.result() == [1, True, "9 changed mind", 2]
    assert [event.type for event in driver.history] == [
        EventType.SIDE_EFFECT,
        EventType.PATCHED,
        EventType.ACTIVITY_SCHEDULED,
        EventType.ACTIVITY_COMPLETED,
        EventType.COMPENSATION_SCHEDULED,
        EventType.COMPENSATION_COMPLETED,
        EventType.SIDE_EFFECT,
    ]
    assert replay(program, driver.history).outcome == driver.outcome
    assert_same_from_every_prefix(program, driver)


def test_a_failed_compensation_raises_to_its_caller() -> None:
    """SAG5"""

    async def program() -> str:
        ref = await echo.options(compensate=undo_badly)(5)
        try:
            await continuum.compensate(ref)
        except ActivityError as error:
            return error.message
        return "undone"

    driver = Driver(program)
    assert driver.result() == "cannot undo 5"
    assert driver.history[-1].type == EventType.COMPENSATION_FAILED


def test_another_compensation_in_the_journal_is_drift() -> None:
    """SAG6"""

    async def program() -> None:
        await continuum.compensate(await charge(1))

    driver = Driver(program)
    driver.run()
    at = next(event.seq for event in driver.history if event.type == EventType.COMPENSATION_SCHEDULED)
    event = driver.history[at]
    driver.history[at] = event._replace(body=("compensation.explain", *event.body[1:]))
    assert isinstance(replay(program, driver.history).outcome, Blocked)


def test_a_call_is_undone_only_once() -> None:
    """C6"""

    async def program() -> str:
        ref = await charge(1)
        await continuum.compensate(ref)
        await continuum.compensate_all()
        with pytest.raises(InvalidOption, match="compensated before"):
            await continuum.compensate(ref)
        return "once"

    driver = Driver(program)
    assert driver.result() == "once"
    assert undone(driver) == [1]


def test_only_a_call_with_a_compensation_can_be_undone() -> None:
    async def program() -> None:
        with pytest.raises(InvalidOption, match=r"options\(compensate"):
            await continuum.compensate(await echo(1))  # type: ignore[arg-type]

    assert Driver(program).result() is None


@pytest.mark.parametrize("mode", ["sequential", "parallel"])
def test_all_calls_are_undone_last_first(mode: Any) -> None:
    async def program() -> str:
        await three_calls()
        await continuum.compensate_all(mode)
        await continuum.compensate_all(mode)
        return "undone"

    driver = Driver(program)
    assert driver.result() == "undone"
    assert undone(driver) == [3, 2, 1]
    assert_same_from_every_prefix(program, driver)


def test_parallel_compensations_are_all_scheduled_before_any_completes() -> None:
    """PCM1: the run fails with the error that caused the compensations."""

    async def program() -> None:
        await three_calls()
        try:
            await fail("broken")
        except ActivityError:
            await continuum.compensate_all("parallel")
            raise

    driver = Driver(program)
    outcome = driver.run()
    assert isinstance(outcome, Failed)
    assert "broken" in str(outcome.error)
    types = [event.type for event in driver.history if event.type in COMPENSATIONS]
    assert types == [EventType.COMPENSATION_SCHEDULED] * 3 + [EventType.COMPENSATION_COMPLETED] * 3
    assert_same_from_every_prefix(program, driver)


def test_one_parallel_compensation_replays() -> None:
    """PCM2"""

    async def program() -> str:
        await charge(1)
        await continuum.compensate_all("parallel")
        return "undone"

    driver = Driver(program)
    assert driver.result() == "undone"
    assert_same_from_every_prefix(program, driver)


@pytest.mark.parametrize("mode", ["sequential", "parallel"])
def test_every_compensation_is_tried_and_the_failures_are_raised_together(mode: Any) -> None:
    async def program() -> list[str]:
        await charge(1)
        await echo.options(compensate=undo_badly)(2)
        await echo.options(compensate=undo_badly)(3)
        try:
            await continuum.compensate_all(mode)
        except* ActivityError as group:
            failures = [str(error) for error in group.exceptions]
        return failures

    driver = Driver(program)
    failures = driver.result()
    assert ["cannot undo 3" in failures[0], "cannot undo 2" in failures[1]] == [True, True]
    assert sorted(undone(driver)) == [1, 2, 3]
    assert_same_from_every_prefix(program, driver)


def test_without_compensations_nothing_is_journaled() -> None:
    async def program() -> None:
        await continuum.compensate_all()

    assert Driver(program).history == []


def test_an_unknown_mode_keeps_the_compensations() -> None:
    async def program() -> None:
        await charge(1)
        with pytest.raises(ValueError, match="mode"):
            await continuum.compensate_all("random")  # type: ignore[arg-type]
        await continuum.compensate_all()

    driver = Driver(program)
    driver.run()
    assert undone(driver) == [1]


def test_a_failing_run_does_not_compensate_by_itself() -> None:
    async def program() -> None:
        await charge(1)
        raise ValueError("as it is")

    driver = Driver(program)
    assert isinstance(driver.run(), Failed)
    assert undone(driver) == []


def test_a_failing_saga_block_undoes_the_calls_in_it() -> None:
    async def program() -> None:
        await charge(1)
        async with continuum.saga() as saga:
            await charge(2)
            saga.add(undo, 10)
            await asyncio.gather(charge(3), charge(4))
            raise ValueError("no")

    driver = Driver(program)
    assert isinstance(driver.run(), Failed)
    assert undone(driver) == [4, 3, 10, 2]
    assert_same_from_every_prefix(program, driver)


def test_a_saga_block_does_not_undo_twice() -> None:
    async def program() -> None:
        async with continuum.saga():
            ref = await charge(1)
            await charge(2)
            await continuum.compensate(ref)
            raise ValueError("no")

    driver = Driver(program)
    driver.run()
    assert undone(driver) == [1, 2]


def test_a_saga_block_undoes_the_calls_of_inner_blocks() -> None:
    async def program() -> None:
        async with continuum.saga():
            await charge(1)
            async with continuum.saga():
                await charge(2)
            await charge(3)
            raise ValueError("no")

    driver = Driver(program)
    driver.run()
    assert undone(driver) == [3, 2, 1]


def test_a_call_in_a_successful_saga_block_can_be_undone_later() -> None:
    async def program() -> None:
        async with continuum.saga():
            async with continuum.saga():
                await charge(1)
            await charge(2)
        await charge(3)
        await continuum.compensate_all()

    driver = Driver(program)
    driver.run()
    assert undone(driver) == [3, 2, 1]


def test_a_cancelled_run_compensates_and_ends_cancelled() -> None:
    async def program() -> None:
        await charge(1)
        try:
            await continuum.sleep(100)
        except asyncio.CancelledError:
            await continuum.compensate_all()
            raise

    driver = Driver(program)
    driver.settle()
    driver.cancel()
    assert driver.run() == Cancelled()
    assert undone(driver) == [1]
    assert_same_from_every_prefix(program, driver)


def test_a_compensation_continues_when_the_run_is_cancelled_meanwhile() -> None:
    async def program() -> None:
        ref = await charge(1)
        await continuum.compensate(ref)

    driver = Driver(program)
    driver.step()
    assert undone(driver) == [1]
    driver.cancel()
    assert driver.run() == Cancelled()
    assert driver.executed == ["engine.echo", "engine.undo"]


def test_outside_a_workflow_a_call_with_a_compensation_runs_directly() -> None:
    ref = asyncio.run(charge(4))
    assert continuum.unwrap(ref) == 4
    with pytest.raises(NotInWorkflow):
        asyncio.run(continuum.compensate(ref))
    with pytest.raises(NotInWorkflow):
        asyncio.run(continuum.compensate_all())


def test_an_invalid_compensation_is_refused_at_definition() -> None:
    with pytest.raises(InvalidDefinition, match="result alone"):
        echo.options(compensate=explain)  # type: ignore[arg-type]
    with pytest.raises(InvalidDefinition, match="compensate is"):
        echo.options(compensate=print)  # type: ignore[arg-type]


def test_a_compensation_may_have_options_of_its_own() -> None:
    async def program() -> None:
        await echo.options(compensate=undo.options(timeout=5))(1)
        await continuum.compensate_all()

    driver = Driver(program)
    driver.run()
    (scheduled,) = [event for event in driver.history if event.type == EventType.COMPENSATION_SCHEDULED]
    assert scheduled.body[4] == {"timeout": 5.0}
