"""A cancelled statement ends with CancelledError, whatever it waits for."""

from __future__ import annotations

import asyncio

import pytest

from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.statements import Statements
from tests.process.actors.hosting import eventually


def test_a_cancellation_is_delivered_at_the_moment_a_connection_becomes_free(dsn: str, schema: str) -> None:
    """Before Python 3.12 the pool swallows it, and a loop that reads would never end."""

    async def main() -> None:
        database = Database(dsn, Statements(schema), pool_size=1)
        await database.open()
        try:
            async with database._pool.connection():
                waiting = asyncio.create_task(database.fetch_text(b"select 1"))
                await eventually(lambda: bool(database._pool._slots._waiters), "it does not wait")
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await database.fetch_text(b"select 1") == [(1,)]
        finally:
            await database.close()

    asyncio.run(main())
