"""A minute of random kills under a steady stream of work, and an audit of the result."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable

import pytest

from continuum import RunHandle
from continuum.journal.postgres.stored_facts import stored_facts
from continuum.verify.verify import verify
from tests.process.node import flows
from tests.process.node.nodes import Node, Site, eventually, site

SECONDS = 60.0
# One kill a second, and so much work that every kill hits some.
KILL_EVERY_S = 1.0
START_EVERY_S = 0.04
CHECK_EVERY_S = 5.0
# Runs of the last kills wait until the lease runs out, if no process noticed the death.
LAST_RESULT_S = 60.0
LEASE_S = 3.0
SEED = 20_240_521


async def steadily(every: float, stop: asyncio.Event, act: Callable[[], asyncio.Future[None]]) -> None:
    """Repeat an action at a fixed rate until a deadline; a late one does not delay the next."""
    begun: set[asyncio.Future[None]] = set()
    while not stop.is_set():
        begun.add(act())
        try:
            async with asyncio.timeout(every):
                await stop.wait()
        except TimeoutError:
            continue
    await asyncio.gather(*begun)


async def start_one(at: Site, runs: list[RunHandle[str]]) -> None:
    """Start a parcel and signal it."""
    number = len(runs)
    handle: RunHandle[str] = at.client.handle("00000000-0000-0000-0000-000000000000", flows.parcel)
    runs.append(handle)
    runs[number] = await at.client.start(flows.parcel, number)
    await runs[number].signal(flows.go, "yes")


async def kill_one(at: Site, nodes: list[Node], luck: random.Random, killed: list[str]) -> None:
    """Kill a process of a run host, an activity host or the control."""
    node = luck.choice(nodes)
    row = await at.row(node.name)
    if row is None:
        return
    node.note_processes()
    keepers = {pid for role, pid in row.processes if role in ("launcher", "node_supervisor")}
    supervisor = next(pid for role, pid in row.processes if role == "node_supervisor")
    below = [process for process in node.left() if process.ppid() == supervisor]
    victims = [process for process in below if process.pid not in keepers]
    if victims:
        victim = luck.choice(victims)
        os.kill(victim.pid, signal.SIGKILL)
        killed.append(node.name)


async def check_all(dsn: str, schema: str) -> None:
    """Check that what is stored is whole, beside the nodes that work."""
    async with stored_facts(dsn, schema) as facts:
        assert [finding async for finding in verify(facts)] == []


@pytest.mark.soak
def test_a_minute_of_random_kills_loses_and_repeats_nothing(dsn: str, schema: str) -> None:
    asyncio.run(soak(dsn, schema))


async def soak(dsn: str, schema: str) -> None:
    """Kill and start for a minute, then check everything."""
    async with site(dsn, schema) as at:
        nodes = [
            at.node("north", run_hosts=2, activity_hosts=1, lease_ttl=LEASE_S),
            at.node("south", run_hosts=1, activity_hosts=1, lease_ttl=LEASE_S),
        ]
        luck, stop = random.Random(SEED), asyncio.Event()
        runs: list[RunHandle[str]] = []
        killed: list[str] = []
        asyncio.get_running_loop().call_later(SECONDS, stop.set)
        await asyncio.gather(
            steadily(START_EVERY_S, stop, lambda: asyncio.ensure_future(start_one(at, runs))),
            steadily(KILL_EVERY_S, stop, lambda: asyncio.ensure_future(kill_one(at, nodes, luck, killed))),
            steadily(CHECK_EVERY_S, stop, lambda: asyncio.ensure_future(check_all(dsn, schema))),
        )
        assert len(killed) > SECONDS / 2
        results = await asyncio.gather(*(run.result(LAST_RESULT_S) for run in runs))
        assert results == [flows.delivered(number) for number in range(len(runs))]
        assert await at.sql("select state, count(*) from {schema}.runs group by state") == [(4, len(runs))]
        await check_all(dsn, schema)
        doubled = "select run_id, seq from {schema}.events group by run_id, seq having count(*) > 1"
        assert await at.sql(doubled) == []
        gaps = (
            "select run_id from {schema}.events group by run_id "
            "having max(seq + greatest(1, -type)) <> sum(greatest(1, -type)) or min(seq) <> 0"
        )
        assert await at.sql(gaps) == []
        for node in nodes:
            assert node.terminate() == 0
            eventually(lambda node=node: not node.left(), f"left behind by {node.name}")  # type: ignore[misc]
