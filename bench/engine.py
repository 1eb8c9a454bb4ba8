"""The engine's side of a comparison: what a user does, through the public client.

The subject is a client and, when `embedded`, a node in the same loop of the same process, as an
application has it; otherwise the hosts are those of a separate node.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import continuum
from bench.flows import fan_out, go, steps_in_a_row, wait_for_go
from continuum.client.client import Client
from continuum_supervision import Supervisor

# Single runs that a program makes before it measures.
WARM_UP_RUNS = 20
WARM_UP_FAMILIES = 5


@asynccontextmanager
async def subject(dsn: str, schema: str, *, embedded: bool) -> AsyncIterator[Client]:
    """Yield a client of the engine, beside a node in this process if `embedded`."""
    async with AsyncExitStack() as stack:
        if embedded:
            node = continuum.children(
                dsn=dsn, schema=schema, workflows=[steps_in_a_row, wait_for_go, fan_out]
            )
            await stack.enter_async_context(Supervisor(node))
        yield await stack.enter_async_context(continuum.connect(dsn, schema=schema))


async def run_many(client: Client, runs: int, steps: int) -> None:
    """Start many runs at once and wait for every result, as a user would."""

    async def one() -> int:
        handle = await client.start(steps_in_a_row, steps)
        return await handle.result()

    results = await asyncio.gather(*(one() for _ in range(runs)))
    if results != [steps] * runs:
        raise AssertionError("a run ended with a wrong result")


async def one_by_one(client: Client, runs: int, steps: int) -> list[float]:
    """Start runs one after the other; return the time from each start to its result."""
    seconds: list[float] = []
    for _ in range(runs):
        begin = time.perf_counter()
        handle = await client.start(steps_in_a_row, steps)
        if await handle.result() != steps:
            raise AssertionError("a run ended with a wrong result")
        seconds.append(time.perf_counter() - begin)
    return seconds


async def families(client: Client, parents: int, children: int) -> list[float]:
    """Start parents one after the other; return the time from each start to its result."""
    seconds: list[float] = []
    for _ in range(parents):
        begin = time.perf_counter()
        handle = await client.start(fan_out, children)
        if await handle.result() != 0:
            raise AssertionError("a parent ended with a wrong result")
        seconds.append(time.perf_counter() - begin)
    return seconds


async def signals(client: Client, runs: int) -> list[float]:
    """Signal suspended runs one after the other; return the time from each signal to its run's result."""
    handles = [await client.start(wait_for_go) for _ in range(runs)]
    deadline = time.monotonic() + 30
    while {await handle.state() for handle in handles} != {"suspended"}:
        if time.monotonic() > deadline:
            raise AssertionError("the runs are not all suspended")
        await asyncio.sleep(0.05)
    seconds: list[float] = []
    for number, handle in enumerate(handles):
        begin = time.perf_counter()
        await handle.signal(go, number)
        if await handle.result() != number:
            raise AssertionError("a run ended with a wrong result")
        seconds.append(time.perf_counter() - begin)
    return seconds
