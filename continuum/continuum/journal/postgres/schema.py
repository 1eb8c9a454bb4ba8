"""Checks, migrates and drops the schema; turns the errors of the migrations and the driver into ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

import continuum_migrations
from continuum.errors import InvalidOption, JournalUnavailable, SchemaOutOfDate
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.limits import MIGRATION_SECONDS, STATEMENT_SECONDS
from continuum.journal.postgres.changes import stored_facts
from continuum.journal.postgres.connector import Connector
from continuum.journal.postgres.driver_errors import (
    UNKNOWN_OBJECTS,
    StandbyError,
    first_line,
    lacking,
    no_writes,
    unavailable,
)
from continuum.journal.postgres.watched_connection import WatchedConnection
from continuum.quoting import listed


async def check_schema(dsn: str, schema: str) -> None:
    """Raise unless the schema is the one that this code was written for, with all its functions."""
    async with schema_connection(dsn, STATEMENT_SECONDS) as connection:
        await continuum_migrations.check(connection, schema, functions=True)


async def check_version(dsn: str, schema: str) -> None:
    """Raise unless the schema is of the version that this code was written for."""
    async with schema_connection(dsn, STATEMENT_SECONDS) as connection:
        await continuum_migrations.check(connection, schema)


async def losses_of(dsn: str, schema: str) -> str | None:
    """Return what tables, columns, sequences and views the schema of this code has lost, None if nothing."""
    async with schema_connection(dsn, STATEMENT_SECONDS) as connection:
        lost = (await continuum_migrations.lost_parts(connection, schema)).named()
    return (
        None
        if not lost
        else (
            f"schema {schema} has lost {listed(lost)}; `continuum doctor --schema {schema}` says how "
            f"{'it comes' if len(lost) == 1 else 'each comes'} back"
        )
    )


@dataclass(frozen=True, slots=True)
class Migrated:
    """The files that it applied, the functions and views that it created again, the indexes that are lost."""

    files: Sequence[str]
    restored: Sequence[str] = ()
    lost_indexes: Sequence[str] = ()


async def migrate_schema(
    dsn: str, schema: str, *, facts_about: Callable[[Sequence[str]], AuditFacts | None] | None = None
) -> Migrated:
    """Bring the schema up to this code, with all its functions, and return what was done.

    Each transaction writes its row of the audit with `facts_about` its files, once the schema has an audit.
    """

    async def record(connection: psycopg.AsyncConnection[Any], files: Sequence[str]) -> None:
        facts = None if facts_about is None else facts_about(files)
        name = f'"{schema}".record_change'
        cursor = await connection.execute("select to_regproc(%s) is not null", (name,))
        if facts is not None and await cursor.fetchone() == (True,):
            statement = SQL("select {}(%s::jsonb, %s)").format(Identifier(schema, "record_change"))
            await connection.execute(statement, (stored_facts(facts), ChangeOutcome.DONE.value))

    async with schema_connection(dsn, MIGRATION_SECONDS) as connection:
        files = await continuum_migrations.migrate(connection, schema, record=record)
        restored = await continuum_migrations.restore_functions(connection, schema, record=record)
        return Migrated(files, restored, await continuum_migrations.lost_indexes(connection, schema))


async def drop_unused_schema(dsn: str, schema: str) -> None:
    """Drop a schema of ours with everything in it; refuse one that is not ours, or that a node uses."""
    async with schema_connection(dsn, MIGRATION_SECONDS) as connection:
        await continuum_migrations.drop(connection, schema)


@dataclass(frozen=True, slots=True)
class Droppable:
    """What a drop of a schema would delete, and where: the host and the name of the database."""

    runs: int
    database: str
    host: str


async def inspect_unused_schema(dsn: str, schema: str) -> Droppable | None:
    """Return what a drop would delete, None if there is nothing; refuse what `drop_unused_schema` refuses."""
    async with schema_connection(dsn, STATEMENT_SECONDS) as connection:
        runs = await continuum_migrations.runs_to_drop(connection, schema)
        return None if runs is None else Droppable(runs, connection.info.dbname, connection.info.host)


async def drop_schema(dsn: str, schema: str) -> None:
    """Drop a schema of our own tests with everything in it, if it is there."""
    async with schema_connection(dsn, MIGRATION_SECONDS) as connection:
        await connection.execute(SQL("drop schema if exists {} cascade").format(Identifier(schema)))


@asynccontextmanager
async def schema_connection(dsn: str, longest: float) -> AsyncIterator[WatchedConnection]:
    """Yield a connection for what is done to a schema, whose statements may take `longest` seconds."""
    connector = Connector(dsn, longest=longest)
    async with _translated():
        connection = await connector.connect_for_schema()
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """Turn what the migrations and the driver raise into our errors."""
    try:
        yield
    except (continuum_migrations.InvalidSchemaName, continuum_migrations.NotUtf8) as error:
        raise InvalidOption(str(error)) from error
    except continuum_migrations.ServerTooOld as error:
        raise JournalUnavailable(str(error)) from error
    except continuum_migrations.MigrationError as error:
        raise SchemaOutOfDate(str(error)) from error
    except psycopg.OperationalError as error:
        raise unavailable(error) from error
    except StandbyError as error:
        raise no_writes() from error
    except UNKNOWN_OBJECTS as error:
        raise lacking(error) from error
    except psycopg.Error as error:
        raise JournalUnavailable(
            f"Postgres refused ({first_line(error)}); check what the user of the DSN may do"
        ) from error
