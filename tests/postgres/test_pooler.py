"""Behind a pooler in transaction mode all but LISTEN works, and sessions of others stay as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

import continuum
from continuum import InvalidOption
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.schema import migrate_schema
from tests.postgres.pooler import SESSIONS, pgbouncer
from tests.postgres.using import use


@pytest.fixture
def pooled(dsn: str) -> Iterator[str]:
    """The DSN of a pooler."""
    with pgbouncer(dsn) as pooled:
        yield pooled


def test_a_journal_works_behind_a_pooler(pooled: str, schema: str) -> None:
    asyncio.run(use(pooled, schema, listen=False))


def test_a_schema_is_made_behind_a_pooler(pooled: str, empty_name: str) -> None:
    assert asyncio.run(migrate_schema(pooled, empty_name)).files
    assert not asyncio.run(migrate_schema(pooled, empty_name)).files


def test_other_users_of_a_pooler_find_its_sessions_as_they_were(pooled: str, schema: str) -> None:
    async def settings() -> set[tuple[str, ...]]:
        """Return the settings of every session of the pooler."""
        found: dict[int, tuple[str, ...]] = {}
        while len(found) < SESSIONS:
            connections = [
                await psycopg.AsyncConnection.connect(pooled, prepare_threshold=None) for _ in range(SESSIONS)
            ]
            for connection in connections:
                cursor = await connection.execute(
                    "select pg_backend_pid(), current_setting('search_path'), "
                    "current_setting('statement_timeout'), current_setting('timezone')"
                )
                row = await cursor.fetchone()
                assert row is not None
                found[row[0]] = row[1:]
            for connection in connections:
                await connection.close()
        return set(found.values())

    async def main() -> None:
        before = await settings()
        await migrate_schema(pooled, schema)
        await use(pooled, schema, listen=False)
        assert await settings() == before

    asyncio.run(main())


def test_an_error_behind_a_pooler_leaves_no_transaction_open(pooled: str, schema: str) -> None:
    async def main() -> None:
        journal = PostgresJournal(pooled, schema=schema, listen=False)
        await journal.open()
        try:
            for _ in range(SESSIONS * 3):
                with pytest.raises(psycopg.errors.DivisionByZero):
                    await journal._database.fetch_text(b"select 1 / 0")
            assert await journal._database.fetch_text(b"select 1") == [(1,)]
        finally:
            await journal.close()

    asyncio.run(main())


def test_a_slow_statement_behind_a_pooler_is_waited_for(pooled: str, schema: str) -> None:
    async def main() -> None:
        journal = PostgresJournal(pooled, schema=schema, listen=False)
        journal._database.silence = 0.2
        await journal.open()
        try:
            assert await journal._database.fetch_text(b"select pg_sleep(2)") == [("",)]
        finally:
            await journal.close()

    asyncio.run(main())


def test_a_pooler_without_sessions_is_refused_where_sessions_are_needed(pooled: str, schema: str) -> None:
    async def main() -> None:
        with pytest.raises(InvalidOption, match=r"a pooler in transaction mode.*--no-listen"):
            async with continuum.connect(pooled, schema=schema):
                pass

    asyncio.run(main())


def test_a_pooler_that_keeps_sessions_is_used_like_the_server(dsn: str, schema: str) -> None:
    with pgbouncer(dsn, mode="session") as pooled:
        asyncio.run(use(pooled, schema, listen=True))
