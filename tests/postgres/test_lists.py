"""Pages of lists are what a sort of all runs would give, however few rows the scans look at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum.journal.port import Query, RunRow, RunState
from continuum.journal.postgres import PostgresJournal, queries

# Groups of very different sizes, and many runs that started at the same time.
FILL = """
insert into {schema}.runs (id, workflow, version, namespace, state, input, attributes, started_at, updated_at)
select gen_random_uuid(), 'flow' || (n % 7) * (n % 3), 'v' || n % 5,
       (array['default', 'eu', 'us'])[1 + (n % 11) % 3],
       1 + n % 7, '', case when n % 4 = 0 then jsonb_build_object('n', n % 9) else '{{}}' end,
       timestamptz '2026-01-01Z' + interval '1 second' * (n * 7919 % 60),
       timestamptz '2026-01-01Z' + interval '1 second' * (n * 104729 % 90)
from generate_series(1, 600) n
"""
ASKED: list[tuple[str, list[Any], Callable[[RunRow], bool]]] = [
    ("all", [], lambda row: True),
    ("workflow", [("workflow", "eq", "flow2")], lambda row: row.workflow == "flow2"),
    ("others", [("workflow", "ne", "flow2")], lambda row: row.workflow != "flow2"),
    ("version", [("version", "eq", "v3")], lambda row: row.version == "v3"),
    (
        "states",
        [("state", "in", [RunState.FAILED, RunState.CONTINUED])],
        lambda row: row.state in (RunState.FAILED, RunState.CONTINUED),
    ),
    ("open", [("state", "eq", RunState.SUSPENDED)], lambda row: row.state is RunState.SUSPENDED),
    ("attribute", [(("attributes", "n"), "eq", 4)], lambda row: row.attributes.get("n") == 4),
    ("above", [(("attributes", "n"), "gt", 4)], lambda row: row.attributes.get("n", 0) > 4),
    (
        "two conditions on a field",
        [("workflow", "in", ["flow2", "flow4"]), ("workflow", "eq", "flow4")],
        lambda row: row.workflow == "flow4",
    ),
]


@pytest.mark.parametrize("namespace", [None, "eu"])
@pytest.mark.parametrize("order", ["started_at", "id", "updated_at", "workflow"])
@pytest.mark.parametrize("descending", [True, False])
def test_pages_are_those_of_a_sort_of_all_runs(
    dsn: str,
    schema: str,
    monkeypatch: pytest.MonkeyPatch,
    namespace: str | None,
    order: str,
    descending: bool,
) -> None:
    monkeypatch.setattr(queries, "FIRST_SCAN_RUNS", 90)

    async def main() -> None:
        journal = PostgresJournal(dsn, schema=schema, listen=False)
        await journal.open()
        try:
            everything = await journal.query(Query(namespace, [], ("id", False), 1000, None))
            for name, where, meets in ASKED:
                wanted = sorted(
                    (row for row in everything if meets(row)),
                    key=lambda row: (getattr(row, order), row.id),
                    reverse=descending,
                )
                found: list[RunRow] = []
                while True:
                    after = (getattr(found[-1], order), found[-1].id) if found else None
                    page = await journal.query(Query(namespace, where, (order, descending), 23, after))
                    found += page
                    if len(page) < 23:
                        break
                assert [row.id for row in found] == [row.id for row in wanted], name
        finally:
            await journal.close()

    with psycopg.connect(dsn, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(SQL(FILL).format(schema=Identifier(schema)))
    asyncio.run(main())
