"""Sweeps in parts: each looks at a bounded number of rows, and together they reach everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from continuum.engine.ids import RunId
from continuum.journal.postgres import PostgresJournal, sweeps
from tests.contract.builders import commit, end, owned_runs, signal, worker_of, write
from tests.postgres.grown import looks_at

# Rows of each table that a part of a sweep looks at, after those of a run in the middle.
PART = 2_000
MIDDLE = "018bcfe5-6900-0000-0000-000000000000"


@asynccontextmanager
async def opened(dsn: str, schema: str) -> AsyncIterator[PostgresJournal]:
    """Yield an open journal."""
    journal = PostgresJournal(dsn, schema=schema, listen=False)
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()


async def ended_with_leftovers(journal: PostgresJournal, runs: int, rows: int) -> list[RunId]:
    """End so many runs, each with heartbeats that came too late; one more run with heartbeats continues."""
    worker = await worker_of(journal)
    *ending, live = await owned_runs(journal, worker, runs + 1)
    await commit(journal, worker, *(write(run, transition=end()) for run in ending))
    for run in (*ending, live):
        for seq in range(rows):
            await journal.heartbeat(run.id, seq, b"late")
    return [live.id]


def test_parts_of_sweeps_together_remove_everything_that_ended_runs_left(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "ROWS_PER_SWEEP", 3)
    monkeypatch.setattr(sweeps, "PARTS_PER_SWEEP", 2)

    async def main() -> None:
        async with opened(dsn, schema) as journal:
            (live,) = await ended_with_leftovers(journal, runs=5, rows=4)
            removed: list[int] = []
            while sum(removed) < 20:
                removed.append(await journal.sweep())
            assert max(removed) <= 12
            assert len(await journal.last_heartbeats(live)) == 4
            assert [await journal.sweep() for _ in range(10)] == [0] * 10

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_run_with_more_rows_than_a_part_removes_is_swept_whole(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "ROWS_PER_SWEEP", 2)

    async def main() -> None:
        async with opened(dsn, schema) as journal:
            await ended_with_leftovers(journal, runs=1, rows=30)
            removed = 0
            while removed < 30:
                removed += await journal.sweep()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_one_node_sweeps_at_a_time_and_the_others_do_not_wait(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with opened(dsn, schema) as journal, opened(dsn, schema) as other:
            await ended_with_leftovers(journal, runs=1, rows=1)
            with psycopg.connect(dsn) as sweeping:
                zero = "00000000-0000-0000-0000-000000000000"
                statement = SQL("select removed from {}(%s::uuid[], 100)").format(
                    Identifier(schema, "sweep_leftovers")
                )
                assert sweeping.execute(statement, ([zero] * sweeps.TABLES_SWEPT,)).fetchone() == (1,)
                assert await other.sweep() == 0
                sweeping.rollback()
            assert await other.sweep() == 1

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("rights", [(), ("INSERT",), ("INSERT", "SELECT", "DELETE")])
def test_a_role_that_may_not_remove_what_is_recorded_sweeps_the_rest(
    dsn: str, schema: str, rights: tuple[LiteralString, ...]
) -> None:
    role = f"writer_{uuid4().hex[:6]}"
    named = {"schema": Identifier(schema), "role": Identifier(role)}

    async def main() -> None:
        async with opened(dsn, schema) as journal:
            await ended_with_leftovers(journal, runs=1, rows=1)
        async with opened(make_conninfo(dsn, user=role), schema) as journal:
            assert await journal.sweep() == 1

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(role)))
        connection.execute(SQL("GRANT USAGE ON SCHEMA {schema} TO {role}").format(**named))
        connection.execute(SQL("GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}").format(**named))
        connection.execute(SQL("REVOKE ALL ON {schema}.audit FROM {role}").format(**named))
        for right in rights:
            grant = SQL("GRANT {right} ON {schema}.audit TO {role}").format(right=SQL(right), **named)
            connection.execute(grant)
        try:
            asyncio.run(main())
        finally:
            connection.execute(SQL("DROP OWNED BY {role}").format(**named))
            connection.execute(SQL("DROP ROLE {role}").format(**named))


def test_the_delivery_ids_of_live_runs_survive_every_part(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with opened(dsn, schema) as journal:
            worker = await worker_of(journal)
            ended, live = await owned_runs(journal, worker, 2)
            await journal.post([signal(run.id, key="a") for run in (ended, live)])
            await commit(journal, worker, write(ended, transition=end()))
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(
                    SQL("update {} set completed_at = now() - interval '25 hours' where id = %s").format(
                        Identifier(schema, "runs")
                    ),
                    (ended.id,),
                )
                await journal.sweep()
                kept = connection.execute(
                    SQL("select run_id::text from {}").format(Identifier(schema, "deliveries"))
                ).fetchall()
            assert kept == [(live.id,)]

    asyncio.run(main())


def test_a_part_of_a_sweep_looks_at_few_rows_of_tables_that_have_grown(session_dsn: str, grown: str) -> None:
    part = SQL("select removed from {}(%s::uuid[], %s)").format(Identifier(grown, "sweep_leftovers"))
    with psycopg.connect(session_dsn) as connection:
        connection.execute(part, ([MIDDLE] * sweeps.TABLES_SWEPT, PART))
        looks = looks_at(connection, grown, "runs", "inbox", "deliveries")
        connection.rollback()
    assert {name: look.scans for name, look in looks.items()} == {"runs": 0, "inbox": 0, "deliveries": 0}
    # Each row leads to its run, and to those of its chain, and is looked at again to be removed.
    assert PART <= looks["runs"].rows <= 4 * PART
    assert max(looks["inbox"].rows, looks["deliveries"].rows) <= 4 * PART
