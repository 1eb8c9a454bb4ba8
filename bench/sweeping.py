"""The removal of ended runs whose retention is over: how many a second, and what other runs notice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier, Literal

import continuum
from bench.database import Server, fresh_schema
from bench.other_runs import OtherRuns
from bench.processes import node
from bench.sizes import Sizes
from continuum.journal.postgres import PostgresJournal

Results = dict[str, Any]
Tell = Callable[[str], None]
DEADLINE_SECONDS = 300.0
EVENT_ROWS = 4
FILL = """
WITH ended AS (
    INSERT INTO {schema}.runs (id, workflow, version, namespace, state, input, completed_at, retain_until)
    SELECT gen_random_uuid(), 'ended', 'v1', 'default', 4, '\\x0190', now(), now()
    FROM generate_series(1, {runs})
    RETURNING id
)
INSERT INTO {schema}.events (run_id, seq, type, at, payload)
SELECT e.id, s.seq, 1, now(), '\\x0190' FROM ended e CROSS JOIN generate_series(0, {rows} - 1) AS s (seq)
"""


def of_ended_runs(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Sweep ended runs with short histories until all are gone."""
    with (
        fresh_schema(server.dsn) as schema,
        node(dsn=server.dsn, schema=schema, run_hosts=1, activity_hosts=0),
    ):
        results = asyncio.run(_measure(server.dsn, schema, sizes.bulk))
    tell(
        f"{results['per_second']:,.0f} runs a second removed, {results['runs']:,} in all; p99 of other runs "
        f"{results['p99_before_ms']:.1f} ms before and {results['p99_during_ms']:.1f} ms meanwhile"
    )
    return results


async def _measure(dsn: str, schema: str, runs: int) -> Results:
    async with (
        continuum.connect(dsn, schema=schema) as client,
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection,
    ):
        journal = PostgresJournal(dsn, schema=schema, listen=False)
        await journal.open()
        others = OtherRuns(client)
        await others.measure_before()
        name = Identifier(schema)
        fill = SQL(FILL).format(schema=name, runs=Literal(runs), rows=Literal(EVENT_ROWS))
        await connection.execute(fill)
        await connection.execute(SQL("ANALYZE"))
        async with others.measured_meanwhile():
            began, left = time.monotonic(), True
            while left and time.monotonic() < began + DEADLINE_SECONDS:
                await journal.sweep()
                found = await connection.execute(
                    SQL("SELECT EXISTS (SELECT FROM {}.runs WHERE workflow = 'ended')").format(name)
                )
                ((left,),) = await found.fetchall()
            seconds = time.monotonic() - began
        gone = await connection.execute(
            SQL("SELECT count(*) FROM {}.runs WHERE workflow = 'ended'").format(name)
        )
        ((kept,),) = await gone.fetchall()
        await journal.close()
    return {
        "runs": runs,
        "event_rows": EVENT_ROWS,
        "per_second": (runs - kept) / seconds,
        **others.results(),
    }
