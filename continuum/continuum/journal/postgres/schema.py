"""Checks, migrates and drops the schema; turns the errors of the migrations and the driver into ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from psycopg.sql import SQL, Identifier

import continuum_migrations
from continuum.errors import InvalidOption, JournalUnavailable, SchemaOutOfDate
from continuum.journal.postgres.connections import checked_dsn, unavailable


async def check_schema(dsn: str, schema: str) -> None:
    """Raise unless the schema is the one that this code was written for."""
    async with _translated():
        await continuum_migrations.check(checked_dsn(dsn), schema)


async def migrate_schema(dsn: str, schema: str) -> list[str]:
    """Bring the schema up to this code and return the files applied."""
    async with _translated():
        return await continuum_migrations.migrate(checked_dsn(dsn), schema)


async def drop_unused_schema(dsn: str, schema: str) -> None:
    """Drop a schema of ours with everything in it; refuse one that is not ours, or that a node uses."""
    async with _translated():
        await continuum_migrations.drop(checked_dsn(dsn), schema)


@dataclass(frozen=True, slots=True)
class Droppable:
    """What a drop of a schema would delete, and where: the host and the name of the database."""

    runs: int
    database: str
    host: str


async def inspect_unused_schema(dsn: str, schema: str) -> Droppable | None:
    """Return what a drop would delete, None if there is nothing; refuse what `drop_unused_schema` refuses."""
    async with (
        _translated(),
        await psycopg.AsyncConnection.connect(
            checked_dsn(dsn), autocommit=True, prepare_threshold=None
        ) as connection,
    ):
        runs = await continuum_migrations.runs_to_drop(connection, schema)
        return None if runs is None else Droppable(runs, connection.info.dbname, connection.info.host)


async def drop_schema(dsn: str, schema: str) -> None:
    """Drop a schema of our own tests with everything in it, if it is there."""
    async with (
        _translated(),
        await psycopg.AsyncConnection.connect(checked_dsn(dsn), autocommit=True) as connection,
    ):
        await connection.execute(SQL("drop schema if exists {} cascade").format(Identifier(schema)))


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
    except psycopg.Error as error:
        raise JournalUnavailable(
            f"Postgres refused ({_first_line(error)}); check what the user of the DSN may do"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
