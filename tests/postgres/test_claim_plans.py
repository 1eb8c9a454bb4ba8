"""What claims cost on tables with many rows: the plans of the functions, as the server runs them."""

from __future__ import annotations

import re
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

ROWS = 20_000
# Some pages for each of the claimed rows, and far fewer than the tables have.
FEW_PAGES = 150

CLAIMS = ("claim_runs", "claim_tasks", "next_due", "untried_due", "foreign_groups")

FILL = """
insert into {schema}.runs (id, workflow, version, namespace, input, due_at)
select gen_random_uuid(), 'orders', 'v1', 'mine', '', now() from generate_series(1, %s);
insert into {schema}.tasks
    (run_id, seq, dispatch, attempt, queue, priority, isolated, activity, arguments, timeout)
select r.id, 1, 1, 1, 'mail', 0, false, 'send', '', 0 from {schema}.runs r;
insert into {schema}.workers (node, role, pid, expires_at)
values ('north', 'run_host', 1, now() + interval '1 hour');
analyze {schema}.runs; analyze {schema}.tasks
"""
# Runs without a version, of two versions, refused and ended, and an odd one of each that is active.
PARK = """
insert into {schema}.runs (id, workflow, version, namespace, input, due_at, refused, state, retain_until)
select gen_random_uuid(), 'orders', n.version, 'mine', '',
       case when i = 1 and n.state = 2 then 'infinity' else now() end, n.refused, n.state, now()
from generate_series(1, %(rows)s / 5) i, (values (null, null, 2), ('v1', null, 2),
    ('v2', '{{v1}}'::text[], 2), ('v2', null, 4), ('v1', null, 5)) as n (version, refused, state);
analyze {schema}.runs
"""
ODD_ROWS = """
explain (analyze, buffers, costs off) select * from {schema}.odd_rows(50)
"""
CLAIM_TASKS = """
explain (analyze, buffers, costs off) select c.* from {schema}.workers w,
    {schema}.claim_tasks(w.id, '{{send}}', false, '{{}}', '{{}}', 64, 5, '{{mine}}') c
"""
CLAIM_RUNS = """
explain (analyze, buffers, costs off) select c.* from {schema}.workers w,
    {schema}.claim_runs(w.id, '{{orders}}', '{{v1}}', '{{t}}', '{{t}}', 5, 10, '{{mine}}') c
"""


def _pages(connection: psycopg.Connection[Any], statement: SQL, schema: str) -> int:
    """Return how many pages the second call reads; the first one fills the caches of the session."""
    for _ in range(2):
        plan = connection.execute(statement.format(schema=Identifier(schema))).fetchall()
    found = re.search(r"Buffers: shared hit=(\d+)(?: read=(\d+))?", "\n".join(line for (line,) in plan))
    assert found is not None
    return int(found[1]) + int(found[2] or 0)


@pytest.mark.parametrize("claim", [CLAIM_TASKS, CLAIM_RUNS], ids=["tasks", "runs"])
def test_a_claim_of_a_namespace_reads_the_rows_it_takes_and_no_others(
    claim: LiteralString, dsn: str, schema: str
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(SQL(FILL).format(schema=Identifier(schema)), (ROWS,))
        assert _pages(connection, SQL(claim), schema) < FEW_PAGES


def test_a_look_for_odd_rows_reads_no_sound_runs(dsn: str, schema: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(SQL(PARK).format(schema=Identifier(schema)), {"rows": ROWS})
        assert _pages(connection, SQL(ODD_ROWS), schema) < FEW_PAGES
        found = cursor.execute(SQL("select row_name from {}.odd_rows(9)").format(Identifier(schema)))
        assert len(found.fetchall()) == 3


@pytest.mark.parametrize("name", CLAIMS)
def test_no_claim_is_compiled(name: str, dsn: str, schema: str) -> None:
    """With a backlog the planner expects thousands of rows, and compiling takes longer than every claim."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute(
            "select proconfig from pg_proc where proname = %s and pronamespace = to_regnamespace(%s)",
            (name, schema),
        ).fetchone()
    assert found is not None
    assert "jit=off" in found[0]
