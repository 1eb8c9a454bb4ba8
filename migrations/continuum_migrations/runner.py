"""Brings one schema up to this code, once, however many nodes start together.

Files of `tables` are numbered and applied once each; one never changes after its release. Files of
`functions` hold the current text; one is applied again whenever its text changes. Each transaction
first takes an advisory lock, so the runner also works behind a pooler that gives every transaction
another session. What was applied is recorded in the schema itself, in the table ``migrations``, with a
checksum.

The invariants: a file of tables is applied at most once, and in order; it never changes after it was
applied; code older than the schema changes nothing. Numbers tell which tables are newer. For functions
the record tells: it keeps every text that was ever applied, so a text that was replaced is older than the
one in place.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
    NodesAlive,
    NotOurSchema,
    NotUtf8,
    OldLayout,
    SchemaBehind,
    SchemaTooNew,
    ServerTooOld,
)
from continuum_migrations.files import TABLES, SqlFile, SqlFiles, read_files
from continuum_migrations.lock import lock_schema
from continuum_migrations.lost_objects import lost_functions

# The oldest server that the SQL is written for and tested on.
OLDEST_SERVER = 14

# As many names as fit on one line.
NAMES_LISTED = 10

# The columns of our ledger, now and before the first release. Other tools name a table `migrations` too.
LEDGER = frozenset({"file", "checksum"})
OLD_LEDGER = frozenset({"version", "name", "checksum"})

# What the SQL makes that holds rows or shows them; the second of these ended with the old layout.
_MAKES = re.compile(r"^CREATE (?:(?:UNLOGGED )?TABLE|OR REPLACE VIEW) \{schema\}\.(\w+)", re.MULTILINE)
_OF_NO_FILE = ("migrations", "cells")

# Short enough that the name of a notification channel, `schema.topic`, stays below the server's 64 bytes.
SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,40}")

Connection: TypeAlias = AsyncConnection[Any]
Source: TypeAlias = Traversable | Path | None
# Called in each transaction with the files that it has applied.
Record: TypeAlias = Callable[[Connection, Sequence[str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Applied:
    """What a schema's record says: the checksums of each file, the one in place last."""

    checksums: Mapping[str, Sequence[str]]

    @property
    def tables(self) -> list[str]:
        return [name for name in self.checksums if name.startswith(f"{TABLES}/")]


async def migrate(
    connection_or_dsn: Connection | str, schema: str, *, source: Source = None, record: Record | None = None
) -> list[str]:
    """Bring the schema up to this code and return the files that this call applied.

    `record` is called in each transaction with the names of its files.
    """
    _require_name(schema)
    known = read_files(source)
    done: list[str] = []
    async with _connected(connection_or_dsn) as connection:
        _require_supported_server(connection)
        _require_utf8(connection)
        while _pending(known, await _applied(connection, schema), schema):
            done += await _apply_next(connection, schema, known, record)
    return done


async def check(
    connection_or_dsn: Connection | str, schema: str, *, source: Source = None, functions: bool = False
) -> None:
    """Raise unless the schema is of the version that this code expects; change nothing.

    With `functions`, raise also if one of its functions is lost.
    """
    _require_name(schema)
    known = read_files(source)
    async with _connected(connection_or_dsn) as connection:
        _require_supported_server(connection)
        _require_utf8(connection)
        applied = await _applied(connection, schema)
        if applied is None:
            raise _missing(schema, await _schemas(connection))
        pending = _pending(known, applied, schema)
        lost = await lost_functions(connection, schema, known) if functions and not pending else {}
    if pending:
        lacks = ", ".join(file.name for file in pending)
        raise SchemaBehind(
            f"schema {schema} lacks {lacks} of this code; run continuum migrate --schema {schema}"
        )
    if lost:
        raise SchemaBehind(
            f"schema {schema} has lost {'its function' if len(lost) == 1 else 'its functions'} "
            f"{_listed(sorted(lost))}; run `continuum migrate --schema {schema}`, "
            "which creates what is lost again"
        )


async def drop(connection_or_dsn: Connection | str, schema: str) -> None:
    """Drop a schema of ours, of any layout, with everything in it; refuse while a node works with it.

    A schema that is missing or empty stays as it is.
    """
    _require_name(schema)
    async with _connected(connection_or_dsn) as connection, connection.transaction():
        await lock_schema(connection, schema)
        if not await _can_drop(connection, schema):
            return
        if await _has_table(connection, schema, "workers"):
            # The lock keeps a node that starts at this moment from registering before the drop.
            await connection.execute(_about("lock table {schema}.workers in access exclusive mode", schema))
        await _require_no_node(connection, schema)
        await connection.execute(_about("drop schema {schema} cascade", schema))


