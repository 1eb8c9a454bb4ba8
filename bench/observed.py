"""The pages of the observer beside many runs: how long the server works on each, and how large it is.

A few real runs of each kind are copied in the database, with new ids and times over thirty days. One run has
a long history of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import httpx
import psycopg
from psycopg.sql import SQL, Identifier, Literal

import continuum
from bench.database import Server, fresh_schema
from bench.flows import steps_in_a_row
from bench.observed_flows import declined, resting, shipped, waiting
from bench.processes import node
from bench.sizes import Sizes
from continuum.observer import Role, Visitor, app
from continuum.observer.page import Page
from continuum.observer.pages import PAGES

Results = dict[str, Any]
Tell = Callable[[str], None]
NODE = "observed-node"
DEADLINE_SECONDS = 600.0
# Each page so often; the first one of a page is apart, for it fills caches.
REQUESTS = 20
AT_ONCE = 100_000
# Of ten runs so many of each kind.
MIX = ((shipped, 5), (declined, 1), (waiting, 2), (resting, 2))
SEARCHES = ("state:failed", "workflow:observed.shipped", "waits:signal", "@region:eu")


def pages_beside_many_runs(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Ask for each page, and some searches, beside `sizes.observed` runs."""
    with (
        fresh_schema(server.dsn) as schema,
        node(
            dsn=server.dsn,
            schema=schema,
            modules=("bench.observed_flows", "bench.flows"),
            name=NODE,
            run_hosts=1,
            activity_hosts=0,
        ),
    ):
        results = asyncio.run(_measure(server.dsn, schema, sizes))
    slowest = max(results["pages"].items(), key=lambda page: page[1]["p95_ms"])
    tell(f"slowest of {len(results['pages'])} pages: {slowest[0]}, p95 {slowest[1]['p95_ms']:.0f} ms")
    return results


async def _measure(dsn: str, schema: str, sizes: Sizes) -> Results:
    async with continuum.connect(dsn, schema=schema) as client:
        examples = await _fill(client, dsn, schema, sizes)
        observer = app(client)
        transport = httpx.ASGITransport(app=observer)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as caller:
            await caller.get(observer.link(Visitor("bench", Role.ADMIN)))
            pages = {}
            for path in _paths(examples):
                pages[_named(path, examples)] = await _times(caller, path)
        await observer.close()
    return {"runs": sizes.observed, "events": sizes.observed_events, "pages": pages}


def _paths(examples: dict[str, str]) -> list[str]:
    paths = [_path(page, examples) for page in PAGES]
    return [*paths, *(f"/runs?q={search}" for search in SEARCHES)]


def _path(page: Page, examples: dict[str, str]) -> str:
    return page.path.format(**examples)


def _named(path: str, examples: dict[str, str]) -> str:
    for name, value in examples.items():
        path = path.replace(value, f"{{{name}}}")
    return path


async def _times(caller: httpx.AsyncClient, path: str) -> Results:
    seconds: list[float] = []
    for _ in range(REQUESTS + 1):
        began = time.perf_counter()
        answer = await caller.get(path)
        seconds.append(time.perf_counter() - began)
        answer.raise_for_status()
    first, *others = seconds
    others.sort()
    return {
        "first_ms": first * 1e3,
        "p50_ms": others[len(others) // 2] * 1e3,
        "p95_ms": others[int(len(others) * 0.95) - 1] * 1e3,
        "kilobytes": len(answer.content) / 1024,
        "troubles": answer.text.count("This part is missing"),
    }


async def _fill(client: continuum.Client, dsn: str, schema: str, sizes: Sizes) -> dict[str, str]:
    """Start runs of each kind, copy them, and return examples for the parameters of paths."""
    long = await client.start(steps_in_a_row, sizes.observed_events // 2)
    for flow, _ in MIX:
        run = await client.start(flow, "o-1", attributes={"region": "eu"})
        with suppress(continuum.RunFailed, TimeoutError):
            await run.result(timeout=3)
    await long.result(timeout=DEADLINE_SECONDS)
    search = "workflow:observed.declined"
    shown = await client.operations.preview("attributes", search, attributes={"seen": True})
    operation = await client.operations.execute(
        shown.digest, "attributes", search, attributes={"seen": True}, by="bench"
    )
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        for flow, share in MIX:
            await _copy(connection, schema, flow.name, sizes.observed * share // 10)
        await connection.execute(SQL("VACUUM ANALYZE {}").format(Identifier(schema, "runs")))
    return {
        "run": long.id,
        "workflow": "observed.shipped",
        "node": NODE,
        "operation": operation.id,
    }


async def _copy(connection: psycopg.AsyncConnection[Any], schema: str, workflow: str, runs: int) -> None:
    found = await connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = 'runs' "
        "AND is_generated = 'NEVER' AND column_name NOT IN ('id', 'started_at', 'owner', 'root')",
        (schema,),
    )
    columns: Sequence[str] = [name for (name,) in await found.fetchall()]
    listed = SQL(", ").join(map(Identifier, columns))
    for begin in range(0, runs, AT_ONCE):
        await connection.execute(
            SQL(
                "INSERT INTO {runs} (id, started_at, {columns}) SELECT gen_random_uuid(), "
                "now() - random() * interval '30 days', {columns} FROM (SELECT * FROM {runs} "
                "WHERE workflow = {workflow} ORDER BY id LIMIT 1) AS one "
                "CROSS JOIN generate_series(1, {count})"
            ).format(
                runs=Identifier(schema, "runs"),
                columns=listed,
                workflow=Literal(workflow),
                count=Literal(min(AT_ONCE, runs - begin)),
            )
        )
