"""A statement that the server refuses for good is not reported as an outage, which callers wait for."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from continuum.errors import JournalUnavailable
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.statements import Statements

TOO_LONG = b"select repeat('x', 1100000000)"
CANCELLED = b"do $$ begin raise exception using errcode = '57014'; end $$"


def test_a_statement_beyond_the_servers_limits_is_not_an_outage(dsn: str, schema: str) -> None:
    with pytest.raises(psycopg.errors.ProgramLimitExceeded):
        run(dsn, schema, TOO_LONG)


def test_a_cancelled_statement_is_an_outage(dsn: str, schema: str) -> None:
    with pytest.raises(JournalUnavailable):
        run(dsn, schema, CANCELLED)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("57014", "Postgres cancelled a statement"),
        ("40001", "Postgres ended a transaction in favour of another"),
        ("40P01", "Postgres ended a transaction in favour of another"),
        ("55P03", "Postgres did not get a lock"),
        ("53200", "Postgres is short of resources"),
        ("57P03", "Postgres cannot be reached"),
        ("08006", "Postgres cannot be reached"),
    ],
)
def test_an_outage_is_called_unreachable_only_if_it_is(state: str, words: str, dsn: str, schema: str) -> None:
    statement = f"do $$ begin raise exception 'why' using errcode = '{state}'; end $$"
    with pytest.raises(JournalUnavailable, match=rf"^{words} \(why\)"):
        run(dsn, schema, statement.encode())


def run(dsn: str, schema: str, statement: bytes) -> None:
    """Run a statement as the journal does."""

    async def main() -> None:
        database = Database(dsn, Statements(schema))
        await database.open()
        try:
            await database.fetch_text(statement)
        finally:
            await database.close()

    asyncio.run(main())
