"""Changes of many runs: how fast they are, with two kills of who makes them, and what other runs notice.

The runs that are cancelled are parked, and of a workflow that the node has not loaded: what is measured is
the operation, and not how a node executes so many cancelled runs. Beside it one client starts a run with a
step after the other, and waits for each, as it did before.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Identifier, Literal

import continuum
from bench.database import Server, fresh_schema
from bench.flows import steps_in_a_row
from bench.processes import node
from bench.series import quantile
from bench.sizes import Sizes

Results = dict[str, Any]
Tell = Callable[[str], None]
BEFORE_SECONDS = 10.0
LOOK_SECONDS = 0.02
DEADLINE_SECONDS = 300.0
FILL = """
INSERT INTO {schema}.runs (id, workflow, version, namespace, state, input)
SELECT gen_random_uuid(), 'parked', 'v1', 'default', 2, '\\x0190' FROM generate_series(1, {runs})
"""


def of_parked_runs(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Cancel parked runs, killing the process that does at a third and at two thirds."""
    with (
        fresh_schema(server.dsn) as schema,
        node(dsn=server.dsn, schema=schema, run_hosts=1, activity_hosts=0),
    ):
        results = asyncio.run(_measure(server.dsn, schema, sizes.bulk))
    tell(
        f"{results['per_second']:,.0f} cancels a second, {results['runs']:,} in all, each once: "
        f"{results['each_once']}; p99 of other runs {results['p99_before_ms']:.1f} ms before and "
        f"{results['p99_during_ms']:.1f} ms meanwhile"
    )
    return results


async def _measure(dsn: str, schema: str, runs: int) -> Results:
    async with (
        continuum.connect(dsn, schema=schema) as client,
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection,
    ):
        name = Identifier(schema)
        await connection.execute(SQL(FILL).format(schema=name, runs=Literal(runs)))
        await connection.execute(SQL("VACUUM ANALYZE {}").format(Identifier(schema, "runs")))
        await probe(client, time.monotonic() + BEFORE_SECONDS / 2)
        before = await probe(client, time.monotonic() + BEFORE_SECONDS)
        over = asyncio.Event()
        probing = asyncio.create_task(probe(client, time.monotonic() + DEADLINE_SECONDS, over))
        seconds = await _cancel(dsn, schema, connection, runs)
        over.set()
        during = await probing
        counted = await connection.execute(
            SQL(
                "SELECT count(*), count(DISTINCT subject), count(*) FILTER (WHERE outcome = 'done'),"
                " (SELECT count(DISTINCT run_id) FROM {schema}.inbox WHERE kind = 6)"
                " FROM {schema}.audit WHERE action = 'cancel'"
            ).format(schema=name)
        )
        counts = await counted.fetchone()
    return {
        "runs": runs,
        "each_once": counts == (runs, runs, runs, runs),
        "per_second": runs / seconds,
        "p50_before_ms": quantile(before, 0.5),
        "p50_during_ms": quantile(during, 0.5),
        "p99_before_ms": quantile(before, 0.99),
        "p99_during_ms": quantile(during, 0.99),
        "probes": [len(before), len(during)],
    }


async def probe(client: Any, until: float, over: asyncio.Event | None = None) -> list[float]:
    """Start runs one after the other, and return how long each took in milliseconds."""
    took = []
    while time.monotonic() < until and not (over is not None and over.is_set()):
        began = time.perf_counter()
        handle = await client.start(steps_in_a_row, 1)
        await handle.result(DEADLINE_SECONDS)
        took.append((time.perf_counter() - began) * 1e3)
    return took


async def _cancel(dsn: str, schema: str, connection: Any, runs: int) -> float:
    """Cancel all parked runs with two kills; return the seconds in which there was progress."""

    async def asked(text: LiteralString) -> Any:
        cursor = await connection.execute(SQL(text).format(schema=Identifier(schema)))
        return await cursor.fetchone() if cursor.description else None

    arguments, seconds, done = ["runs", "cancel", "--find", "workflow:parked", "--yes"], 0.0, 0
    for kill_at in (runs // 3, 2 * runs // 3, None):
        line = [sys.executable, "-m", "continuum.cli", *arguments, "--dsn", dsn, "--schema", schema]
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL)  # noqa: ASYNC220 - it takes milliseconds
        began: float | None = None
        while process.poll() is None:
            found = await asked("SELECT done, id::text FROM {schema}.operations")
            if found is not None and began is None and found[0] > done:
                began, first = time.monotonic(), found[0]
            if kill_at is not None and found is not None and found[0] >= kill_at:
                process.kill()
                process.wait()
                break
            await asyncio.sleep(LOOK_SECONDS)
        (reached, operation) = await asked("SELECT done, id::text FROM {schema}.operations")
        assert began is not None, "the operation made no progress"
        # What was done by the first look is not in the time since then.
        seconds += (time.monotonic() - began) * (reached - done) / max(reached - first, 1)
        done, arguments = reached, ["operations", "resume", operation]
        # The lease of the dead process runs out by itself; its fifteen seconds are not measured.
        await asked("UPDATE {schema}.operations SET leased_until = now()")
    assert done == runs, f"{done} of {runs} were cancelled"
    return seconds
