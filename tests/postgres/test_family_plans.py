"""What the end of children costs beside many others, with plans that a session made while there were few."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.postgres.grown import RUNS

CHILDREN = RUNS // 10
ENDS = 10
# Some pages for each of the ends, and far fewer than the children have.
FEW_PAGES = 25 * ENDS
# From then on a session keeps the plan of a function for any parameters.
CALLS_UNTIL_A_PLAN_STAYS = 7

ADD_PARENT: LiteralString = """
insert into {schema}.runs (id, workflow, version, namespace, input, has_children, state)
values (gen_random_uuid(), 'parent', 'v', 'mine', '', true, 1) returning id
"""
ADD_CHILDREN: LiteralString = """
insert into {schema}.runs
    (id, workflow, version, namespace, input, parent_id, parent_seq, close_policy, depth, state, completed_at)
select gen_random_uuid(), 'child', 'v', 'mine', '', %s, i, 2, 1, 4, now() from generate_series(1, %s) i
returning id
"""
AFTER_END: LiteralString = "select {schema}.after_end(%s)"
LOCK_CHILDREN: LiteralString = "select {schema}.lock_children(%s, false)"
REQUEST_CANCEL: LiteralString = "select {schema}.request_cancel(%s, 'parent')"
WAKE_RUNS: LiteralString = "select {schema}.wake_runs(%s)"
LOCK_GENERATIONS: LiteralString = """
select {schema}.lock_generations(
    0, row(i.ids, array_fill(0::bigint, array[cardinality(i.ids)]),
           array_fill(1::smallint, array[cardinality(i.ids)]))::{schema}.commit_runs,
    i.ids, array_fill(4::smallint, array[cardinality(i.ids)]), null)
from (select %s::uuid[] as ids) i
"""


@dataclass(slots=True)
class Family:
    """A session of one server, and a parent whose children end there."""

    connection: psycopg.Connection[Any]
    schema: str
    parent: UUID

    def call(self, statement: LiteralString, runs: list[UUID]) -> None:
        """Call a function of the schema with some runs."""
        self.connection.execute(SQL(statement).format(schema=Identifier(self.schema)), (runs,))

    def pages_of(self, statement: LiteralString, runs: list[UUID]) -> int:
        """Return how many pages the second such call reads; the first one fills the caches of the session."""
        call = SQL(statement).format(schema=Identifier(self.schema))
        explained = SQL("explain (analyze, buffers, costs off) {}").format(call)
        for _ in range(2):
            plan = self.connection.execute(explained, (runs,)).fetchall()
        found = re.search(r"Buffers: shared hit=(\d+)(?: read=(\d+))?", "\n".join(line for (line,) in plan))
        assert found is not None
        return int(found[1]) + int(found[2] or 0)

    def add_children(self, count: int) -> list[UUID]:
        """Add children that have completed, and return their ids."""
        with psycopg.ClientCursor(self.connection) as cursor:
            adding = SQL(ADD_CHILDREN).format(schema=Identifier(self.schema))
            return [row[0] for row in cursor.execute(adding, (self.parent, count))]


@pytest.fixture
def family(dsn: str, schema: str) -> Iterator[Family]:
    """Yield a parent without children, in tables that nobody analyzes."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        named = {"schema": Identifier(schema)}
        connection.execute(SQL("alter table {schema}.runs set (autovacuum_enabled = off)").format(**named))
        row = connection.execute(SQL(ADD_PARENT).format(**named)).fetchone()
        assert row is not None
        yield Family(connection, schema, row[0])


@pytest.mark.parametrize(
    "statement",
    [AFTER_END, LOCK_CHILDREN, LOCK_GENERATIONS, REQUEST_CANCEL, WAKE_RUNS],
    ids=["after_end", "lock_children", "lock_generations", "request_cancel", "wake_runs"],
)
def test_the_end_of_a_child_reads_none_of_its_siblings(statement: LiteralString, family: Family) -> None:
    for _ in range(CALLS_UNTIL_A_PLAN_STAYS):
        family.call(statement, [family.parent])
    ending = family.add_children(CHILDREN)[:: CHILDREN // ENDS]
    assert family.pages_of(statement, ending) < FEW_PAGES
