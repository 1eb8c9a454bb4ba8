"""A journal in Postgres, and a second transaction that a test holds open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Identifier

from continuum.journal.postgres import PostgresJournal
from tests.contract.builders import until
from tests.contract.lock_watch import waiting_for_locks


@dataclass
class Meeting:
    """A journal, and a second transaction that the test holds open."""

    journal: PostgresJournal
    dsn: str
    schema: str
    other: psycopg.AsyncConnection[Any]

    async def hold(self, statement: LiteralString, *parameters: object) -> None:
        """Execute a statement in the other transaction, and leave it open."""
        await self.other.execute(SQL(statement).format(schema=Identifier(self.schema)), parameters)

    async def waiting(self, number: int) -> None:
        """Wait until `number` of the journal's statements wait for a lock."""
        await until(lambda: waiting_for_locks(self.dsn, self.schema, number))


@asynccontextmanager
async def meeting(dsn: str, schema: str) -> AsyncIterator[Meeting]:
    """Yield a journal and a second transaction."""
    journal = PostgresJournal(dsn, schema=schema)
    await journal.open()
    try:
        async with await psycopg.AsyncConnection.connect(dsn) as other:
            yield Meeting(journal, dsn, schema, other)
    finally:
        await journal.close()


LOCK_RUN: LiteralString = "select from {schema}.runs where id = %s for update"
