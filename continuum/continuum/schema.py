"""The database schema, with its errors told in this package's words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import continuum_migrations
from continuum.errors import ContinuumError, InvalidOption, JournalUnavailable, SchemaOutOfDate


@asynccontextmanager
async def _told(dsn: str) -> AsyncIterator[None]:
    try:
        yield
    except continuum_migrations.InvalidSchemaName as error:
        raise InvalidOption(str(error)) from error
    except continuum_migrations.MigrationError as error:
        raise SchemaOutOfDate(str(error)) from error
    except ContinuumError:
        raise
    except OSError as error:
        raise JournalUnavailable(
            f"Postgres cannot be reached ({error}); check the DSN and the server"
        ) from error


async def check_schema(dsn: str, schema: str) -> None:
    """Refuse a schema that is missing, older or newer than this code, and a server that is too old."""
    async with _told(dsn):
        await continuum_migrations.check(dsn, schema)


async def migrate_schema(dsn: str, schema: str) -> list[int]:
    """Bring the schema up to date and return the numbers of the migrations applied."""
    async with _told(dsn):
        return await continuum_migrations.migrate(dsn, schema)
