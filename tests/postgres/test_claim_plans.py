"""What claims cost on tables with many rows: the plans of the functions, as the server runs them."""

from __future__ import annotations

import re
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum_migrations.names import NAMES
from tests.postgres.grown import RUNS

ROWS = RUNS // 10
# Some pages for each of the claimed rows, and far fewer than the tables have.
FEW_PAGES = 150

CLAIMS = (
    "claim_in_turn",
    "lock_ready",
    "lock_sleepers",
    "ready_groups",
    "refused_groups",
    "claim_tasks_in_parts",
    "lock_tasks",
    "hold_tasks",
    "next_due",
)

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
    {schema}.claim_tasks_in_parts(w.id, '{{send}}', false, '{{}}', '{{}}', 64, 5, '{{mine}}') c
"""
CLAIM_RUNS = """
explain (analyze, buffers, costs off) select c.* from {schema}.workers w,
    {schema}.claim_in_turn(w.id, '{{orders}}', '{{v1}}', '{{t}}', '{{t}}', 5, 10, '{{mine}}', NULL) c
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


# Entries of held tasks stay in the index until a vacuum. Each of these tasks would read three pages or more.
AFTER_PAUSES = 3 * FEW_PAGES

MOST_HELD = int(NAMES["limit.held_tasks"])
HOLD = """
select {schema}.lock_tasks('north', '{{send}}', false, '{{mail}}', '{{5}}', 1, null, false, true)
"""

# Tasks of other runs, behind those: of runs that are paused one by one, or with their workflow.
BEHIND = """
insert into {schema}.runs (id, workflow, version, namespace, input)
select gen_random_uuid(), 'refunds', 'v1', 'mine', '' from generate_series(1, 5);
insert into {schema}.tasks
    (run_id, seq, dispatch, attempt, queue, priority, isolated, activity, arguments, timeout)
select r.id, 1, 1, 1, 'mail', 0, false, 'send', '', 0 from {schema}.runs r where workflow = 'refunds';
"""
PAUSED = (
    "update {schema}.runs set paused_at = now() where workflow = 'orders'",
    "insert into {schema}.pauses (kind, name, namespace) values ('workflow', 'orders', '')",
)


