"""What many waits in one client cost it: a run by itself, with and without them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import continuum
from bench import engine
from bench.database import Server, fresh_schema
from bench.flows import wait_for_go
from bench.processes import node
from bench.series import quantile
from bench.sizes import Sizes
from continuum.client.client import Client

Results = dict[str, Any]
Tell = Callable[[str], None]
# Starts that share commits.
STARTS_AT_ONCE = 500


def of_one_client(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure no-op runs before a client waits for many parked runs, meanwhile, and afterwards."""
    with fresh_schema(server.dsn) as schema, node(server.dsn, schema):
        results = asyncio.run(_measure(server.dsn, schema, sizes))
    for when, row in results.items():
        tell(f"{when}: {row['client_ms']:.2f} ms of the client's processor a run, p50 {row['p50_ms']:.1f} ms")
    return results


async def _measure(dsn: str, schema: str, sizes: Sizes) -> Results:
    async with continuum.connect(dsn, schema=schema) as client:
        await engine.one_by_one(client, engine.WARM_UP_RUNS * 5, 0)
        results = {"before": await _lone_runs(client, sizes.lone_runs)}
        parked = []
        for at in range(0, sizes.waiters, STARTS_AT_ONCE):
            some = range(at, min(at + STARTS_AT_ONCE, sizes.waiters))
            parked += await asyncio.gather(*(client.start(wait_for_go) for _ in some))
        waits = [asyncio.create_task(run.result()) for run in parked]
        # Looks for the ends of runs become rarer, and the node evicts and parks.
        await asyncio.sleep(sizes.idle_after_seconds)
        results[f"with {sizes.waiters:,} waits"] = await _lone_runs(client, sizes.lone_runs)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        results["afterwards"] = await _lone_runs(client, sizes.lone_runs)
        return results


async def _lone_runs(client: Client, runs: int) -> Results:
    cpu = time.process_time()
    milliseconds = [seconds * 1e3 for seconds in await engine.one_by_one(client, runs, 0)]
    return {
        "client_ms": (time.process_time() - cpu) * 1e3 / runs,
        "p50_ms": quantile(milliseconds, 0.5),
        "p99_ms": quantile(milliseconds, 0.99),
    }