async def runs_to_drop(connection_or_dsn: Connection | str, schema: str) -> int | None:
    """Return how many runs a drop would delete, None if there is nothing to drop; refuse what `drop` refuses.

    It changes nothing.
    """
    _require_name(schema)
    async with _connected(connection_or_dsn) as connection:
        if not await _can_drop(connection, schema):
            return None
        await _require_no_node(connection, schema)
        if not await _has_table(connection, schema, "runs"):
            return 0
        ((count,),) = await _rows(connection, _about("select count(*) from {schema}.runs", schema))
        return int(count)


async def _can_drop(connection: Connection, schema: str) -> bool:
    """Return False for a schema that is missing or empty; raise if it is not ours alone."""
    if schema not in await _schemas(connection):
        if not await _has_anything(connection, schema):
            return False
        raise NotOurSchema(
            f"schema {schema} was not made by continuum migrate; drop it yourself, or name another schema"
        )
    await _require_nothing_of_others(connection, schema)
    return True


async def _has_table(connection: Connection, schema: str, name: str) -> bool:
    return await _rows(connection, "select to_regclass(%s)", (f'"{schema}".{name}',)) != [(None,)]


async def _has_anything(connection: Connection, schema: str) -> bool:
    found = await _rows(
        connection,
        "select exists (select from pg_class where relnamespace = to_regnamespace(%s)) "
        "or exists (select from pg_proc where pronamespace = to_regnamespace(%s))",
        (f'"{schema}"', f'"{schema}"'),
    )
    return bool(found[0][0])


async def _require_nothing_of_others(connection: Connection, schema: str) -> None:
    """Raise where a drop would take a table or view along that is not ours, inside the schema or outside."""
    known = read_files()
    ours = {name for file in (*known.tables, *known.functions) for name in _MAKES.findall(file.sql)}
    found = await _rows(
        connection,
        "with inside as (select oid from pg_class where relnamespace = to_regnamespace(%s)) "
        "select c.oid::regclass::text from pg_class c where c.oid in (select oid from inside) "
        "and c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relname <> all (%s) "
        "union select v.oid::regclass::text from pg_depend d "
        "join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid "
        "join pg_class v on v.oid = w.ev_class "
        "where d.refclassid = 'pg_class'::regclass and d.refobjid in (select oid from inside) "
        "and v.oid not in (select oid from inside) "
        "union select f.conrelid::regclass::text from pg_constraint f "
        "where f.contype = 'f' and f.confrelid in (select oid from inside) "
        "and f.conrelid not in (select oid from inside) order by 1",
        (f'"{schema}"', [*ours, *_OF_NO_FILE]),
    )
    others = [name for (name,) in found]
    if others:
        raise NotOurSchema(
            f"dropping schema {schema} would take along {_listed(others)}, which continuum migrate "
            "did not make; move or drop that first"
        )


async def _require_no_node(connection: Connection, schema: str) -> None:
    if not await _has_table(connection, schema, "workers"):
        return
    found = await _rows(
        connection,
        _about("select distinct node from {schema}.workers where expires_at > clock_timestamp()", schema),
    )
    alive = sorted(node for (node,) in found)
    if alive:
        raise NodesAlive(
            f"schema {schema} is in use by {', '.join(alive)}; stop these nodes "
            "(a killed one counts until its lease runs out), then try again"
        )


def _missing(schema: str, there: Sequence[str]) -> SchemaBehind:
    create = f"run continuum migrate --schema {schema}"
    if not there:
        return SchemaBehind(f"the database has no schema {schema}; {create}")
    return SchemaBehind(
        f"the database has no schema {schema}, but has {_listed(there)}; "
        f"name one of these, or to create it {create}"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMES_LISTED]) + (", ..." if len(names) > NAMES_LISTED else "")


async def _apply_next(
    connection: Connection, schema: str, known: SqlFiles, record: Record | None
) -> list[str]:
    """Apply the first pending file of tables, else all pending functions, unless another node has done so."""
    async with connection.transaction():
        await lock_schema(connection, schema)
        await _create_ledger(connection, schema)
        pending = _pending(known, await _applied(connection, schema), schema)
        # All functions at once: one may call another of another file.
        batch = pending[:1] if pending and pending[0] in known.tables else pending
        for file in batch:
            # Without parameters, one call may carry many statements.
            await connection.execute(file.sql_for(schema).encode())
            await connection.execute(
                _about("insert into {schema}.migrations (file, checksum) values (%s, %s)", schema),
                (file.name, file.checksum),
            )
        names = [file.name for file in batch]
        if record is not None and names:
            await record(connection, names)
    return names


async def _create_ledger(connection: Connection, schema: str) -> None:
    # Checked first: `create schema if not exists` needs the right to create one even where it exists.
    cursor = await connection.execute("select 1 from pg_namespace where nspname = %s", (schema,))
    if await cursor.fetchone() is None:
        await connection.execute(_about("create schema {schema}", schema))
    await connection.execute(
        _about(
            "create table if not exists {schema}.migrations "
            "(id int generated always as identity primary key, file text not null, "
            "checksum text not null, applied_at timestamptz not null default now())",
            schema,
        )
    )


