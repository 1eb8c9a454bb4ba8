"""`connect`: opens a client on a DSN, on a named instance, or on the default database.

An explicit DSN wins. Without one, `connect` takes what `configure` was called with (for the
default name), then the instance of that name that runs in this process, then the DSN in
CONTINUUM_DSN, then this user's embedded Postgres. It migrates the schema of the embedded
server, and only checks the schema of any other database.

Postgres is imported by the first call that needs it: the driver is half of what importing `continuum`
would cost, and a module of workflows never connects.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from continuum.client.client import Client
from continuum.client.instances import (
    DEFAULT,
    DEFAULT_SCHEMA,
    MemoryPlace,
    Place,
    configured_default,
    find,
    not_registered,
    port_to,
)
from continuum.errors import InvalidOption
from continuum.quoting import quoted


@asynccontextmanager
async def connect(
    dsn: str | None = None, *, name: str = DEFAULT, schema: str | None = None, listen: bool = True
) -> AsyncIterator[Client]:
    """Open a client on a database, or on the instance of this name that runs in this process.

    `schema` defaults to the instance's, or to "continuum". `listen` False polls without
    LISTEN, for connection poolers that do not support it.
    """
    place = find_place(Place(dsn, name, schema, listen))
    if isinstance(place, MemoryPlace):
        if place.loop is not asyncio.get_running_loop():
            raise InvalidOption(
                f"instance {quoted(name)} has a journal that belongs to another event loop; connect there"
            )
        async with Client(place.journal, name=name, port=port_to(place, name, None)) as client:
            yield client
        return
    from continuum.journal.postgres import PostgresJournal

    async with database(place.dsn) as address:
        known = place.schema or DEFAULT_SCHEMA
        await prepare_schema(place.dsn, address, known)
        journal = PostgresJournal(address, schema=known, listen=place.listen)
        await journal.open()
        try:
            async with Client(journal, name=name, port=port_to(place, name, default_dsn())) as client:
                yield client
        finally:
            await journal.close()


def find_place(asked: Place) -> Place | MemoryPlace:
    """Return where the journal of a `connect` call is."""
    if asked.dsn is None and asked.name == DEFAULT and (configured := configured_default()) is not None:
        asked = replace(
            configured,
            schema=asked.schema or configured.schema,
            listen=asked.listen and configured.listen,
        )
    if asked.dsn is not None:
        return asked
    instance = find(asked.name)
    if instance is None:
        if asked.name != DEFAULT:
            raise not_registered(asked.name)
        return asked
    place = instance.place
    if isinstance(place, MemoryPlace):
        return place
    if asked.schema not in (None, place.schema):
        raise InvalidOption(
            f"instance {quoted(asked.name)} has the schema {quoted(place.schema)}, not "
            f"{quoted(asked.schema)}; "
            "leave schema out, or pass a dsn"
        )
    return replace(place, listen=asked.listen and place.listen)


async def prepare_schema(dsn: str | None, address: str, schema: str) -> None:
    """Check the schema of a database that the user named; migrate the schema of the embedded server."""
    from continuum.journal.postgres.schema import check_schema, migrate_schema

    if address == (dsn or default_dsn()):
        await check_schema(address, schema)
    else:
        await migrate_schema(address, schema)


@asynccontextmanager
async def database(dsn: str | None = None) -> AsyncIterator[str]:
    """Yield the DSN to connect to: the given one, that of the environment, or the embedded server's."""
    address = dsn or default_dsn()
    if address is not None:
        from continuum.journal.postgres.connector import checked_dsn

        yield checked_dsn(address)
        return
    from continuum.local_postgres import EmbeddedPostgres

    async with EmbeddedPostgres() as server:
        yield server.dsn


def default_dsn() -> str | None:
    """Return the DSN of the environment (CONTINUUM_DSN), if there is one."""
    return os.environ.get("CONTINUUM_DSN") or None
