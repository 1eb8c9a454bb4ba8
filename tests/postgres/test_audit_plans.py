"""What a page of the record of changes costs when there are many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum.journal.audit_facts import AuditQuery
from continuum.journal.postgres import PostgresJournal
from tests.postgres.grown import reads_of

ROWS = 50_000
# Each of the 25 rows may be on a page of its own; the table has more than a thousand.
FEW_PAGES = 40
FILL = """
insert into {schema}.audit (id, at, actor, via, action, subject, arguments, outcome)
select gen_random_uuid(), now() - n * interval '1 second', 'ann', 'cli', 'signal', 'run ' || n %% 5000,
    '{{}}', 'done'
from generate_series(1, %s) n
"""
NOW = int(datetime.now(UTC).timestamp()) * 1_000_000
LATE = NOW - int(timedelta(hours=10) / timedelta(microseconds=1))
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (AuditQuery(25), "audit_by_time"),
        (AuditQuery(25, (LATE, NOBODY)), "audit_by_time"),
        (AuditQuery(25, since=LATE), "audit_by_time"),
        (AuditQuery(25, actor="ann", action="signal"), "audit_by_time"),
        (AuditQuery(25, subject="run 7"), "audit_of_subject"),
    ],
    ids=["first", "later", "since", "actor", "subject"],
)
def test_a_page_reads_few_pages_of_a_long_record(
    dsn: str, schema: str, query: AuditQuery, index: str
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL(FILL).format(schema=Identifier(schema)), (ROWS,))
        connection.execute(SQL("vacuum analyze {}").format(Identifier(schema, "audit")))

    async def page(journal: PostgresJournal) -> None:
        await journal.audited(query)

    reads = reads_of(dsn, schema, page)
    assert reads.indexes == {index}
    assert reads.pages < FEW_PAGES
