"""How many updates of the rows of runs are HOT: they touch no index, because no indexed column changes.

Runs wait for some signals in the memory of a node, take a step after each and park again. What begins or ends
the ownership of a run changes indexes, and each run has two such updates: the claim or the first write that
takes it, and its end.
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
from bench.flows import go, wait_for_some
from bench.processes import node
from bench.sizes import Sizes

Results = dict[str, Any]
Tell = Callable[[str], None]
HOSTS = 2
SIGNALS = 5
OF_OWNERSHIP = 2
LOOK_SECONDS = 0.05
DEADLINE_SECONDS = 120.0


def of_parked_runs(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure runs that all wait for the same number of signals, for each number of runs."""
    results: Results = {}
    for runs in sizes.updated:
        with fresh_schema(server.dsn) as schema:
            with node(server.dsn, schema, run_hosts=HOSTS, activity_hosts=0, live_suspended_runs=runs):
                asyncio.run(_signal(server.dsn, schema, runs))
            # The processes of the server have reported all of their counts when they have ended.
            results[str(runs)] = figures = _counted(server.dsn, schema, runs)
        tell(f"{runs:,} runs: {figures['hot']:,} of {figures['updates']:,} updates are HOT")
    return results


async def _signal(dsn: str, schema: str, runs: int) -> None:
    async with continuum.connect(dsn, schema=schema) as client:
        handles = await asyncio.gather(*(client.start(wait_for_some, SIGNALS) for _ in range(runs)))
        for _ in range(SIGNALS):
            await _until_parked(dsn, schema, runs)
            await asyncio.gather(*(handle.signal(go, 1) for handle in handles))
        results = await asyncio.gather(*(handle.result(DEADLINE_SECONDS) for handle in handles))
    if results != [SIGNALS] * runs:
        raise AssertionError("a run ended with a wrong result")


async def _until_parked(dsn: str, schema: str, runs: int) -> None:
    """Return once all runs are suspended in memory and have read their mail."""
    parked = SQL(
        "select (select count(*) from {schema}.runs where state = 2 and owner is not null),"
        " (select count(*) from {schema}.inbox)"
    ).format(schema=Identifier(schema))
    deadline = time.monotonic() + DEADLINE_SECONDS
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        while (row := await (await connection.execute(parked)).fetchone()) != (runs, 0):
            if time.monotonic() > deadline:
                raise AssertionError(f"after {DEADLINE_SECONDS:.0f} s runs and their mail are {row}")
            await asyncio.sleep(LOOK_SECONDS)


def _counted(dsn: str, schema: str, runs: int) -> Results:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(
            "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables"
            " where schemaname = %s and relname = 'runs'",
            (schema,),
        ).fetchone()
    assert row is not None
    updates, hot = row
    return {"updates": updates, "hot": hot, "share": hot / max(1, updates - OF_OWNERSHIP * runs)}
