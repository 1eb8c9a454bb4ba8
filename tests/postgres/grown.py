"""A database that has grown, and the plans of the statements that a journal runs in it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from continuum.journal.postgres import PostgresJournal

# As many as can be made in a few seconds: a table of this size has 7,000 pages and more.
RUNS = int(os.environ.get("CONTINUUM_TEST_GROWN_RUNS", "200000"))
EXPLAIN = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "


# What a transaction has read so far, as the server counts it for each table: also in functions,
# whose plans no EXPLAIN shows.
READ: LiteralString = """
select c.relname::text, pg_stat_get_xact_numscans(c.oid)::integer,
       (pg_stat_get_xact_tuples_returned(c.oid)
        + coalesce((select sum(pg_stat_get_xact_tuples_returned(i.indexrelid))
                    from pg_index i where i.indrelid = c.oid), 0))::integer
from pg_class c where c.relnamespace = to_regnamespace(%s) and c.relname = any (%s)
"""


@dataclass(frozen=True, slots=True)
class Looks:
    """What a transaction has looked at in one table: whole scans, and rows or entries of indexes."""

    scans: int
    rows: int


def looks_at(connection: psycopg.Connection[Any], schema: str, *tables: str) -> dict[str, Looks]:
    """Return what the present transaction has looked at in these tables."""
    found = connection.execute(READ, (schema, list(tables))).fetchall()
    return {name: Looks(scans, rows) for name, scans, rows in found}


@dataclass(frozen=True, slots=True)
class Reads:
    """What the statements of one call read: pages, and through which indexes."""

    pages: int
    indexes: frozenset[str]


def reads_of(dsn: str, schema: str, call: Callable[[PostgresJournal], Awaitable[object]]) -> Reads:
    """Make a call twice, so that caches are full, and return what the second one reads."""
    plans: list[Mapping[str, Any]] = []

    async def main() -> None:
        journal = PostgresJournal(dsn, schema=schema, listen=False)
        await journal.open()
        database = journal._database
        fetch = database.fetch_text

        async def explained(text: bytes, parameters: Any = (), **options: Any) -> Any:
            ((plan,),) = await fetch(EXPLAIN + text, parameters)
            plans.append(plan[0]["Plan"])
            return await fetch(text, parameters, **options)

        database.fetch_text = explained  # type: ignore[method-assign]  # the real statements are explained
        try:
            await call(journal)
            plans.clear()
            await call(journal)
        finally:
            await journal.close()

    asyncio.run(main())
    nodes = [node for plan in plans for node in _nodes(plan)]
    pages = sum(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans)
    return Reads(pages, frozenset(node["Index Name"] for node in nodes if "Index Name" in node))


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    children: Sequence[Mapping[str, Any]] = plan.get("Plans", ())
    for child in children:
        yield from _nodes(child)
