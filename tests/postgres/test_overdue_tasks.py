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
