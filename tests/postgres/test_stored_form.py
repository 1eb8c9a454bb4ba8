"""What the tables hold: values as bytes, and indexes over what is alive."""

from __future__ import annotations

import asyncio
import json
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum.codec.codec import encode
from continuum.engine.ids import NodeId
from continuum.journal.port import NodeFacts
from continuum.journal.postgres import PostgresJournal
from tests.contract.builders import begin, claim, commit, end, event, signal, worker_of, write

VALUE = {"card": "4711", "items": ["a", "b"]}


def ask(dsn: str, schema: str, question: LiteralString) -> list[tuple[Any, ...]]:
    """Ask the database itself."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(SQL(question).format(schema=Identifier(schema))).fetchall()


async def write_everywhere(dsn: str, schema: str) -> None:
    """Store a value as input, in an event, in an inbox, and as a result."""
    journal = PostgresJournal(dsn, schema=schema)
    await journal.open()
    try:
        worker = await worker_of(journal)
        ended, waiting = await begin(journal, input=encode(VALUE)), await begin(journal, input=b"\x01")
        runs = {run.id: run for run in await claim(journal, worker)}
        await journal.post([signal(waiting, encode(VALUE))])
        happened = event(0, ("review", encode(VALUE)))
        await commit(
            journal, worker, write(runs[ended], happened, transition=end(result=encode(VALUE), retention=5.0))
        )
    finally:
        await journal.close()


def test_values_are_stored_as_their_encoded_bytes(dsn: str, schema: str) -> None:
    """PGJ25"""
    asyncio.run(write_everywhere(dsn, schema))
    ((given, result),) = ask(dsn, schema, "select input, result from {schema}.runs where result is not null")
    assert bytes(given) == bytes(result) == encode(VALUE)
    for question in ("select payload from {schema}.events", "select payload from {schema}.inbox"):
        ((stored,),) = ask(dsn, schema, question)
        assert encode(VALUE) in bytes(stored)
        with pytest.raises(ValueError, match=r"codec|JSON|Expecting|utf-8"):
            json.loads(bytes(stored))


def test_retention_is_stored_from_the_end_on(dsn: str, schema: str) -> None:
    """PGJ15"""
    asyncio.run(write_everywhere(dsn, schema))
    question: LiteralString = (
        "select extract(epoch from retain_until - completed_at)::float8 from {schema}.runs"
        " where retain_until is not null"
    )
    assert ask(dsn, schema, question) == [(5.0,)]


def test_a_lost_node_is_listed_for_an_hour(dsn: str, schema: str) -> None:
    async def main() -> list[str]:
        journal = PostgresJournal(dsn, schema=schema)
        await journal.open()
        try:
            for node, minutes in (("north", 61), ("south", 59)):
                await journal.renew([], 60.0, NodeFacts(NodeId(node), 10, "loopback:1", "up"))
                heard: LiteralString = (
                    "update {schema}.nodes set renewed_at = now() - %s * interval '1 minute' where node = %s"
                )
                with psycopg.connect(dsn, autocommit=True) as connection:
                    connection.execute(SQL(heard).format(schema=Identifier(schema)), (minutes, node))
            await journal.sweep()
            return [node.node for node in await journal.nodes()]
        finally:
            await journal.close()

    assert asyncio.run(main()) == ["south"]


@pytest.mark.parametrize(
    ("index", "condition"),
    [
        ("runs_ready", "ready_at IS NOT NULL"),
        ("runs_asleep", "wakes_at IS NOT NULL"),
        ("runs_waiting", "waits"),
        ("runs_owner", "owner IS NOT NULL"),
        ("tasks_pending", "owner IS NULL"),
        ("runs_retained", "retain_until IS NOT NULL"),
    ],
)
def test_indexes_of_polls_hold_only_rows_that_are_alive(
    index: str, condition: str, dsn: str, schema: str
) -> None:
    """SRT10: no poll looks at runs that have ended."""
    question: LiteralString = "select indexname, indexdef from pg_indexes where schemaname = current_schema()"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL("set search_path to {}").format(Identifier(schema)))
        found: dict[str, str] = dict(connection.execute(question).fetchall())
    _, _, where = found[index].partition(" WHERE ")
    assert condition in where


def test_no_index_has_what_the_owner_of_a_run_changes(dsn: str, schema: str) -> None:
    """Otherwise every change of it would write to all indexes of runs."""
    question: LiteralString = """
        select distinct a.attname::text from pg_index i
        join pg_depend d on d.objid = i.indexrelid and d.refobjid = i.indrelid
        join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        where i.indrelid = '{schema}.runs'::regclass
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute(question.replace("{schema}", schema).encode()).fetchall()
    columns = {name for (name,) in found}
    assert {"owner", "ready_at", "refused", "version"} <= columns
    assert not columns & {
        "state",
        "due_at",
        "asleep",
        "updated_at",
        "deaths",
        "reason",
        "fault",
        "has_children",
    }


def test_an_update_of_an_owned_run_touches_no_index(dsn: str, schema: str) -> None:
    start: LiteralString = """
        insert into {schema}.runs (id, workflow, version, namespace, input, owner, due_at)
        values (gen_random_uuid(), 'orders', 'v1', 'mine', '', 1, null)
    """
    updates: tuple[LiteralString, ...] = (
        "update {schema}.runs set state = 2, due_at = now() + interval '1 hour', deaths = 0",
        "update {schema}.runs set state = 1, due_at = null, updated_at = now(), reason = null",
        "update {schema}.runs set state = 2, has_children = true, fault = null, due_at = null",
    )
    counted: LiteralString = "select pg_stat_get_xact_tuples_hot_updated('{schema}.runs'::regclass)"
    with psycopg.connect(dsn) as connection:
        for statement in (start, *updates):
            connection.execute(SQL(statement).format(schema=Identifier(schema)))
        row = connection.execute(counted.replace("{schema}", schema).encode()).fetchone()
    assert row == (len(updates),)
