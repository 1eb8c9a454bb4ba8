"""Sessions are set up by us, whatever the database, the role or the DSN says, also behind a pooler."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier, Literal

from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.schema import check_schema, migrate_schema
from tests.postgres.using import use

# What an operator may have configured for other programs, and what we need.
ODD = {
    "client_encoding": ("LATIN1", "UTF8"),
    "search_path": ("nowhere", "pg_catalog, pg_temp"),
    "default_transaction_isolation": ("serializable", "read committed"),
    "default_transaction_deferrable": ("on", "off"),
    "timezone": ("Asia/Kolkata", "UTC"),
    "datestyle": ("German, DMY", "ISO, MDY"),
    "intervalstyle": ("iso_8601", "postgres"),
    "bytea_output": ("escape", "hex"),
    "extra_float_digits": ("-10", "1"),
    "standard_conforming_strings": ("off", "on"),
    "array_nulls": ("off", "on"),
    "transform_null_equals": ("on", "off"),
    "row_security": ("off", "on"),
    "lock_timeout": ("50ms", "0"),
    "statement_timeout": ("300ms", "5min"),
    "idle_session_timeout": ("100ms", "0"),
    "idle_in_transaction_session_timeout": ("100ms", "1min"),
    "synchronous_commit": ("off", "on"),
}


@pytest.fixture(params=["database", "role"])
def odd(request: pytest.FixtureRequest, dsn: str) -> Iterator[str]:
    """Yield the DSN of an empty database, whose name is not ASCII, with odd settings."""
    name, role = f"tëst_{uuid4().hex[:12]} €", f"röle_{uuid4().hex[:12]}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL("create database {}").format(Identifier(name)))
        connection.execute(SQL("create role {} superuser login").format(Identifier(role)))
        whose = (
            SQL("database {}").format(Identifier(name))
            if request.param == "database"
            else (SQL("role {}").format(Identifier(role)))
        )
        for setting, (value, _) in ODD.items():
            connection.execute(
                SQL("alter {} set {} to {}").format(whose, Identifier(setting), Literal(value))
                if setting != "search_path"
                else SQL("alter {} set search_path to nowhere").format(whose)
            )
        try:
            yield make_conninfo(dsn, dbname=name, user=role)
        finally:
            connection.execute(SQL("drop database {} with (force)").format(Identifier(name)))
            connection.execute(SQL("drop role {}").format(Identifier(role)))


@pytest.fixture(params=[True, False], ids=["sessions", "transactions"])
def listen(request: pytest.FixtureRequest) -> bool:
    """Whether a connection keeps its session, or each transaction has another one."""
    return bool(request.param)


def test_every_setting_is_ours(odd: str, listen: bool) -> None:
    async def main() -> None:
        journal = PostgresJournal(odd, listen=listen)
        await journal._database.open()
        try:
            text = "select " + ", ".join(f"current_setting('{name}')" for name in ODD)
            rows = [
                await journal._database.fetch_text(text.encode()),
                await journal._database.fetch_text(b"show transaction_isolation"),
            ]
        finally:
            await journal.close()
        assert dict(zip(ODD, rows[0][0], strict=True)) == {name: ours for name, (_, ours) in ODD.items()}
        assert rows[1] == [("read committed",)]

    asyncio.run(main())


def test_a_journal_works_whatever_is_configured(odd: str, listen: bool) -> None:
    async def main() -> None:
        await migrate_schema(odd, "continuum")
        await check_schema(odd, "continuum")
        await use(odd, "continuum", listen=listen)

    asyncio.run(main())
