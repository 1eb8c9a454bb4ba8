"""What reads cost in a database with many runs: as much as what they return, whatever else is there."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.journal.port import Query, Worker
from tests.postgres.grown import reads_of

# Some pages for each row that is returned; the table of runs has fifty times as many.
FEW_PAGES = 400
OWNED = 60


@pytest.fixture(scope="module")
def owner(dsn: str, grown: str) -> Worker:
    """A worker that owns some of the runs, those with mail among them."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(
            SQL("""
                with worker as (
                    insert into {schema}.workers (node, role, pid, expires_at)
                    values ('north', 'run_host', 1, now() + interval '1 day') returning id
                ), owned as (
                    update {schema}.runs set owner = (select id from worker)
                    where id = any (array(select {schema}.run_number(n) from generate_series(1, 3 * %s, 3) n))
                      and state = 2
                )
                select id from worker
            """).format(schema=Identifier(grown)),
            (OWNED,),
        ).fetchone()
        connection.execute(SQL("analyze {}").format(Identifier(grown, "runs")))
    assert row is not None
    return Worker(WorkerId(row[0]), NodeId("north"))


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
