"""P7 on Postgres: a repair that raises the fencing tokens gives no token twice."""

from __future__ import annotations

import asyncio
from typing import LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.contract.builders import owned_run, worker_of
from tests.contract.meetings import meeting

DRAW: LiteralString = (
    "insert into drawn select nextval('{schema}.fencing_token') from generate_series(1, 300000)"
)
# The token of a run lies a little ahead of those that are drawn, again and again.
AHEAD: LiteralString = (
    "do $$ begin for step in 1..300 loop "
    "update {schema}.runs set token = step + (select last_value from {schema}.fencing_token); "
    "perform {schema}.mend_row(id, 'raise_tokens') from {schema}.runs; end loop; end $$"
)
MEND: LiteralString = "select {schema}.mend_row(%s, 'raise_tokens')"


def test_p7_no_token_is_given_twice_while_tokens_are_raised(dsn: str, schema: str) -> None:
    async def raising() -> None:
        async with meeting(dsn, schema) as met, await psycopg.AsyncConnection.connect(dsn) as drawing:
            await owned_run(met.journal, await worker_of(met.journal))
            await drawing.execute("create temporary table drawn (token bigint)")
            drawn = asyncio.create_task(drawing.execute(SQL(DRAW).format(schema=Identifier(schema))))
            while not drawn.done():
                await met.hold(AHEAD)
                await met.other.commit()
            await drawn
            cursor = await drawing.execute("select count(*) - count(distinct token) from drawn")
            assert await cursor.fetchone() == (0,)

    asyncio.run(raising())


@pytest.mark.parametrize("ahead", [1, 5_000_000_000])
def test_p7_the_next_token_is_larger_than_the_one_of_the_run(dsn: str, schema: str, ahead: int) -> None:
    async def raising() -> None:
        async with meeting(dsn, schema) as met:
            run = await owned_run(met.journal, await worker_of(met.journal))
            await met.hold("update {schema}.runs set token = %s where id = %s", run.token + ahead, run.id)
            await met.hold(MEND, run.id)
            await met.other.commit()
            assert await met.journal.draw_tokens(1) == [run.token + ahead + 1]

    asyncio.run(raising())
