"""The workflows and activities that are measured. A node loads this module by its name."""

from __future__ import annotations

import asyncio
import gc
import time
from datetime import datetime
from pathlib import Path

import continuum
from continuum import Signal, activity, workflow

# Long enough that all of a thousand runs are in the middle of a step when a process is killed.
SLOW_STEP_SECONDS = 0.05
PAGE_BYTES = 4096

go = Signal("go", int)


@activity
async def step(i: int) -> int:
    """Do the least that a step can do."""
    return i + 1


@workflow
async def steps_in_a_row(n: int) -> int:
    """Take `n` steps, one after the other."""
    value = 0
    for _ in range(n):
        value = await step(value)
    return value


@workflow
async def fan_out(children: int) -> int:
    """Start so many runs without steps, and wait for all of them."""
    return sum(await asyncio.gather(*(steps_in_a_row(0) for _ in range(children))))


@workflow
async def wait_for_go() -> int:
    """Wait for a signal, without a timeout."""
    return await go.wait()


@workflow
async def hold_until_go(i: int) -> int:
    """Take a step, wait for a signal, and undo the step if the run is stopped."""
    async with continuum.saga() as saga:
        saga.add(step, await step(i))
        return await go.wait()


@workflow
async def wait_for_some(signals: int) -> int:
    """Wait for so many signals, one after the other, and take a step after each; return how many."""
    taken = 0
    for _ in range(signals):
        await go.wait()
        taken = await step(taken)
    return taken


@activity
async def seconds_late(due: float) -> float:
    """Return by how many seconds a time has passed."""
    return time.time() - due


@workflow
async def sleep_then_look(when: datetime, due: float) -> float:
    """Sleep, and return how late the next step ran."""
    await continuum.sleep_until(when)
    return await seconds_late(due)


@activity
async def slow_step(i: int) -> int:
    """Wait, as a step does that uses the network."""
    await asyncio.sleep(SLOW_STEP_SECONDS)
    return i + 1


@workflow
async def slow_steps(n: int) -> int:
    """Take `n` slow steps, one after the other."""
    value = 0
    for _ in range(n):
        value = await slow_step(value)
    return value


@activity
def resident_bytes() -> int:
    """Return the memory of this process after a garbage collection."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


@workflow
async def memory_of_host() -> int:
    """Return how much memory the run host of this run uses."""
    return await resident_bytes()
