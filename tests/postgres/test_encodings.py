"""A database that cannot hold every text is refused; a session's encoding is ours, whatever is configured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier, Literal

import continuum
from continuum import InvalidOption, workflow
from continuum.journal.postgres.schema import check_schema, migrate_schema

TEXT = "emoji \U0001f600 日本 €"


@workflow(name="encodings.quick")
async def quick(text: str) -> str:
    """Return the input."""
    return text


@pytest.fixture(params=["LATIN1", "SQL_ASCII", "EUC_JP"])
def foreign(request: pytest.FixtureRequest, dsn: str) -> Iterator[str]:
    """Yield the DSN of an empty database with another encoding."""
    dbname = f"test_{uuid4().hex[:12]}"
    name = Identifier(dbname)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            SQL("create database {} template template0 encoding {} lc_collate 'C' lc_ctype 'C'").format(
                name, Literal(request.param)
            )
        )
        yield make_conninfo(dsn, dbname=dbname)
        connection.execute(SQL("drop database {} with (force)").format(name))


@pytest.mark.parametrize("use", [migrate_schema, check_schema])
def test_a_database_that_is_not_utf8_is_refused_before_anything_is_written(
    use: Callable[[str, str], Coroutine[object, object, object]], foreign: str
) -> None:
    with pytest.raises(InvalidOption, match="which cannot hold every text; make one with `createdb"):
        asyncio.run(use(foreign, "continuum"))
    with psycopg.connect(foreign) as connection:
        found = connection.execute("select count(*) from pg_namespace where nspname = 'continuum'")
        assert found.fetchone() == (0,)


@pytest.mark.parametrize("way", ["dsn", "environment"])
def test_another_client_encoding_is_overridden(
    way: str, dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "dsn":
        dsn = make_conninfo(dsn, client_encoding="latin1")
    else:
        monkeypatch.setenv("PGCLIENTENCODING", "latin1")

    async def main() -> None:
        await migrate_schema(dsn, schema)
        async with continuum.connect(dsn, schema=schema) as client:
            run = await client.start(quick, TEXT, attributes={"t": TEXT}, idempotency_key=TEXT)
            assert (await run.get()).attributes == {"t": TEXT}

    asyncio.run(main())
