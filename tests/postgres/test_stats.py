"""Statistics in Postgres: what a read looks at, what a sweep removes, and renewals that lack the table."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum.engine.ids import NodeId
from continuum.journal.port import NodeFacts
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.statements import statements_for
from continuum.journal.stat_port import HOUR, MICROSECONDS, MINUTE, Stat, StatsWanted
from continuum.telemetry.buckets import MOST_BUCKETS
from continuum.telemetry.tallies import Tally
from tests.contract.builders import worker_of
from tests.postgres.grown import reads_of

NORTH = NodeFacts(NodeId("north"), 10, "loopback:1", "up")
# A week of 20 workflows, by the minute and by the hour: a tenth of the limit of names.
WEEK = """
insert into {schema}.stats (period, since, metric, subject, outcome, number, total, buckets)
select p, date_bin(p * interval '1 s', now(), 'epoch') - n * p * interval '1 s',
       'run.duration', 'flow ' || w, '', 1, 0.1, '{{0,0,0,0,0,0,1}}'
from unnest(array[60, 3600]) p, generate_series(0, 7 * 86400 / p - 1) n, generate_series(1, 20) w
"""


def executed(dsn: str, schema: str, *texts: str) -> list[tuple[object, ...]]:
    """Execute SQL on the schema; return the rows of the last text."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for text in texts:
            cursor = connection.execute(SQL(text).format(schema=Identifier(schema)))
        return cursor.fetchall() if cursor.description else []


def with_journal(dsn: str, schema: str, use: Callable[[PostgresJournal], Awaitable[None]]) -> None:
    """Use an open journal."""

    async def main() -> None:
        journal = PostgresJournal(dsn, schema=schema, listen=False)
        await journal.open()
        try:
            await use(journal)
        finally:
            await journal.close()

    asyncio.run(main())


def of_the_last(seconds: int, journal: PostgresJournal, **options: object) -> StatsWanted:
    """Return what asks for the last seconds of every workflow."""
    since = journal.now() - journal.now() % (MINUTE * MICROSECONDS) - seconds * MICROSECONDS
    until = since + seconds * MICROSECONDS
    return StatsWanted(since, until, ["run.duration"], **options)  # type: ignore[arg-type]


def test_a_read_of_the_last_hour_or_of_one_workflow_looks_at_its_own_rows_alone(
    dsn: str, schema: str
) -> None:
    """There are 205,000 rows. What is read is counted once for each row, and a little for the index."""
    executed(dsn, schema, WEEK, "vacuum analyze {schema}.stats")

    hour = reads_of(dsn, schema, lambda journal: journal.stats(of_the_last(HOUR, journal)))
    week = reads_of(
        dsn, schema, lambda journal: journal.stats(of_the_last(7 * 24 * HOUR, journal, step=6 * HOUR))
    )
    one = reads_of(
        dsn, schema, lambda journal: journal.stats(of_the_last(24 * HOUR, journal, subject="flow 7"))
    )
    totals = reads_of(dsn, schema, lambda journal: journal.stat_totals())

    assert hour.pages < 60 * 20 + 100
    assert week.pages < 7 * 24 * 20 + 200
    assert one.pages < 24 + 50
    assert totals.pages < 20


def test_a_sweep_removes_minutes_of_yesterday_and_hours_of_last_month_in_parts(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("continuum.journal.postgres.sweeps.ROWS_PER_SWEEP", 5)
    rows = """
    insert into {schema}.stats
    select p, now() - n * interval '1 h', 'run.ended', 'flow ' || n, 'failed', 1, 0, '{{}}'::float8[]
    from (values (60, 23), (60, 25), (60, 26), (3600, 834), (3600, 841)) as v (p, n)
    union all select 60, now() - interval '2 days', 'run.ended', 'old ' || n, 'failed', 1, 0, '{{}}'::float8[]
    from generate_series(1, 30) n
    union all select 0, 'epoch', 'run.ended', 'flow 1', 'failed', 1, 0, '{{}}'::float8[]
    """
    left = "select period, subject from {schema}.stats order by 1"
    executed(dsn, schema, rows)

    async def sweep(journal: PostgresJournal) -> None:
        await journal.sweep()

    with_journal(dsn, schema, sweep)
    assert len(executed(dsn, schema, left)) == 36 - 10 - 1
    for _ in range(3):
        with_journal(dsn, schema, sweep)
    assert executed(dsn, schema, left) == [(0, "flow 1"), (60, "flow 23"), (3600, "flow 834")]


def test_leases_are_renewed_without_the_table(
    dsn: str, schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def renew(journal: PostgresJournal) -> None:
        worker = await worker_of(journal)
        with caplog.at_level(logging.WARNING):
            renewal = await journal.renew([worker.id], 60.0, NORTH, counted=[Tally("lease.lost", "", "", 1)])
        assert renewal.held == {worker.id}

    executed(dsn, schema, "drop table {schema}.stats")

    with_journal(dsn, schema, renew)

    (record,) = [record for record in caplog.records if record.name == "continuum.journal"]
    assert record.getMessage().startswith("statistics are lost: ")


def test_a_renewal_that_counts_is_a_renewal_in_all_else(schema: str) -> None:
    plain, counting = (statements_for(schema)[name].decode() for name in ("renew", "renew_counting"))
    before, _, rest = counting.partition("), counted AS (")

    assert before + ")\nSELECT ARRAY(" + rest.partition(")\nSELECT ARRAY(")[2] == plain


def test_every_bucket_is_read(dsn: str, schema: str) -> None:
    full = Tally("run.duration", "flow", "", MOST_BUCKETS, 1.0, (1,) * MOST_BUCKETS)

    async def count(journal: PostgresJournal) -> None:
        await journal.renew([], 60.0, None, counted=[full])
        wanted = of_the_last(HOUR, journal)
        later = StatsWanted(wanted.since, journal.now() + MICROSECONDS, wanted.metrics)
        assert await journal.stats(later) == [Stat(wanted.since, full)]

    with_journal(dsn, schema, count)
