"""Changes of many runs: how fast they are, with two kills of who makes them, and what other runs notice.

The runs that are cancelled are parked. Once they are of a workflow that the node has not loaded: what is
measured is the operation, and not how a node executes so many cancelled runs. Once the node has loaded it,
and each run undoes a step and ends.
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
from bench.flows import hold_until_go
from bench.other_runs import DEADLINE_SECONDS, OtherRuns
from bench.processes import node
from bench.sizes import Sizes
from continuum.engine.events import EventType

Results = dict[str, Any]
Tell = Callable[[str], None]
LOOK_SECONDS = 0.02
# So many runs are started at once.
STARTS = 500
FILL = """
INSERT INTO {schema}.runs (id, workflow, version, namespace, state, input)
SELECT gen_random_uuid(), 'parked', 'v1', 'default', 2, '\\x0190' FROM generate_series(1, {runs})
"""


COUNTS = """
SELECT count(*), count(DISTINCT subject), count(*) FILTER (WHERE outcome = 'done')
FROM {schema}.audit WHERE action = 'cancel'
"""
# Runs that were asked to stop: nobody has loaded their code.
ASKED = "SELECT count(DISTINCT run_id) FROM {schema}.inbox WHERE kind = 6"
PARKED = "SELECT count(*) FROM {schema}.runs WHERE workflow = 'hold_until_go' AND state = 2"
STOPPED = "SELECT count(*) FROM {schema}.runs WHERE workflow = 'hold_until_go' AND state = 6"
# What runs have undone, and in how many runs; the types are those of `EventType`.
UNDONE = """
SELECT count(*), count(DISTINCT run_id) FROM {schema}.events WHERE type = {undone}
"""


def of_parked_runs(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Cancel parked runs, killing the process that does at a third and at two thirds."""
    with (
        fresh_schema(server.dsn) as schema,
        node(dsn=server.dsn, schema=schema, run_hosts=1, activity_hosts=0),
    ):
        results = asyncio.run(_measure(server.dsn, schema, sizes.bulk))
    tell(_sentence(results))
    return results


def of_runs_that_compensate(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Cancel parked runs in the same way, which the node lets undo a step."""
    with (
        fresh_schema(server.dsn) as schema,
        node(dsn=server.dsn, schema=schema, run_hosts=1, activity_hosts=0),
    ):
        results = asyncio.run(_measure_ends(server.dsn, schema, sizes.bulk))
    tell(f"{_sentence(results)}; {results['ends_per_second']:,.0f} runs a second undid a step and ended")
    return results


def _sentence(results: Results) -> str:
    return (
        f"{results['per_second']:,.0f} cancels a second, {results['runs']:,} in all, each once: "
        f"{results['each_once']}; p99 of other runs {results['p99_before_ms']:.1f} ms before and "
        f"{results['p99_during_ms']:.1f} ms meanwhile"
    )


class _Tables:
    """The tables of a schema, which are filled and looked at."""

    def __init__(self, connection: Any, schema: str) -> None:
        self._connection = connection
        self.schema = schema

    async def ask(self, text: LiteralString, **values: Any) -> Any:
        """Return the first row of what a statement finds."""
        named = {name: Literal(value) for name, value in values.items()}
        cursor = await self._connection.execute(SQL(text).format(schema=Identifier(self.schema), **named))
        return await cursor.fetchone() if cursor.description else None


async def _measure(dsn: str, schema: str, runs: int) -> Results:
    async with (
        continuum.connect(dsn, schema=schema) as client,
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection,
    ):
        tables, others = _Tables(connection, schema), OtherRuns(client)
        await tables.ask(FILL, runs=runs)
        await tables.ask("VACUUM ANALYZE {schema}.runs")
        await others.measure_before()
        async with others.measured_meanwhile():
            seconds = await _cancel(dsn, tables, runs, "workflow:parked")
        counts = (*await tables.ask(COUNTS), *await tables.ask(ASKED))
    return {
        "runs": runs,
        "each_once": counts == (runs, runs, runs, runs),
        "per_second": runs / seconds,
        **others.results(),
    }


async def _measure_ends(dsn: str, schema: str, runs: int) -> Results:
    async with (
        continuum.connect(dsn, schema=schema) as client,
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection,
    ):
        tables, others = _Tables(connection, schema), OtherRuns(client)
        for first in range(0, runs, STARTS):
            numbers = range(first, min(first + STARTS, runs))
            await asyncio.gather(*(client.start(hold_until_go, number) for number in numbers))
        await _until(tables, PARKED, runs)
        await tables.ask("VACUUM ANALYZE {schema}.runs")
        await others.measure_before()
        began = time.monotonic()
        async with others.measured_meanwhile():
            seconds = await _cancel(dsn, tables, runs, "workflow:hold_until_go")
            await _until(tables, STOPPED, runs)
            ending = time.monotonic() - began
        counts = (
            *await tables.ask(COUNTS),
            *await tables.ask(UNDONE, undone=int(EventType.COMPENSATION_COMPLETED)),
        )
    return {
        "runs": runs,
        "each_once": counts == (runs, runs, runs, runs, runs),
        "per_second": runs / seconds,
        "ends_per_second": runs / ending,
        **others.results(),
    }


async def _until(tables: _Tables, text: LiteralString, number: int) -> None:
    """Look until a statement counts so many."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (found := (await tables.ask(text))[0]) != number:
        assert time.monotonic() < deadline, f"{found} of {number} after {DEADLINE_SECONDS:g} seconds"
        await asyncio.sleep(10 * LOOK_SECONDS)


async def _cancel(dsn: str, tables: _Tables, runs: int, search: str) -> float:
    """Cancel all parked runs with two kills; return the seconds in which there was progress."""
    asked = tables.ask
    arguments, seconds, done = ["runs", "cancel", "--find", search, "--yes"], 0.0, 0
    for kill_at in (runs // 3, 2 * runs // 3, None):
        line = [sys.executable, "-m", "continuum.cli", *arguments, "--dsn", dsn, "--schema", tables.schema]
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
        # The lease of the dead process runs out by itself; its fifteen seconds are not measured. The server
        # may have a last statement of it still, which the token keeps from renewing the lease.
        await asked("UPDATE {schema}.operations SET leased_until = now(), token = token + 1")
    assert done == runs, f"{done} of {runs} were cancelled"
    return seconds