@pytest.mark.parametrize("pausing", PAUSED, ids=["runs", "workflow"])
@pytest.mark.parametrize(
    "look",
    [CLAIM_TASKS, "explain (analyze, buffers) select {schema}.overdue_tasks(now(), 100, 10000)"],
    ids=["claim", "health"],
)
def test_many_tasks_of_paused_runs_slow_only_the_first_claims(
    pausing: LiteralString, look: LiteralString, dsn: str, schema: str
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        for statement in (FILL, BEHIND, pausing):
            cursor.execute(
                SQL(statement).format(schema=Identifier(schema)), (ROWS,) if statement == FILL else None
            )
        for _ in range(ROWS // MOST_HELD + 1):
            cursor.execute(SQL(HOLD).format(schema=Identifier(schema)))
        assert _pages(connection, SQL(look), schema) < AFTER_PAUSES
        claimed = cursor.execute(
            SQL(
                "select t.run_id from {0}.tasks t join {0}.runs r on r.id = run_id "
                "where t.owner is not null and workflow = 'refunds'"
            ).format(Identifier(schema))
        )
        assert len(claimed.fetchall()) == (5 if look == CLAIM_TASKS else 0)


def test_a_look_for_odd_rows_reads_no_sound_runs(dsn: str, schema: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(SQL(PARK).format(schema=Identifier(schema)), {"rows": ROWS})
        assert _pages(connection, SQL(ODD_ROWS), schema) < FEW_PAGES
        found = cursor.execute(SQL("select row_name from {}.odd_rows(9)").format(Identifier(schema)))
        assert len(found.fetchall()) == 3


# A thousand workflows, each with runs that sleep for long; runs of a thousand versions that nobody has any
# more, which the loaded code has refused; and those of a workflow that is not loaded.
GROW = """
insert into {schema}.runs (id, workflow, version, namespace, input, state, due_at, asleep)
select gen_random_uuid(), 'flow' || i %% 1000, 'v1', 'mine', '', 2,
       now() + interval '1 day' + i * interval '1 s', true
from generate_series(1, %(rows)s) i;
insert into {schema}.runs (id, workflow, version, namespace, input, state)
select gen_random_uuid(), 'flow' || i %% 1000, 'v1', 'mine', '', 2 from generate_series(1, %(rows)s) i;
insert into {schema}.runs (id, workflow, version, namespace, input, state, due_at, refused)
select gen_random_uuid(), 'flow5', 'old' || i %% 1000, 'mine', '', 2, now(), array['older', 'v1']
from generate_series(1, %(rows)s) i;
insert into {schema}.runs (id, workflow, version, namespace, input, state, due_at)
select gen_random_uuid(), 'gone', 'old' || i %% 1000, 'mine', '', 2, now()
from generate_series(1, %(rows)s) i;
insert into {schema}.workers (node, role, pid, expires_at)
values ('north', 'run_host', 1, now() + interval '1 hour');
analyze {schema}.runs
"""
LOADED = """
    (select array_agg('flow' || i) from generate_series(1, {flows}) i),
    array_fill('v1'::text, array[{flows}]), array_fill(true, array[{flows}]), array_fill(true, array[{flows}])
"""
CLAIM_GROWN = (
    "explain (analyze, buffers, costs off) select c.* from {schema}.workers w, "
    "{schema}.claim_in_turn(w.id, " + LOADED + ", 250, 1, null, null) c"
)
NEXT_DUE = "explain (analyze, buffers, costs off) select {schema}.next_due(" + LOADED + ", 1, null)"
# Some steps through indexes.
A_HANDFUL = 40


@pytest.mark.parametrize("look", [CLAIM_GROWN, NEXT_DUE], ids=["claim", "next_due"])
def test_a_look_for_work_costs_the_same_however_much_code_is_loaded_or_missing(
    look: LiteralString, dsn: str, schema: str
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(SQL(GROW).format(schema=Identifier(schema)), {"rows": ROWS // 4})
        for flows in (5, 1000):
            assert _pages(connection, SQL(look.replace("{flows}", str(flows))), schema) < A_HANDFUL


def test_a_claim_locks_what_it_takes_and_nothing_else(dsn: str, schema: str) -> None:
    start: LiteralString = """
        insert into {schema}.runs (id, workflow, namespace, input, due_at)
        select gen_random_uuid(), 'flow' || i %% 20, 'mine' || i %% 3, '', now()
        from generate_series(1, 600) i
    """
    claim = (
        "select count(*) from {schema}.workers w, {schema}.claim_in_turn(w.id, "
        + LOADED.replace("{flows}", "20")
        + ", 50, 1, null, null)"
    )
    free: LiteralString = "select id from {schema}.runs for update skip locked"
    with psycopg.connect(dsn) as claiming, psycopg.connect(dsn) as other:
        with psycopg.ClientCursor(other) as cursor:
            cursor.execute(SQL(GROW).format(schema=Identifier(schema)), {"rows": 0})
            cursor.execute(SQL(start).format(schema=Identifier(schema)), ())
            other.commit()
        row = claiming.execute(SQL(claim).format(schema=Identifier(schema))).fetchone()
        left = other.execute(SQL(free).format(schema=Identifier(schema))).fetchall()
    assert row == (50,)
    assert len(left) == 550


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


def test_an_owner_of_many_runs_asks_once_for_each_workflow_whether_it_is_paused(
    dsn: str, schema: str
) -> None:
    own: LiteralString = """
        insert into {schema}.runs (id, workflow, version, namespace, input, state, owner)
        select gen_random_uuid(), 'flow' || i %% 3, 'v1', 'mine', '', 1, 1 from generate_series(1, 600) i;
        insert into {schema}.pauses (kind, name, namespace) values ('workflow', 'flow1', '')
    """
    with psycopg.connect(dsn) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute("set track_functions = 'pl'")
        cursor.execute(SQL(own).format(schema=Identifier(schema)), ())
        owned = SQL("select cardinality({}.paused_runs_of('{{1}}'))").format(Identifier(schema))
        assert cursor.execute(owned).fetchone() == (200,)
        asked = cursor.execute(
            "select calls from pg_stat_xact_user_functions where funcname = 'paused_together'"
        ).fetchall()
    assert asked == [(3,)]
