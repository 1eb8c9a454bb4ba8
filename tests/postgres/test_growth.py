"""What reads cost in a database with many runs: as much as what they return, whatever else is there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, LiteralString, TypeAlias

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from bench.parked_runs import owner_of_some, park_runs
from continuum.engine.ids import RunId
from continuum.errors import UnindexedQuery
from continuum.journal.port import Query, RunRow, RunState, Worker
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.statements import statements_for
from continuum.operations.explain import explain
from tests.postgres.grown import looks_at, reads_of
from tests.postgres_server import migrated_schema

# Some pages for each row that is returned; the table of runs has fifty times as many.
FEW_PAGES = 400
OWNED = 60
# A list looks at some hundred rows to find its page.
PAGES_OF_A_LIST = 3_000

Conditions: TypeAlias = Sequence[tuple[Any, str, Any]]


@pytest.fixture(scope="module")
def dsn(session_dsn: str) -> str:
    """The database with the schema that has grown."""
    return session_dsn


@pytest.fixture(scope="module")
def owner(dsn: str, grown: str) -> Worker:
    """A worker that owns some of the runs, those with mail among them."""
    return owner_of_some(dsn, grown, OWNED)


def test_all_mail_of_a_worker_is_found_through_the_runs_it_owns(dsn: str, grown: str, owner: Worker) -> None:
    reads = reads_of(dsn, grown, lambda journal: journal.inbox(owner, None))
    assert reads.pages < FEW_PAGES
    assert "runs_owner" in reads.indexes


def test_the_mail_of_named_runs_is_found_through_their_ids(dsn: str, grown: str, owner: Worker) -> None:
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            SQL("select run_id::text from {} order by id limit 20").format(Identifier(grown, "inbox"))
        ).fetchall()
    named = [RunId(run_id) for (run_id,) in found]
    reads = reads_of(dsn, grown, lambda journal: journal.inbox(owner, named))
    assert reads.pages < FEW_PAGES
    assert reads.indexes == {"inbox_run", "runs_pkey"}


@pytest.mark.parametrize(("operator", "value"), [("eq", 7), ("in", [7, 9])])
def test_runs_with_an_attribute_are_found_through_its_index(
    dsn: str, grown: str, operator: str, value: object
) -> None:
    asked = Query(None, [(("attributes", "customer"), operator, value)], ("id", False), 25, None)
    reads = reads_of(dsn, grown, lambda journal: journal.query(asked))
    assert reads.pages < FEW_PAGES
    assert "runs_attributes" in reads.indexes


LATEST = ("started_at", True)
CHANGED = ("updated_at", True)
FAR_AWAY = 10**17


@pytest.mark.parametrize(
    ("where", "order", "namespace", "index"),
    [
        ([], LATEST, None, "runs_listing"),
        ([], LATEST, "eu", "runs_listing"),
        ([("workflow", "eq", "rare")], LATEST, None, "runs_listing"),
        ([("workflow", "eq", "rare"), ("state", "eq", RunState.COMPLETED)], LATEST, "us", "runs_listing"),
        ([("workflow", "eq", "rare")], CHANGED, None, "runs_listing"),
        ([("state", "in", [RunState.FAILED, RunState.BLOCKED])], LATEST, None, "runs_listing_of_seldom"),
        ([("state", "eq", RunState.CANCELLED)], LATEST, "eu", "runs_listing_of_seldom"),
        ([("state", "eq", RunState.FAILED)], CHANGED, None, "runs_listing_of_seldom"),
        ([("state", "eq", RunState.RUNNING)], LATEST, None, "runs_owner"),
        ([("idempotency_key", "eq", "k")], LATEST, None, "runs_idempotency"),
        ([("parent", "eq", "00000000-0000-0000-0000-000000000001")], LATEST, None, "runs_parent"),
        ([(("attributes", "customer"), "eq", 7)], LATEST, None, "runs_attributes"),
        ([], ("id", True), None, "runs_pkey"),
    ],
    ids=str,
)
def test_a_page_of_a_list_is_found_through_an_index(
    dsn: str, grown: str, where: Conditions, order: tuple[str, bool], namespace: str | None, index: str
) -> None:
    asked = Query(namespace, where, order, 26, None)
    reads = reads_of(dsn, grown, lambda journal: journal.query(asked))
    assert reads.pages < PAGES_OF_A_LIST
    assert index in reads.indexes


@pytest.mark.parametrize(
    ("where", "order", "index"),
    [
        ([], CHANGED, "(updated_at, id)"),
        ([("version", "eq", "unknown")], LATEST, "(version, started_at, id)"),
        ([("completed_at", "ge", FAR_AWAY)], LATEST, "(completed_at)"),
    ],
    ids=str,
)
def test_a_query_without_an_index_is_refused_until_there_is_one(
    dsn: str, grown: str, where: Conditions, order: tuple[str, bool], index: LiteralString
) -> None:
    async def ask(journal: PostgresJournal) -> list[RunRow]:
        return await journal.query(Query(None, where, order, 26, None))

    with pytest.raises(UnindexedQuery) as refused:
        reads_of(dsn, grown, ask)
    assert refused.value.index == f'CREATE INDEX CONCURRENTLY ON "{grown}".runs {index}'
    with psycopg.connect(dsn, autocommit=True) as connection:
        made = SQL("create index made on {} " + index).format(Identifier(grown, "runs"))
        connection.execute(made)
        try:
            reads = reads_of(dsn, grown, ask)
        finally:
            connection.execute(SQL("drop index {}").format(Identifier(grown, "made")))
    assert "made" in reads.indexes


def test_a_look_through_runs_reads_those_that_it_looks_at(dsn: str, grown: str) -> None:
    asked = Query(None, [("version", "eq", "unknown")], LATEST, 26, None)

    async def look(journal: PostgresJournal) -> None:
        seen = await journal.look_through(asked, 1_000)
        assert (len(seen.rows), seen.place is None, seen.looked_at <= 1_000) == (0, False, True)

    reads = reads_of(dsn, grown, look)
    # A row may lie in a page of its own.
    assert reads.pages < 1_000 + PAGES_OF_A_LIST
    assert "runs_listing" in reads.indexes


def test_a_query_that_no_index_could_serve_names_none(dsn: str, grown: str) -> None:
    asked = Query(None, [(("attributes", "customer"), "gt", FAR_AWAY)], LATEST, 26, None)
    with pytest.raises(UnindexedQuery, match=r"bound started_at$") as refused:
        reads_of(dsn, grown, lambda journal: journal.query(asked))
    assert refused.value.index is None


def test_an_explanation_reads_what_belongs_to_its_run(dsn: str, grown: str) -> None:
    with psycopg.connect(dsn) as connection:
        (named,) = connection.execute(
            SQL("select run_id::text from {} order by id limit 1").format(Identifier(grown, "inbox"))
        ).fetchall()
    reads = reads_of(dsn, grown, lambda journal: explain(journal, RunId(named[0])))
    assert reads.pages < FEW_PAGES


QUEUED = 20_000
# A thousand tasks, and what else a situation has; the queue has twice as many pages.
PAGES_OF_A_FRONT = 200


def test_the_place_in_a_long_queue_is_found_by_looking_at_its_front(dsn: str) -> None:
    with migrated_schema(dsn) as schema:
        park_runs(dsn, schema, QUEUED)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(SQL("set search_path to {}").format(Identifier(schema)))
            connection.execute(
                "insert into tasks (run_id, seq, dispatch, attempt, activity, queue, isolated, due_at,"
                " arguments, timeout, heartbeat_timeout, priority) select id, 90, 90, 1, 'send', 'mail',"
                " false, now() + row_number() over (order by id) * interval '1 ms', '', 0, 0, 0 from runs"
            )
            connection.execute("analyze tasks")
            ends = connection.execute("select run_id::text from tasks order by due_at").fetchall()
        for (run_id,) in (ends[0], ends[-1]):
            reads = reads_of(dsn, schema, partial(_situation, RunId(run_id)))
            assert reads.pages < PAGES_OF_A_FRONT


async def _situation(run_id: RunId, journal: PostgresJournal) -> None:
    await journal.situation(run_id)


def test_a_page_of_open_runs_continues_where_the_one_before_ended(dsn: str, grown: str) -> None:
    middle = RunId("018bcfe6-ee00-0000-0000-000000000000")
    reads = reads_of(dsn, grown, lambda journal: journal.open_runs(middle, 500))
    assert reads.pages < PAGES_OF_A_LIST
    assert reads.indexes >= {"runs_pkey"}


COUNTED = 1_000
# A step for each of the ten versions that the runs have, and some entries that removed runs have left.
FEW_LOOKS = 100


def test_open_runs_of_versions_are_counted_up_to_a_limit(dsn: str, grown: str) -> None:
    count = SQL("select runs, more from {}(%s)").format(Identifier(grown, "open_versions"))
    with psycopg.connect(dsn) as connection:
        counts = connection.execute(count, (COUNTED,)).fetchall()
        looks = looks_at(connection, grown, "runs")["runs"]
    assert (COUNTED // len(counts), True) in counts
    assert looks.scans == 0
    assert looks.rows <= COUNTED + FEW_LOOKS


def test_versions_without_open_runs_are_found_through_an_index(dsn: str, grown: str) -> None:
    register = SQL(
        "insert into {} (workflow, version, label, module, registered_at) select f, v, '', '', now() "
        "from unnest(%s::text[], %s::text[]) as u (f, v)"
    ).format(Identifier(grown, "versions"))
    known = [("flow1", "v1"), *(("flow1", f"unused{number}") for number in range(50))]
    workflows, versions = map(list, zip(*known, strict=True))
    with psycopg.connect(dsn) as connection:
        connection.execute(register, (workflows, versions))
        asked = (workflows, versions, [None] * len(known))
        deleted = connection.execute(statements_for(grown)["delete_versions"], asked).fetchone()
        looks = looks_at(connection, grown, "runs")["runs"]
        connection.rollback()
    assert deleted == (50,)
    assert looks.scans == 0
    assert looks.rows <= FEW_LOOKS


def test_owned_runs_are_counted_once_in_the_index_of_owners(dsn: str, grown: str, owner: Worker) -> None:
    listed = SQL("insert into {} (node, pid, address, state) values (%s, 1, '', 'up')")
    with psycopg.connect(dsn) as connection:
        connection.execute(listed.format(Identifier(grown, "nodes")), (owner.node,))
        nodes = connection.execute(statements_for(grown)["nodes"]).fetchall()
        looks = looks_at(connection, grown, "runs")["runs"]
        connection.rollback()
    ((live, workers),) = [(row[4], row[9]) for row in nodes]
    assert [worker[2] for worker in workers] == [live]
    assert looks.scans == 0
    assert 0 < live <= looks.rows < 2 * live
