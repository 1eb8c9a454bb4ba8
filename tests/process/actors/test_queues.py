"""Queues: a node runs no more tasks at once than its limit, the most urgent first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from continuum import activity, workflow
from continuum.settings.settings import Settings
from tests.process.actors.hosting import LONG_LEASE_S, eventually, results, stage

LIMIT = 3


@dataclass
class Counter:
    """How many are running, and the most that ever ran at once."""

    running: int = 0
    most: int = 0
    order: list[int] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)


counters: dict[str, Counter] = {}


@activity(name="queues.send", queue="mail")
async def send(counter: str, number: int) -> int:
    """Count how many run at once."""
    here = counters[counter]
    here.running += 1
    here.most = max(here.most, here.running)
    here.order.append(number)
    await here.gate.wait()
    await asyncio.sleep(0)
    here.running -= 1
    return number


@workflow(name="queues.mailing")
async def mailing(counter: str, number: int, priority: int = 0) -> int:
    """Send one mail."""
    return await send.options(priority=priority)(counter, number)


def limited(most: int) -> Settings:
    """Settings with a limit on the queue."""
    return Settings(lease_ttl=LONG_LEASE_S, queues={"mail": most}, poll=0.5)


async def test_two_hosts_of_a_node_never_run_more_than_its_limit(dsn: str, schema: str) -> None:
    """CON1, B25"""
    async with stage(dsn, schema) as on:
        here = counters["limit"] = Counter()
        await on.tree(mailing, settings=limited(LIMIT))
        await on.tree(mailing, settings=limited(LIMIT))
        runs = [await on.client.start(mailing, "limit", number) for number in range(12)]
        await eventually(lambda: here.running == LIMIT, "the limit is never reached")
        here.gate.set()
        assert sorted(await results(runs)) == list(range(12))
        assert here.most == LIMIT


async def test_the_highest_priority_runs_first(dsn: str, schema: str) -> None:
    """CON3"""
    async with stage(dsn, schema) as on:
        here = counters["priority"] = Counter()
        await on.tree(mailing, settings=limited(1))
        first = await on.client.start(mailing, "priority", 0, 99)
        await eventually(lambda: here.order == [0], "nothing runs")
        others = [await on.client.start(mailing, "priority", number, number) for number in (1, 3, 2)]
        await on.until(
            lambda: on.holds("select count(*) = 3 from {schema}.tasks where owner is null"), "not all wait"
        )
        here.gate.set()
        await results([first, *others])
        assert here.order == [0, 3, 2, 1]
