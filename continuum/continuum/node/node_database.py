"""The database of a node: the one that was named, or this user's embedded Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from continuum.client.connecting import default_dsn
from continuum.journal.postgres.schema import check_schema, migrate_schema
from continuum.local_postgres import EmbeddedPostgres


@contextmanager
def node_database(dsn: str | None, schema: str) -> Iterator[str]:
    """Yield the DSN of a database that has the schema.

    A database that was named is only checked; the schema of the embedded one is ours to migrate.
    """
    address = dsn or default_dsn()
    if address is not None:
        asyncio.run(check_schema(address, schema))
        yield address
        return
    with EmbeddedPostgres() as server:
        asyncio.run(migrate_schema(server.dsn, schema))
        yield server.dsn
