"""Continuing as new: nothing after it counts, and no code can catch it."""

from __future__ import annotations

import asyncio
import contextlib
import uuid

import pytest

import continuum
from continuum import DurableTermError, NotInWorkflow, workflow
from continuum.codec.codec import encode
from continuum.engine.events import Event, EventType
from continuum.engine.outcome import Blocked, Cancelled, Completed, Continued
from tests.unit.engine.activities import echo, undo
from tests.unit.engine.driver import RUN_ID, Driver, Program, assert_same_from_every_prefix, replay
from tests.unit.engine.families import counting, counting_by_name, double


def count_from(left: int, total: int = 0) -> Program:
    return lambda: counting.fn(left, total)


def successor_of(driver: Driver) -> Continued:
    outcome = driver.run()
    assert isinstance(outcome, Continued), outcome
    return outcome


def test_a_run_continues_as_new_with_the_arguments_given() -> None:
    """CNT3, RPL12: a replay ends with the same successor."""
    driver = Driver(count_from(2), definition=counting)
    successor = successor_of(driver)
    assert successor.run_id == str(uuid.uuid5(uuid.UUID(RUN_ID), "2:next"))
    assert successor.workflow == "families.counting"
    assert counting.arguments.decode_call(successor.input) == ((1, 2), {})
    assert driver.history[-1].type == EventType.RUN_CONTINUED_AS_NEW
    assert replay(count_from(2), driver.history).outcome == successor
    assert_same_from_every_prefix(count_from(2), driver)


def test_a_chain_ends_with_the_result_of_its_last_run() -> None:
    """CNT1"""
    driver = Driver(lambda: counting.fn(3), definition=counting)
    cycles = 0
    while isinstance(outcome := driver.run(), Continued):
        args, _ = counting.arguments.decode_call(outcome.input)
        driver = Driver(count_from(*args), definition=counting, run_id=outcome.run_id)
        cycles += 1
    assert (cycles, outcome) == (3, Completed(6))


def test_the_module_function_continues_the_running_workflow() -> None:
    driver = Driver(lambda: counting_by_name.fn(2), definition=counting_by_name)
    successor = successor_of(driver)
    assert successor.workflow == "families.counting_by_name"
    assert counting_by_name.arguments.decode_call(successor.input) == ((1,), {})


def test_another_input_of_the_successor_is_drift() -> None:
    """RPL12, B1: both ways of replay check the input."""
    driver = Driver(count_from(1), definition=counting)
    driver.run()
    outcome = replay(count_from(1, total=5), driver.history).outcome
    assert isinstance(outcome, Blocked)
    assert "another input" in outcome.reason


def test_events_after_a_continuation_in_a_task_are_drift() -> None:
    async def ending() -> None:
        double.continue_as_new(1)

    async def program() -> None:
        await asyncio.gather(ending(), asyncio.Event().wait())

    driver = Driver(program)
    late = Event(1, EventType.SIGNAL_RECEIVED, driver.history[0].at, ("late", b"", None))
    assert isinstance(driver.outcome, Continued)
    assert isinstance(replay(program, [*driver.history, late]).outcome, Blocked)


def test_arguments_are_checked_before_the_run_ends() -> None:
    async def program() -> str:
        with pytest.raises(TypeError):
            double.continue_as_new()  # type: ignore[call-arg]
        with pytest.raises(DurableTermError):
            double.continue_as_new(object())  # type: ignore[arg-type]
        return "still here"

    assert Driver(program).result() == "still here"


def test_code_cannot_catch_its_continuation() -> None:
    """B9, SLK2"""

    async def program() -> str:
        with contextlib.suppress(BaseException):
            double.continue_as_new(1)
        return "caught"

    assert isinstance(Driver(program).outcome, Continued)


def test_nothing_is_journaled_after_the_end() -> None:
    """SLK1"""

    async def program() -> int:
        try:
            double.continue_as_new(1)
        except BaseException:  # noqa: BLE001
            return await echo(1)
        finally:
            with contextlib.suppress(BaseException):
                continuum.random()

    driver = Driver(program)
    assert isinstance(driver.outcome, Continued)
    assert len(driver.history) == 1


def test_other_tasks_do_nothing_after_the_continuation() -> None:
    ran: list[str] = []

    async def program() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(ending())
            group.create_task(other())

    async def ending() -> None:
        double.continue_as_new(1)

    async def other() -> None:
        ran.append("other")

    driver = Driver(program)
    assert isinstance(driver.outcome, Continued)
    assert ran == []


def test_a_saga_does_not_compensate_when_the_run_continues_as_new() -> None:
    """C6"""

    async def program() -> None:
        async with continuum.saga() as saga:
            saga.add(undo, 1)
            double.continue_as_new(1)

    driver = Driver(program)
    assert isinstance(driver.outcome, Continued)
    assert driver.scheduled == []


def test_a_run_with_a_cancel_request_has_no_successor() -> None:
    """CNT14, B53"""

    async def program() -> None:
        try:
            await continuum.sleep(10)
        finally:
            double.continue_as_new(1)

    driver = Driver(program)
    driver.cancel()
    assert driver.outcome == Cancelled()
    assert EventType.RUN_CONTINUED_AS_NEW not in [event.type for event in driver.history]
    assert replay(program, driver.history).outcome == Cancelled()


def test_events_after_the_continuation_are_drift() -> None:
    driver = Driver(count_from(1), definition=counting)
    driver.run()
    last = driver.history[-1]
    late = Event(last.seq + 1, EventType.SIGNAL_RECEIVED, last.at, ("late", b"", None))
    outcome = replay(count_from(1), [*driver.history, late]).outcome
    assert isinstance(outcome, Blocked)
    assert "signal_received late" in outcome.reason


def test_continue_as_new_fails_outside_a_workflow() -> None:
    with pytest.raises(NotInWorkflow):
        continuum.continue_as_new(1)


def test_a_workflow_may_continue_as_another_workflow() -> None:
    @workflow(name="continuation.first")
    async def first(value: int) -> int:
        double.continue_as_new(value + 1)

    successor = successor_of(Driver(lambda: first.fn(1), definition=first))
    assert (successor.workflow, double.arguments.decode_call(successor.input)) == (
        "families.double",
        ((2,), {}),
    )


def test_signals_that_no_code_took_go_to_the_successor() -> None:
    """CNT10, B33: their inbox entries are gone, but the history has them."""

    async def program() -> None:
        await continuum.wait_signal("go")
        double.continue_as_new(1)

    driver = Driver(program)
    for name, value in (("other", 1), ("more", 2), ("other", 3), ("go", 4), ("go", 5)):
        driver.signal(name, value)
    assert successor_of(driver).signals == tuple(
        (name, encode(value)) for name, value in (("other", 1), ("other", 3), ("more", 2))
    )
