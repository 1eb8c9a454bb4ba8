"""What nodes count reaches the database with their renewals, and outlives every process of theirs."""

from __future__ import annotations

import os
import signal
from collections import Counter
from itertools import pairwise

from tests.process.node import flows
from tests.process.node.nodes import DEADLINE_S, Site, site

Series = tuple[str, str, str]
ENDED: Series = ("run.ended", "nodes.order", "completed")
# A renewal each 0.7 seconds.
LEASE_S = 2.0


async def counted(at: Site) -> Counter[Series]:
    """Return how often each series has been counted."""
    return Counter({tally[:3]: tally.number for tally in await at.journal.stat_totals()})


async def until_counted(at: Site, series: Series, number: int) -> None:
    """Return once a series has reached this number."""

    async def has_reached() -> bool:
        return (await counted(at))[series] >= number

    await at.until(has_reached, f"{series} does not reach {number}", every=0.05)


async def end_orders(at: Site, number: int) -> None:
    """Have so many orders end."""
    await at.all_ship(await at.orders(number))


async def test_sums_outlive_hosts_and_control_and_never_fall(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        node = at.node("north", lease_ttl=LEASE_S)
        await end_orders(at, 5)
        await until_counted(at, ENDED, 5)
        seen = [await counted(at)]
        for role in ("run_host", "control"):
            victim = await (at.control_pid("north") if role == "control" else at.pid("north", role))
            os.kill(victim, signal.SIGKILL)
            await until_counted(at, ("process.restarts", role, ""), 1)
            seen.append(await counted(at))
            await end_orders(at, 5)
            await until_counted(at, ENDED, seen[-1][ENDED] + 5)
            seen.append(await counted(at))
        assert node.terminate() == 0
        seen.append(await counted(at))

    for earlier, later in pairwise(seen):
        assert {series for series in earlier if later[series] < earlier[series]} == set()
    assert seen[-1][ENDED] == 15
    assert seen[-1]["process.restarts", "run_host", ""] == 1


async def test_a_node_that_stops_in_order_loses_no_count(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        # Its renewals are five seconds apart.
        node = at.node("north")
        runs = await at.orders(3)
        await at.all_ship(runs)
        assert node.terminate() == 0

        found = await counted(at)

    assert found[ENDED] == found["run.started", "nodes.order", ""] == 3
    assert found["activity.duration", "nodes.ship", "completed"] == 3
    assert not [series for series in found if series[0] == "process.restarts"]


async def test_an_idle_node_writes_no_statistics(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        node = at.node("north", lease_ttl=LEASE_S)
        run = await at.client.start(flows.resting, 1, 0.0)
        assert await run.result(DEADLINE_S)
        assert node.terminate() == 0
        before = await counted(at)

        node = at.node("north", lease_ttl=LEASE_S)
        assert node.terminate() == 0

        assert await counted(at) == before
