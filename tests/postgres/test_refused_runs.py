"""Runs that the server refuses to change fail by themselves in an operation, and cost few statements."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum.engine.ids import RunId
from continuum.journal.operation_facts import Execution, Part
from continuum.journal.postgres import PostgresJournal
from tests.contract.builders import new_run
from tests.contract.operating import begun, outcomes, part, row_of
from tests.postgres.test_sweeps import opened

RUNS = 500
REFUSING = """
create function {schema}.refuses() returns trigger language plpgsql as
$$ begin
    if new.run_id::text in (select * from {schema}.refused) then raise exception 'not that one'; end if;
    return new;
end $$;
create trigger refuses before insert on {schema}.inbox for each row execute function {schema}.refuses()
"""


class CountingJournal(PostgresJournal):
    """A journal that counts the statements that execute parts."""

    statements = 0

    async def _part(self, *given: Any, **facts: Any) -> Part | None:
        self.statements += 1
        return await super()._part(*given, **facts)


async def refusing(dsn: str, schema: str, journal: PostgresJournal, places: Sequence[int]) -> list[RunId]:
    """Start runs of which the server refuses to post to those in some places, and return these."""
    started = await journal.start([new_run() for _ in range(RUNS)])
    refused = [sorted(each.run_id for each in started)[place] for place in places]
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        name = Identifier(schema)
        await connection.execute(
            SQL("create table {}.refused as select unnest(%s::text[])").format(name), [refused]
        )
        await connection.execute(SQL(REFUSING).format(schema=name))
    return refused


@pytest.mark.parametrize(
    # One that fails, nine halves, the run by itself with its error, and what is left.
    ("places", "most"),
    [([0], 13), ([250], 13), ([RUNS - 1], 13), ([3, 4, 400], 33)],
    ids=["the first", "in the middle", "the last", "three"],
)
def test_runs_that_the_server_refuses_are_found_by_halving(
    dsn: str, schema: str, places: list[int], most: int
) -> None:
    async def main() -> tuple[int, set[str], list[RunId]]:
        async with opened(dsn, schema) as plain:
            refused = await refusing(dsn, schema, plain, places)
            journal = CountingJournal(dsn, schema=schema, listen=False)
            await journal.open()
            try:
                execution = await begun(journal, "signal", "workflow:orders", signal="go")
                parts = await all_parts(journal, execution)
                assert sum(each.runs for each in parts) == RUNS
                done = await row_of(journal, execution)
                assert (done.state, done.done, done.failed) == ("completed", RUNS - len(places), len(places))
                found = await failed_runs(journal, execution)
                return journal.statements, found, refused
            finally:
                await journal.close()

    statements, failed, refused = asyncio.run(main())
    assert failed == set(refused)
    assert statements <= most


async def all_parts(journal: PostgresJournal, execution: Execution) -> list[Part]:
    """Execute an operation to its end."""
    parts: list[Part] = []
    while not parts or parts[-1].state == "running":
        made = await part(journal, execution, limit=RUNS, look=10 * RUNS)
        assert made is not None
        parts.append(made)
    return parts


async def failed_runs(journal: PostgresJournal, execution: Execution) -> set[str]:
    """Return the runs that have failed."""
    return {run for run, (_, outcome) in (await outcomes(journal, execution)).items() if outcome == "failed"}
