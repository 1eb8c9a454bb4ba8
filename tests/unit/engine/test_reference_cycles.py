"""An execution that is over leaves nothing to the collector of cycles, however its run ended."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import continuum
from continuum.engine.outcome import Failed
from continuum.failures.forgotten_frames import forget_frames
from tests.unit.engine.activities import echo, fail, undo, undo_badly
from tests.unit.engine.driver import Driver, Program

STEPS = 12


@pytest.fixture(autouse=True)
def _automatic_collection_is_off() -> Iterator[None]:
    """Have only these tests collect cycles."""
    gc.disable()
    yield
    gc.enable()


@contextmanager
def what_is_found_is_kept() -> Iterator[None]:
    """Have what a collection finds from here on in `gc.garbage`."""
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


async def returns() -> object:
    return await echo(1)


async def waits_for_all() -> object:
    return sum(await asyncio.gather(echo(1), echo(2), continuum.wait_signal("go")))


async def raises() -> object:
    await echo(1)
    raise ValueError("no")


async def raises_again() -> object:
    try:
        return await fail()
    except continuum.ActivityError as error:
        kept = error
        raise ValueError("no") from kept


async def fails() -> object:
    return await fail()


async def catches_a_failure() -> object:
    try:
        return await fail()
    except continuum.ActivityError:
        return await echo(1)


async def runs_out_of_time() -> object:
    async with asyncio.timeout(1):
        await continuum.wait_signal("never")
    return 1


async def catches_the_end_of_its_time() -> object:
    return await continuum.wait_signal("never", 1, default=3)


async def fails_among_others() -> object:
    async with asyncio.TaskGroup() as group:
        group.create_task(echo(1))
        group.create_task(fail())
        group.create_task(continuum.sleep(5))
    return 1


async def undoes() -> object:
    async with continuum.saga() as saga:
        saga.add(undo, await echo(1))
        saga.add(undo_badly, await echo(2))
        await continuum.sleep(5)
        raise ValueError("no")


async def undoes_in_words() -> object:
    for _ in range(2):
        ref = await echo.options(compensate=undo_badly)(1)
        try:
            await continuum.compensate(ref)
        except continuum.ActivityError:
            continue
    await echo.options(compensate=undo_badly)(2)
    await continuum.compensate_all()
    return 1


async def waits_in_every_way() -> object:
    asyncio.create_task(continuum.sleep(50))  # noqa: RUF006
    async with asyncio.TaskGroup() as group:
        sleeper = group.create_task(continuum.sleep(5))
        async with asyncio.timeout(50):
            await asyncio.gather(
                asyncio.shield(sleeper),
                asyncio.wait([sleeper]),
                asyncio.wait_for(continuum.wait_signal("go"), 20),
                continuum.wait_signal("go"),
            )
    return 1


async def fails_without_end() -> object:
    while True:
        try:
            await fail()
        except continuum.ActivityError:
            await continuum.sleep(1)


PROGRAMS = [
    returns,
    waits_for_all,
    raises,
    raises_again,
    fails,
    catches_a_failure,
    runs_out_of_time,
    catches_the_end_of_its_time,
    fails_among_others,
    undoes,
    undoes_in_words,
    waits_in_every_way,
    fails_without_end,
]


def left_by(program: Program, *, steps: int, cancelled: bool) -> list[str]:
    """Take so many steps, or cancel after them; return the types of what only a collection frees."""
    with what_is_found_is_kept():
        driver = Driver(program, signals=[("go", 1), ("go", 2)], cancel_at=steps if cancelled else None)
        # It refers to the execution.
        driver.execution.random_bytes = os.urandom
        for _ in range(STEPS if cancelled else steps):
            if driver.outcome is not None or not driver.step():
                break
        driver.close()
        if isinstance(driver.outcome, Failed):
            # As the run actor does once it has described the failure.
            forget_frames(driver.outcome.error)
        del driver
        gc.collect()
        return [type(each).__name__ for each in gc.garbage]


@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_no_cycles_are_left(program: Program, cancelled: bool) -> None:
    for steps in range(STEPS):
        assert left_by(program, steps=steps, cancelled=cancelled) == []
