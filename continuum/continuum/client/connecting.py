"""From a DSN, or none, to a client.

Without a DSN, neither given nor in CONTINUUM_DSN, it is this user's embedded Postgres,
whose schema is ours to migrate. A database that was named is only checked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict

import continuum_migrations
from continuum.client.client import Client
from continuum.config import default_dsn
from continuum.embedded import EmbeddedPostgres
from continuum.errors import InvalidOption, JournalUnavailable, SchemaOutOfDate
from continuum.journal.postgres import PostgresJournal


@asynccontextmanager
async def connect(
    dsn: str | None = None, *, name: str = "default", schema: str = "continuum", listen: bool = True
) -> AsyncIterator[Client]:
    """Open a client on a database; `listen` False does without LISTEN, which poolers lack."""
    async with database(dsn) as address:
        await (check_schema if address == (dsn or default_dsn()) else migrate_schema)(address, schema)
        journal = PostgresJournal(address, schema=schema, listen=listen)
        await journal.open()
        try:
            async with Client(journal, name=name) as client:
                yield client
        finally:
            await journal.close()


@asynccontextmanager
async def database(dsn: str | None = None) -> AsyncIterator[str]:
    """Yield where to connect: the DSN given, that of the environment, or the embedded server's."""
    address = dsn or default_dsn()
    if address is not None:
        yield _checked(address)
        return
    async with EmbeddedPostgres() as server:
        yield server.dsn


async def check_schema(dsn: str, schema: str) -> None:
    """Raise unless the schema is the one that this code was written for."""
    async with _told():
        await continuum_migrations.check(dsn, schema)


async def migrate_schema(dsn: str, schema: str) -> list[int]:
    """Bring the schema up to this code and return the versions applied."""
    async with _told():
        return await continuum_migrations.migrate(dsn, schema)


def _checked(dsn: str) -> str:
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # Neither the text nor the driver's message is shown: a password may be in it.
        raise InvalidOption(
            "the DSN cannot be read; give one like postgresql://user@host:5432/database"
        ) from None
    return dsn


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Turn what the migrations and the driver raise into our errors."""
    try:
        yield
    except continuum_migrations.InvalidSchemaName as error:
        raise InvalidOption(str(error)) from error
    except continuum_migrations.ServerTooOld as error:
        raise JournalUnavailable(str(error)) from error
    except continuum_migrations.MigrationError as error:
        raise SchemaOutOfDate(str(error)) from error
    except psycopg.OperationalError as error:
        raise JournalUnavailable(
            f"Postgres cannot be reached ({_first_line(error)}); check the DSN and the server"
        ) from error
    except psycopg.Error as error:
        raise JournalUnavailable(
            f"Postgres refused ({_first_line(error)}); check what the user of the DSN may do"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
