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
