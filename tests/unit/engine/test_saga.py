"""Compensations: in reverse order, each once, every one tried."""

from __future__ import annotations

import pytest

import continuum
from continuum.engine.events import Event, EventType
from continuum.engine.outcome import Failed
from tests.unit.engine.activities import echo, fail, undo, undo_badly
from tests.unit.engine.driver import Driver, Program, assert_same_from_every_prefix


def undone(history: list[Event]) -> list[int]:
    arguments = [event.body[3] for event in history if event.type == EventType.COMPENSATION_SCHEDULED]
    return [undo.arguments.decode_call(stored)[0][0] for stored in arguments]


async def three_steps() -> object:
    async with continuum.saga() as saga:
        for number in range(3):
            saga.add(undo, await echo(number))
        await fail("stop")
    return None


async def one_cannot_be_undone() -> object:
    async with continuum.saga() as saga:
        saga.add(undo, 0)
        saga.add(undo_badly, 1)
        saga.add(undo, 2)
        await fail("stop")
    return None


async def nested() -> object:
    async with continuum.saga() as outer:
        outer.add(undo, 0)
        async with continuum.saga() as inner:
            inner.add(undo, 1)
            inner.add(undo, 2)
            await fail("stop")
    return None


async def compensates_explicitly() -> object:
    async with continuum.saga() as saga:
        for number in range(3):
            saga.add(undo, number)
        await saga.compensate(mode="parallel")
        await saga.compensate()
    return "undone"


async def finished() -> object:
    async with continuum.saga() as saga:
        saga.add(undo, await echo(1))
    return "kept"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (three_steps, [2, 1, 0]),
        (one_cannot_be_undone, [2, 1, 0]),
        (nested, [2, 1, 0]),
        (compensates_explicitly, [2, 1, 0]),
        (finished, []),
    ],
)
def test_compensations_run_in_reverse_order(program: Program, expected: list[int]) -> None:
    driver = Driver(program)
    driver.run()
    assert undone(driver.history) == expected
    assert_same_from_every_prefix(program, driver)


def test_the_run_fails_with_the_original_error() -> None:
    outcome = Driver(three_steps).run()
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, continuum.ActivityError)
    assert outcome.error.message == "stop"


def test_a_failed_compensation_is_noted_on_the_error() -> None:
    outcome = Driver(one_cannot_be_undone).run()
    assert isinstance(outcome, Failed)
    assert "compensation failed: engine.undo_badly" in outcome.error.__notes__[0]
    assert "cannot undo 1" in outcome.error.__notes__[0]


def test_failures_of_explicit_compensation_are_raised_together() -> None:
    async def program() -> object:
        async with continuum.saga() as saga:
            saga.add(undo_badly, 1)
            saga.add(undo, 2)
            saga.add(undo_badly, 3)
            with pytest.raises(ExceptionGroup) as caught:
                await saga.compensate()
        return [str(error) for error in caught.value.exceptions]

    assert len(Driver(program).result()) == 2


def test_a_compensation_with_unstorable_arguments_stops_no_other() -> None:
    async def program() -> object:
        async with continuum.saga() as saga:
            saga.add(undo, 1)
            saga.add(undo, object())  # type: ignore[arg-type]
            await fail("stop")
        return None

    driver = Driver(program)
    outcome = driver.run()
    assert undone(driver.history) == [1]
    assert isinstance(outcome, Failed)
    assert "compensation failed" in outcome.error.__notes__[0]


def test_parallel_compensations_all_start_before_the_first_completes() -> None:
    driver = Driver(compensates_explicitly)
    assert undone(driver.history) == [2, 1, 0]
    driver.close()


def test_a_compensation_must_be_an_activity() -> None:
    async def undo_by_hand() -> None: ...

    with pytest.raises(continuum.InvalidDefinition, match="must be an activity"):
        continuum.saga().add(undo_by_hand)


def test_a_compensation_is_checked_when_it_is_registered() -> None:
    with pytest.raises(TypeError):
        continuum.saga().add(undo)  # type: ignore[call-arg]


def test_an_unknown_mode_is_refused() -> None:
    async def program() -> object:
        async with continuum.saga() as saga:
            with pytest.raises(ValueError, match="mode"):
                await saga.compensate(mode="random")  # type: ignore[arg-type]
        return 1

    assert Driver(program).result() == 1
