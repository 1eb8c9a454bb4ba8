"""The memory of a suspended run: the growth of a run host from 2 N suspended runs to 3 N, divided by N.

The difference of two sizes excludes the memory of the host itself, and what the first runs made it
allocate once. The host measures itself, in an activity, after a full garbage collection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

import continuum
from bench.database import Server, fresh_schema
from bench.flows import memory_of_host, wait_for_go
from bench.processes import node
from bench.sizes import Sizes
from continuum.client.client import Client

Results = dict[str, Any]
Tell = Callable[[str], None]
DEADLINE_SECONDS = 180.0
LOOK_SECONDS = 0.1


def of_suspended_runs(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure a host that keeps every suspended run in memory, and one that evicts nearly all of them."""
    results: Results = {"runs": sizes.suspended}
    for name, kept in (("live", 4 * sizes.suspended), ("evicted", sizes.kept_live_when_evicting)):
        with (
            fresh_schema(server.dsn) as schema,
            node(dsn=server.dsn, schema=schema, run_hosts=1, activity_hosts=0, live_suspended_runs=kept),
        ):
            sizes_seen = asyncio.run(_grow(server.dsn, schema, sizes.suspended, kept))
        results[f"{name}_bytes_per_run"] = (sizes_seen[-1] - sizes_seen[-2]) / sizes.suspended
        results[f"{name}_host_mib"] = [size / 2**20 for size in sizes_seen]
        tell(f"{name}: {results[f'{name}_bytes_per_run']:,.0f} bytes a run")
    return results


async def _grow(dsn: str, schema: str, runs: int, kept: int) -> list[int]:
    async with continuum.connect(dsn, schema=schema) as client:
        sizes = [await _size(client)]
        for total in (runs, 2 * runs, 3 * runs):
            await asyncio.gather(*(client.start(wait_for_go) for _ in range(runs)))
            await _until_suspended(dsn, schema, total, kept)
            sizes.append(await _size(client))
        return sizes


async def _size(client: Client) -> int:
    handle = await client.start(memory_of_host)
    return await handle.result(DEADLINE_SECONDS)


async def _until_suspended(dsn: str, schema: str, total: int, kept: int) -> None:
    """Return once all runs are suspended, and as many are in memory as the host keeps."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    text = SQL(
        "SELECT count(*) FILTER (WHERE state = 2), count(*) FILTER (WHERE state = 2 AND owner IS NOT NULL)"
        " FROM {}"
    )
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        while True:
            cursor = await connection.execute(text.format(Identifier(schema, "runs")))
            row = await cursor.fetchone()
            assert row is not None
            # If fewer runs are in memory than allowed, the measurement would be of something else.
            if row[0] == total and min(total, kept) == row[1]:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"{row[0]} of {total} runs are suspended, {row[1]} of them in memory")
            await asyncio.sleep(LOOK_SECONDS)
