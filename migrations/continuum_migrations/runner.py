"""Applies numbered SQL to one schema, once, however many nodes start together.

Each file runs in a transaction of its own that first takes an advisory lock, so it also
works behind a pooler that gives every transaction another session. What was applied
is recorded in the schema itself, in the table ``migrations``, with a checksum.

The invariants: a version is applied at most once; versions are applied in order; a
file never changes after it was applied; code older than the schema changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, LiteralString, TypeAlias

from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Composed, Identifier

from continuum_migrations.errors import (
    InvalidSchemaName,
    MigrationChanged,
    MigrationError,
    SchemaBehind,
    SchemaTooNew,
    ServerTooOld,
)
from continuum_migrations.files import Migration, read_migrations

# The oldest server that the SQL is written for and tested on.
OLDEST_SERVER = 14

# As many schemas as one line can name.
SCHEMAS_NAMED = 10

SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")

Connection: TypeAlias = AsyncConnection[Any]
Source: TypeAlias = Traversable | Path | None


async def migrate(connection_or_dsn: Connection | str, schema: str, *, source: Source = None) -> list[int]:
    """Bring the schema up to this code and return the versions that this call applied."""
    _require_name(schema)
    known = read_migrations(source)
    done: list[int] = []
    async with _connected(connection_or_dsn) as connection:
        _require_supported_server(connection)
        while _pending(known, await _applied(connection, schema), schema):
            version = await _apply_next(connection, schema, known)
            if version is not None:
                done.append(version)
    return done


async def check(connection_or_dsn: Connection | str, schema: str, *, source: Source = None) -> None:
    """Raise unless the schema is exactly what this code expects; change nothing."""
    _require_name(schema)
    known = read_migrations(source)
    async with _connected(connection_or_dsn) as connection:
        _require_supported_server(connection)
        applied = await _applied(connection, schema)
        if applied is None:
            raise _missing(schema, await _schemas(connection))
    pending = _pending(known, applied, schema)
    if pending:
        raise SchemaBehind(
            f"schema {schema} is at version {len(applied)} and this code needs {known[-1].version}; "
            "run continuum migrate"
        )


def _missing(schema: str, there: Sequence[str]) -> SchemaBehind:
    create = f"run continuum migrate --schema {schema}"
    if not there:
        return SchemaBehind(f"the database has no schema {schema}; {create}")
    named = ", ".join(there[:SCHEMAS_NAMED]) + (", ..." if len(there) > SCHEMAS_NAMED else "")
    return SchemaBehind(
        f"the database has no schema {schema}, but has {named}; name one of these, or to create it {create}"
    )


async def _apply_next(connection: Connection, schema: str, known: Sequence[Migration]) -> int | None:
    """Apply the first pending migration, unless another node has done so since we looked."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(%s)", (_lock_key(schema),))
        await _create_ledger(connection, schema)
        pending = _pending(known, await _applied(connection, schema), schema)
        if not pending:
            return None
        migration = pending[0]
        # Without parameters, one call may carry many statements.
        await connection.execute(migration.sql_for(f'"{schema}"').encode())
        await connection.execute(
            _about("insert into {schema}.migrations (version, name, checksum) values (%s, %s, %s)", schema),
            (migration.version, migration.name, migration.checksum),
        )
    return migration.version


async def _create_ledger(connection: Connection, schema: str) -> None:
    # Asked first: `create schema if not exists` needs the right to create one even where it exists.
    cursor = await connection.execute("select 1 from pg_namespace where nspname = %s", (schema,))
    if await cursor.fetchone() is None:
        await connection.execute(_about("create schema {schema}", schema))
    await connection.execute(
        _about(
            "create table if not exists {schema}.migrations (version int primary key, name text not null, "
            "checksum text not null, applied_at timestamptz not null default now())",
            schema,
        )
    )


async def _applied(connection: Connection, schema: str) -> dict[int, str] | None:
    """The checksum of every applied version in order, or None where there is no schema of ours."""
    async with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute("select to_regclass(%s) is not null", (f'"{schema}".migrations',))
        exists = await cursor.fetchone()
        if exists is None or not exists[0]:
            return None
        await cursor.execute(
            _about("select version, checksum from {schema}.migrations order by version", schema)
        )
        return dict(await cursor.fetchall())


async def _schemas(connection: Connection) -> list[str]:
    """The names of the schemas that have a ledger of ours."""
    cursor = await connection.execute(
        "select c.relnamespace::regnamespace::text from pg_class c "
        "join pg_attribute a on a.attrelid = c.oid and a.attname = 'checksum' "
        "where c.relname = 'migrations' and c.relkind = 'r' order by 1"
    )
    return [name for (name,) in await cursor.fetchall()]


def _about(statement: LiteralString, schema: str) -> Composed:
    return SQL(statement).format(schema=Identifier(schema))


def _pending(known: Sequence[Migration], applied: dict[int, str] | None, schema: str) -> list[Migration]:
    """The migrations still to apply; raises where the schema's past is not this code's past."""
    past = applied or {}
    newest = max(past, default=0)
    if newest > known[-1].version:
        raise SchemaTooNew(
            f"schema {schema} is at version {newest} and this code knows {known[-1].version}; "
            "run a release of Continuum that is at least as new as the one that migrated it"
        )
    for migration in known:
        if past.get(migration.version, migration.checksum) != migration.checksum:
            raise MigrationChanged(
                f"migration {migration.version:04}_{migration.name} is not the one applied to {schema}; "
                "restore the file, and put the change into a new migration"
            )
    return [migration for migration in known if migration.version not in past]


def _require_name(schema: str) -> None:
    if SCHEMA_NAME.fullmatch(schema) is None or schema.startswith("pg_"):
        raise InvalidSchemaName(
            f"{schema!r} cannot name the schema; use up to 63 lower-case letters, digits and underscores, "
            "not a digit first, not pg_ first"
        )


def _lock_key(schema: str) -> int:
    digest = hashlib.sha256(f"continuum migrations of {schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _require_supported_server(connection: Connection) -> None:
    major = connection.info.server_version // 10_000
    if major < OLDEST_SERVER:
        raise ServerTooOld(f"Postgres {major} is too old; use a server of version {OLDEST_SERVER} or newer")


@asynccontextmanager
async def _connected(connection_or_dsn: Connection | str) -> AsyncIterator[Connection]:
    if isinstance(connection_or_dsn, str):
        # No prepared statements: behind a transaction-mode pooler the next statement meets another session.
        async with await AsyncConnection.connect(
            connection_or_dsn, autocommit=True, prepare_threshold=None
        ) as connection:
            yield connection
        return
    if connection_or_dsn.info.transaction_status is not TransactionStatus.IDLE:
        raise MigrationError("the connection is inside a transaction; commit it, or give a DSN")
    yield connection_or_dsn
