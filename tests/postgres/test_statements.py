"""The SQL that the adapter calls: what it says about itself, and what it agrees on with the schema."""

from __future__ import annotations

import asyncio
import re
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum.engine.ids import NodeId
from continuum.journal.notification import Topic
from continuum.journal.port import Fault, Loaded, RunState, Transition, VersionRow
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.commit_parts import PARTS
from continuum.journal.postgres.packed_arrays import RowType, register, uuids
from continuum.journal.postgres.statements import statement_files, statements_for
from tests.contract.builders import begin, claim, commit, signal, write

STATEMENTS = "\n".join(statement_files().values())
NAMED = re.findall(r"^-- name: (\w+)\n(.*)\n", STATEMENTS, re.MULTILINE)


def ask(dsn: str, schema: str, question: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
    """Ask the database itself."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(SQL(question).format(schema=Identifier(schema)), parameters).fetchall()


@pytest.mark.parametrize(("name", "intent"), NAMED)
def test_every_statement_has_a_line_of_intent(name: str, intent: str) -> None:
    assert re.fullmatch(r"-- [A-Z].*[.]", intent)
    assert intent.encode() not in statements_for("continuum")[name]


def test_every_name_is_a_statement() -> None:
    assert len(NAMED) == STATEMENTS.count("-- name:")
    assert len({name for name, _ in NAMED}) == len(NAMED)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_the_fields_of_a_part_of_a_batch_are_those_of_the_schema(
    part: RowType, dsn: str, schema: str
) -> None:
    stored = ask(
        dsn,
        schema,
        "select a.attname, a.atttypid::int from pg_type t join pg_attribute a on a.attrelid = t.typrelid "
        "where t.typname = %s and t.typnamespace = to_regnamespace(%s) and a.attnum > 0 order by a.attnum",
        part.name,
        schema,
    )
    assert stored == [(name, array.array_oid) for name, array in part.fields.items()]


def test_the_schema_has_no_other_part_of_a_batch(dsn: str, schema: str) -> None:
    stored = ask(
        dsn,
        schema,
        "select typname from pg_type where typname like 'commit\\_%%' and typtype = 'c' "
        "and typnamespace = to_regnamespace(%s)",
        schema,
    )
    assert {name for (name,) in stored} == {part.name for part in PARTS}


@pytest.mark.parametrize("topic", Topic)
def test_a_topic_has_one_channel_on_both_sides(topic: Topic, dsn: str, schema: str) -> None:
    channel = statements_for(schema).channel(topic.name.lower())
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL("listen {}").format(Identifier(channel)))
        connection.execute(
            SQL("select {}.notify(%s, array['a', 'b'])").format(Identifier(schema)), (topic.name.lower(),)
        )
        (arrived,) = connection.notifies(timeout=10.0, stop_after=1)
    assert (arrived.channel, arrived.payload) == (channel, "a,b")


async def _one_blocked_run(journal: PostgresJournal) -> None:
    worker = await journal.register_worker(NodeId("north"), "run_host", 1, 60.0)
    await journal.register_versions([VersionRow("orders", "v1", "7", "shop", None, None)])
    await begin(journal, namespace="shop")
    (run,) = await claim(journal, worker)
    blocked = Transition(RunState.BLOCKED, reason="drift: at 3", fault=Fault("drift", 3))
    await commit(journal, worker, write(run, transition=blocked))
    await begin(journal, namespace="shop")
    (run,) = await claim(journal, worker)
    await journal.post([signal(run.id)])


def test_runs_are_readable_in_psql(dsn: str, schema: str) -> None:
    async def main() -> None:
        journal = PostgresJournal(dsn, schema=schema)
        await journal.open()
        try:
            await _one_blocked_run(journal)
        finally:
            await journal.close()

    asyncio.run(main())
    assert ask(
        dsn,
        schema,
        "select workflow, namespace, state, label, version, node, reason, inbox "
        "from {schema}.runs_readable order by started_at",
    ) == [
        ("orders", "shop", "blocked", "7", "v1", None, "drift: at 3", 0),
        ("orders", "shop", "running", "7", "v1", "north", None, 1),
    ]


def test_a_version_is_readable_in_full(dsn: str, schema: str) -> None:
    """It can be compared with what the command line prints."""
    version = "95fe" * 8

    async def main() -> None:
        journal = PostgresJournal(dsn, schema=schema)
        await journal.open()
        try:
            worker = await journal.register_worker(NodeId("north"), "run_host", 1, 60.0)
            await begin(journal)
            await claim(journal, worker, code=[Loaded("orders", version)])
        finally:
            await journal.close()

    asyncio.run(main())
    assert ask(dsn, schema, "select version from {schema}.runs_readable") == [(version,)]


@pytest.mark.parametrize("state", RunState)
def test_every_state_has_a_readable_name(state: RunState, dsn: str, schema: str) -> None:
    (view,) = ask(dsn, schema, "select pg_get_viewdef('{schema}.runs_readable'::regclass)")
    assert re.search(rf"WHEN {state.value} THEN '{state.name.lower()}'", view[0])


def test_the_read_of_ended_runs_is_planned_once_and_for_all(dsn: str, schema: str) -> None:
    """Planned anew it costs more than the read itself."""
    statement = statements_for(schema)["ended"]

    with psycopg.connect(dsn, autocommit=True) as connection:
        register(connection)
        for number in range(1, 12):
            connection.execute(statement, (uuids([str(uuid4())] * number),), prepare=True)
        plans = connection.execute("select generic_plans, custom_plans from pg_prepared_statements")
        assert plans.fetchall() == [(6, 5)]
