"""Reads what the engine stands on: the server, the schema, the rights of the role, and whether LISTEN works.

It changes nothing, and also reads what it can from a server that a node would refuse.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg

from continuum.errors import ContinuumError, InvalidOption, SchemaOutOfDate
from continuum.journal.connection_room import ConnectionRoom
from continuum.journal.ground_facts import (
    ClockReading,
    Ground,
    Holder,
    Lacking,
    Setting,
    StoredIndex,
    StoredTable,
)
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.connector import Connector
from continuum.journal.postgres.driver_errors import translated
from continuum.journal.postgres.health import health_node
from continuum.journal.postgres.schema import check_version
from continuum.journal.postgres.statements import Statements, statements_for
from continuum_migrations import OLDEST_SERVER, lost_parts

SETTINGS = (
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "autovacuum",
    "track_counts",
    "default_transaction_read_only",
    "max_connections",
)
# A notification takes milliseconds; a loaded server is given more.
HEARD_WITHIN_SECONDS = 5.0
# The quickest of a few round trips says most about a clock.
CLOCK_READINGS = 5


async def read_ground(dsn: str, schema: str, *, clock: Callable[[], float] = time.time) -> Ground:
    """Return what a server and a schema are like; `clock` is this machine's, in seconds since the epoch."""
    async with translated():
        connection = await Connector(dsn).connect_for_schema()
        async with connection:
            reader = _Reader(connection, statements_for(schema))
            ground = await reader.server(clock)
            if ground.server_version >= OLDEST_SERVER * 10_000:
                ground = await reader.with_schema(ground, dsn)
    # A standby notifies nobody.
    return ground if ground.in_recovery else replace(ground, unheard=await unheard(dsn, schema))


async def unheard(dsn: str, schema: str) -> str | None:
    """Listen as a node does, notify on another connection, and return why that did not arrive, if so."""
    statements = statements_for(schema)
    database = Database(dsn, statements, pool_size=1)
    channel, word = statements.channel("doctor"), uuid4().hex
    try:
        await database.open()
        ear = await database.listen([channel])
        await database.fetch_text(b"SELECT pg_notify(%s, %s)", (channel, word))
        while (arrived := await ear.next(HEARD_WITHIN_SECONDS)) is not None:
            if arrived[1] == word:
                return None
    except InvalidOption:
        return "the DSN leads to a pooler in transaction mode, which gives each transaction another session"
    except ContinuumError as error:
        return str(error)
    finally:
        await database.close()
    return f"a notification did not arrive within {HEARD_WITHIN_SECONDS:g} s"


class _Reader:
    """Asks one connection."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], statements: Statements) -> None:
        self._connection = connection
        self._statements = statements
        self._parameters = {"schema": statements.schema, "names": list(SETTINGS)}

    async def server(self, clock: Callable[[], float]) -> Ground:
        """Return what needs no right to use the schema."""
        ((version, role, database, recovering, usable),) = await self._fetch("ground")
        lacking = await self._fetch("ground_rights")
        if usable is False:
            lacking.insert(0, ("schema", self._statements.schema, ["USAGE"]))
        return Ground(
            role=role,
            database=database,
            schema=self._statements.schema,
            server_version=version,
            in_recovery=recovering,
            settings={
                name: Setting(value, source) for name, value, source in await self._fetch("ground_settings")
            },
            clock=await self._clock(clock),
            holders=tuple(Holder(*row) for row in await self._fetch("ground_holders")),
            hidden=(await self._fetch("ground_hidden"))[0][0],
            lacking=tuple(Lacking(kind, name, tuple(rights)) for kind, name, rights in lacking),
        )

    async def with_schema(self, ground: Ground, dsn: str) -> Ground:
        """Add what the schema is like, unless it is not ours or this role may not read it."""
        if any(each.kind == "schema" or "SELECT" in each.rights for each in ground.lacking):
            return ground
        try:
            await check_version(dsn, ground.schema)
        except SchemaOutOfDate as error:
            return replace(ground, schema_problem=str(error))
        lost = await lost_parts(self._connection, ground.schema)
        return replace(
            ground,
            lost_columns=tuple(lost.columns),
            lost_sequences=tuple(lost.sequences),
            lost_views=tuple(lost.views),
            indexes=tuple(StoredIndex(*row) for row in await self._fetch("ground_indexes")),
            functions=frozenset(name for (name,) in await self._fetch("ground_functions")),
            tables=tuple(StoredTable(*row) for row in await self._fetch("ground_tables")),
            room=ConnectionRoom(*(await self._fetch("connection_room"))[0]),
            nodes_listen=(await self._fetch("ground_nodes_listen"))[0][0],
            nodes=tuple(health_node(*row) for row in await self._fetch("health_nodes")),
        )

    async def _clock(self, clock: Callable[[], float]) -> ClockReading:
        readings = []
        for _ in range(CLOCK_READINGS):
            before = clock()
            ((there,),) = await self._fetch("time")
            after = clock()
            readings.append(ClockReading((before + after) / 2 - there / 1e6, abs(after - before) / 2))
        return min(readings, key=lambda reading: reading.uncertain)

    async def _fetch(self, statement: str) -> list[tuple[Any, ...]]:
        cursor = await self._connection.execute(self._statements[statement], self._parameters)
        return await cursor.fetchall()
