"""Runs that have ended leave nothing to the collector of cycles, which would stop the loop of their host."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

import continuum
from continuum import Client, RunHandle, Signal, activity, workflow
from continuum.journal.port import RunState
from continuum_supervision import Supervisor
from tests.process.in_process.hosts import DEADLINE_S, until, until_suspended

RUNS = 20
FEW = 2

go = Signal("go", int)


@activity(name="cycles.add_one")
async def add_one(number: int) -> int:
    """Add one."""
    return number + 1


@activity(name="cycles.decline")
async def decline(number: int) -> int:
    """Fail."""
    raise ValueError(f"not {number}")


@activity(name="cycles.decline_in_a_thread")
def decline_in_a_thread(number: int) -> int:
    """Fail in a thread."""
    raise ValueError(f"not {number}")


@workflow(name="cycles.completes")
async def completes(number: int) -> int:
    """Take a step."""
    return await add_one(number)


@workflow(name="cycles.waits")
async def waits(number: int) -> int:
    """Take a step, and undo it if the run is stopped."""
    async with continuum.saga() as saga:
        saga.add(add_one, await add_one(number))
        return await go.wait()


@workflow(name="cycles.raises")
async def raises(number: int) -> int:
    """Fail."""
    error = ValueError("no")
    await add_one(number)
    raise error


@workflow(name="cycles.is_declined")
async def is_declined(number: int) -> int:
    """Fail with an activity, after another has failed."""
    try:
        return await decline(number)
    except continuum.ActivityError:
        return await decline_in_a_thread(number)


@workflow(name="cycles.runs_out_of_time")
async def runs_out_of_time(number: int) -> int:
    """Fail with a timeout."""
    async with asyncio.timeout(0.001):
        return await go.wait()


@workflow(name="cycles.continues")
async def continues(number: int) -> int:
    """Continue as a new run, once."""
    if number:
        await add_one(number)
        continuum.continue_as_new(0)
    return number


@workflow(name="cycles.has_children")
async def has_children(number: int) -> int:
    """Await a child that fails."""
    child = await raises.start_child(number)
    try:
        return await child
    except continuum.ChildFailed:
        return await raises(number)


WORKFLOWS = [completes, waits, raises, is_declined, runs_out_of_time, continues, has_children]


async def end(client: Client, run: RunHandle[Any], state: RunState) -> None:
    """Let a run end or be blocked."""
    match state:
        case RunState.CANCELLED:
            await until_suspended(run)
            await run.cancel()
        case RunState.BLOCKED:
            await until_suspended(run)
            await run.signal("go", "no number")

            async def is_blocked() -> bool:
                return await run.state() == "blocked"

            return await until(is_blocked, f"run {run.id} is not blocked")
        case _:
            pass
    try:
        await run.result()
    except (continuum.RunFailed, continuum.RunCancelled):
        return


@pytest.fixture(autouse=True)
def _automatic_collection_is_off() -> Iterator[None]:
    """Have only these tests collect cycles."""
    gc.disable()
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


@pytest.mark.parametrize(
    ("flow", "state"),
    [
        (completes, RunState.COMPLETED),
        (waits, RunState.CANCELLED),
        (waits, RunState.BLOCKED),
        (raises, RunState.FAILED),
        (is_declined, RunState.FAILED),
        (runs_out_of_time, RunState.FAILED),
        (continues, RunState.CONTINUED),
        (has_children, RunState.FAILED),
    ],
    ids=lambda value: value.name,
)
async def test_runs_that_have_ended_leave_no_cycles(flow: Any, state: RunState) -> None:
    """What is left is counted: less than one object of any type for each run."""
    node = continuum.children(name="shop", workflows=WORKFLOWS, journal="memory")
    async with asyncio.timeout(DEADLINE_S), Supervisor(node), continuum.connect(name="shop") as client:
        for number in range(FEW):
            await end(client, await client.start(flow, number + 1), state)
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        for number in range(RUNS):
            await end(client, await client.start(flow, number + 1), state)
        gc.collect()
        left = Counter(type(each).__name__ for each in gc.garbage)
    assert [name for name, number in left.items() if number >= RUNS] == []
