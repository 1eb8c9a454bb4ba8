"""From a DSN, or none, to a client.

Without a DSN, neither given nor in CONTINUUM_DSN, it is this user's embedded Postgres,
whose schema is ours to migrate. A database that was named is only checked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from continuum.client.client import Client
from continuum.config import default_dsn
from continuum.embedded import EmbeddedPostgres
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.database import checked_dsn
from continuum.schema import check_schema, migrate_schema


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
        yield checked_dsn(address)
        return
    async with EmbeddedPostgres() as server:
        yield server.dsn
