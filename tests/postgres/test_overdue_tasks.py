"""`continuum health` looks at few tasks of a queue, however many of paused runs are not put aside yet."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.postgres.grown import looks_at

MOST = 40
MANY = 50 * MOST
PAUSES: dict[str, LiteralString] = {
    "run": "update {schema}.runs set paused_at = now(), paused_by = 'ann' where workflow = 'held'",
    "workflow": "insert into {schema}.pauses values ('workflow', 'held', '', now(), 'ann')",
    "namespace": "insert into {schema}.pauses values ('namespace', 'held', '', now(), 'ann')",
    "queue": "insert into {schema}.pauses values ('queue', 'mail', '', now(), 'ann')",
}
TASKS: LiteralString = """
with made as (
    insert into {schema}.runs (id, workflow, version, namespace, input, state)
    select gen_random_uuid(), %(workflow)s, 'v1', %(workflow)s, '', 2 from generate_series(1, %(tasks)s)
    returning id
)
insert into {schema}.tasks
    (run_id, seq, dispatch, attempt, queue, priority, isolated, activity, arguments, timeout, due_at)
select id, 1, 1, 1, 'mail', 0, false, 'send', '', 0, now() - %(age)s * interval '1 second' from made
"""


def overdue(dsn: str, schema: str, pause: str | None, *filled: tuple[str, int, int]) -> tuple[list[Any], int]:
    """Return what is overdue with these tasks, and how many were read: workflow, how many, seconds of age."""
    with psycopg.connect(dsn) as connection:
        cursor = psycopg.ClientCursor(connection)
        name = Identifier(schema)
        for workflow, tasks, age in filled:
            cursor.execute(SQL(TASKS).format(schema=name), {"workflow": workflow, "tasks": tasks, "age": age})
        if pause is not None:
            cursor.execute(SQL(PAUSES[pause]).format(schema=name))
        connection.commit()
        text = SQL("select t.namespace, t.tasks, t.more from {}.overdue_tasks(now(), 100, {}) t order by 1")
        rows = connection.execute(text.format(name, MOST)).fetchall()
        return rows, looks_at(connection, schema, "tasks")["tasks"].rows


@pytest.mark.parametrize("pause", ["run", "workflow", "namespace"])
def test_tasks_behind_very_many_of_paused_runs_are_found(dsn: str, schema: str, pause: str) -> None:
    rows, looked = overdue(dsn, schema, pause, ("held", MANY, 900), ("free", 3, 600))
    assert rows == [("free", 3, True)]
    assert looked < MANY


def test_tasks_of_a_paused_queue_are_not_looked_at(dsn: str, schema: str) -> None:
    rows, looked = overdue(dsn, schema, "queue", ("held", MANY, 900), ("free", 3, 600))
    assert rows == []
    assert looked < MOST


@pytest.mark.parametrize("held", [0, 1, MOST - 3])
def test_as_many_as_are_counted_are_counted_once(dsn: str, schema: str, held: int) -> None:
    rows, _ = overdue(dsn, schema, "workflow", ("held", held, 900), ("free", 3, 600))
    assert rows == [("free", 3, False)]


def test_without_a_pause_the_first_ones_are_counted(dsn: str, schema: str) -> None:
    rows, looked = overdue(dsn, schema, None, ("held", MANY, 900), ("free", 3, 600))
    assert rows == [("held", MOST + 1, True)]
    assert looked < MANY


@pytest.mark.parametrize("pause", ["run", "workflow", None])
def test_odd_times_of_tasks_are_found_without_the_others(dsn: str, schema: str, pause: str | None) -> None:
    overdue(dsn, schema, pause, ("held", MANY, 900), ("free", 3, 600))
    with psycopg.connect(dsn) as connection:
        name = Identifier(schema)
        far: LiteralString = (
            "update {schema}.tasks t set due_at = 'infinity', priority = v.priority, queue = v.queue "
            "from (select x.run_id, (row_number() over ())::integer - 2, "
            "case when row_number() over () = 3 then 'zip' else 'mail' end "
            "from {schema}.tasks x join {schema}.runs r on r.id = x.run_id where r.workflow = 'free') "
            "as v (run_id, priority, queue) where t.run_id = v.run_id"
        )
        connection.execute(SQL(far).format(schema=name))
    # Another session: the counters of this one have its update.
    with psycopg.connect(dsn) as connection:
        text = SQL("select o.row_name, o.value from {}.odd_rows({}) o where o.table_name = 'tasks'")
        found = connection.execute(text.format(name, 10)).fetchall()
        assert [value for _, value in found] == ["infinity"] * 3
        assert found == sorted(found)
        assert connection.execute(text.format(name, 2)).fetchall() == found[:2]
        assert looks_at(connection, schema, "tasks")["tasks"].rows < MANY


def test_the_runs_of_few_tasks_that_a_pause_holds_are_read(dsn: str, schema: str) -> None:
    overdue(dsn, schema, "workflow", ("held", MANY, 900), ("free", 3, 600))
    with psycopg.connect(dsn) as connection:
        held = SQL("select tasks, more_tasks from {}.held_by_pause('workflow', {}, '', {})")
        name, most = Identifier(schema), MANY // 10
        assert connection.execute(held.format(name, "held", most)).fetchall() == [(most, True)]
        # As many runs that have no end as have a task are counted as well.
        assert looks_at(connection, schema, "runs")["runs"].rows < MANY + 2 * most
        assert connection.execute(held.format(name, "free", most)).fetchall() == [(0, True)]
        assert connection.execute(held.format(name, "free", MANY)).fetchall() == [(3, False)]
