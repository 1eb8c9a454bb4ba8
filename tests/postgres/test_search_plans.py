"""Searches look at a bounded number of runs, however many there are, and indexes lead to what is rare."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum.errors import ActivityError, UnindexedQuery
from continuum.journal.event_codec import pack_body
from continuum.journal.port import Query
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.conditions import condition_of
from continuum.operations.search import search_of

FILL = """
insert into {schema}.runs (id, workflow, version, namespace, state, input, error, completed_at)
select gen_random_uuid(), 'pay', 'v1', 'default', case when n > 20000 then 2 else 5 end, '',
       case when n % 10000 = 7 then {rare} else {usual} end, case when n <= 20000 then clock_timestamp() end
from generate_series(1, 40000) n
"""


def rows(dsn: str, schema: str, search: str) -> int:
    """Return how many runs a search finds, up to a page."""

    async def main() -> int:
        journal = PostgresJournal(dsn, schema=schema, listen=False)
        await journal.open()
        try:
            where = search_of(search).conditions(journal.now())
            return len(await journal.query(Query(None, where, ("started_at", True), 26, None)))
        finally:
            await journal.close()

    return asyncio.run(main())


def test_a_rare_failure_is_found_among_many(dsn: str, schema: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        usual, rare = pack_body(("ValueError", "", "")), pack_body(("Timeout", "", ""))
        cursor.execute(SQL(FILL).format(schema=Identifier(schema), rare=rare, usual=usual))

    assert rows(dsn, schema, "error:Timeout") == 2
    assert rows(dsn, schema, "error:Timeout,Other started:<1d") == 2
    assert rows(dsn, schema, "error:ValueError") == 26
    assert rows(dsn, schema, "-error:Timeout workflow:p*") == 26
    with pytest.raises(UnindexedQuery):
        rows(dsn, schema, "waits:signal:review")


def test_a_rare_cause_is_found_among_many_runs_whose_activities_failed(dsn: str, schema: str) -> None:
    usual, rare = (
        pack_body(("continuum.ActivityError", str(ActivityError("pay", type, "gone", "", 1)), ""))
        for type in ("ValueError", "ConnectionError")
    )
    with psycopg.connect(dsn, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(SQL(FILL).format(schema=Identifier(schema), rare=rare, usual=usual))
        cursor.execute(SQL("ANALYZE {}.runs").format(Identifier(schema)))
        condition = condition_of("failure", "in", ["ConnectionError"])
        text = f"EXPLAIN SELECT FROM {schema}.runs r WHERE {condition.text}"
        plan = "\n".join(line for (line,) in cursor.execute(text, condition.parameters).fetchall())

    assert rows(dsn, schema, "error:ConnectionError") == 2
    assert rows(dsn, schema, "error:ActivityError") == 26
    assert "BitmapOr" in plan
    assert "runs_failures" in plan
    assert "runs_failure_causes" in plan
