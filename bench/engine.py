"""The engine's side of a comparison: what a user does, through the public client.

The subject is a client and, when `embedded`, a whole run host in the same loop of the
same process; otherwise the hosts are those of a separate node.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import continuum
from bench.flows import go, steps_in_a_row, wait_for_go
from continuum.client.client import Client
from continuum.engine.ids import NodeId
from continuum.journal.port import NodeFacts
from continuum.journal.postgres import PostgresJournal
from continuum.settings.settings import Settings
from continuum.versions.loaded_code import Code
from continuum_actors.host.host import Host
from continuum_actors.tree import host_supervisor, run_host_children

LEASE_SECONDS = 600.0
# Single runs that a program makes before it measures.
WARM_UP_RUNS = 20


@asynccontextmanager
async def subject(dsn: str, schema: str, *, embedded: bool) -> AsyncIterator[Client]:
    """Yield a client of the engine, with a run host in this process if `embedded`."""
    async with continuum.connect(dsn, schema=schema) as client:
        if not embedded:
            yield client
            return
        journal = PostgresJournal(dsn, schema=schema)
        await journal.open()
        try:
            # Nothing renews the lease here, so it must last for the whole measurement.
            settings = Settings(lease_ttl=LEASE_SECONDS)
            code = Code([steps_in_a_row, wait_for_go])
            host = Host(journal, NodeId("bench"), code, settings=settings)
            async with host_supervisor(run_host_children(host)):
                # As its heartbeater would: starts are announced to nodes that are up and have the code.
                facts = NodeFacts(host.node, os.getpid(), "", "up", workflows=list(code.workflows))
                await journal.renew([host.registered_worker().id], LEASE_SECONDS, facts)
                yield client
        finally:
            await journal.close()


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