async def _applied(connection: Connection, schema: str) -> _Applied | None:
    """What was applied to a schema, or None where there is no schema of ours."""
    async with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "select attname from pg_attribute "
            "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
            (f'"{schema}".migrations',),
        )
        columns = {name for (name,) in await cursor.fetchall()}
        if not columns:
            return None
        if columns >= OLD_LEDGER:
            raise OldLayout(
                f"schema {schema} has the layout from before the first release, which cannot be migrated; "
                f"run continuum migrate --schema {schema} --fresh to drop it with all its runs "
                "and create it anew"
            )
        if not columns >= LEDGER:
            raise NotOurSchema(
                f"schema {schema} has a table migrations of another program; name another schema"
            )
        await cursor.execute(_about("select file, checksum from {schema}.migrations order by id", schema))
        checksums: dict[str, list[str]] = {}
        for file, checksum in await cursor.fetchall():
            checksums.setdefault(file, []).append(checksum)
        return _Applied(checksums)


async def _schemas(connection: Connection) -> list[str]:
    """The names of the schemas that have a ledger of ours."""
    ledgers = await _rows(
        connection,
        "select n.nspname::text, array_agg(a.attname::text) from pg_class c "
        "join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid "
        "where c.relname = 'migrations' and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped "
        "group by n.nspname order by 1",
    )
    return [name for name, columns in ledgers if set(columns) >= LEDGER or set(columns) >= OLD_LEDGER]


async def _rows(
    connection: Connection, statement: LiteralString | Composed, parameters: Sequence[object] = ()
) -> list[tuple[Any, ...]]:
    """Run a statement on a connection whose rows may be of any form."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(statement, parameters)
        return await cursor.fetchall()


def _about(statement: LiteralString, schema: str) -> Composed:
    return SQL(statement).format(schema=Identifier(schema))


def _pending(known: SqlFiles, applied: _Applied | None, schema: str) -> list[SqlFile]:
    """The files still to apply; raises where the schema's past is not this code's past."""
    if applied is None:
        return [*known.tables, *known.functions]
    past, tables = applied.checksums, applied.tables
    if len(tables) > len(known.tables):
        raise SchemaTooNew(
            f"schema {schema} has {tables[-1]}, which this code does not know; "
            "run a release of Continuum that is at least as new as the one that migrated it"
        )
    for name, file in zip(tables, known.tables, strict=False):
        if name != file.name or past[name] != [file.checksum]:
            raise MigrationChanged(
                f"{file.name} is not the file that was applied to {schema}; "
                "restore the file, and put the change into a new file of tables"
            )
    for file in known.functions:
        if file.checksum in past.get(file.name, [])[:-1]:
            raise SchemaTooNew(
                f"schema {schema} has a newer {file.name} than this code; "
                "run a release of Continuum that is at least as new as the one that migrated it"
            )
    return [
        *(file for file in known.tables if file.name not in past),
        *(file for file in known.functions if past.get(file.name, [""])[-1] != file.checksum),
    ]


def _require_name(schema: str) -> None:
    if SCHEMA_NAME.fullmatch(schema) is None or schema.startswith("pg_"):
        raise InvalidSchemaName(
            f"{schema!r} cannot name the schema; use up to 41 lower-case letters, digits and underscores, "
            "not a digit first, not pg_ first"
        )


def _require_supported_server(connection: Connection) -> None:
    major = connection.info.server_version // 10_000
    if major < OLDEST_SERVER:
        raise ServerTooOld(f"Postgres {major} is too old; use a server of version {OLDEST_SERVER} or newer")


def _require_utf8(connection: Connection) -> None:
    # Reported by the server when the connection opens: no round trip.
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in ("UTF8", None):
        raise NotUtf8(
            f"database {connection.info.dbname} has the encoding {encoding}, which cannot hold every text; "
            "make one with `createdb --encoding UTF8 --template template0 NAME` and give its DSN"
        )


@asynccontextmanager
async def _connected(connection_or_dsn: Connection | str) -> AsyncIterator[Connection]:
    if isinstance(connection_or_dsn, str):
        # No prepared statements: behind a transaction-mode pooler the next statement meets another session.
        async with await AsyncConnection.connect(
            connection_or_dsn, autocommit=True, prepare_threshold=None, client_encoding="utf8"
        ) as connection:
            yield connection
        return
    if connection_or_dsn.info.transaction_status is not TransactionStatus.IDLE:
        raise MigrationError("the connection is inside a transaction; commit it, or give a DSN")
    yield connection_or_dsn
