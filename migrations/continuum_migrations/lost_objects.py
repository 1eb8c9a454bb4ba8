"""Finds what a schema has lost since its migration, and creates lost functions and views again.

The record stays as it is: it tells older text from newer, and the text of a lost function is the newest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from continuum_migrations.expected import expected_objects, functions_of
from continuum_migrations.files import SqlFiles, read_files
from continuum_migrations.lock import lock_schema

Connection = AsyncConnection[Any]
# Called in the transaction with the files whose functions it has created anew.
Record = Callable[[Connection, Sequence[str]], Awaitable[None]]

FUNCTIONS = "select distinct proname::text from pg_proc where pronamespace = to_regnamespace(%s)"
INDEXES = "select relname::text from pg_class where relkind = 'i' and relnamespace = to_regnamespace(%s)"
RELATIONS = "select relname::text, relkind::text from pg_class where relnamespace = to_regnamespace(%s)"
COLUMNS = (
    "select c.relname::text, a.attname::text from pg_class c join pg_attribute a on a.attrelid = c.oid "
    "where c.relnamespace = to_regnamespace(%s) and a.attnum > 0 and not a.attisdropped"
)


@dataclass(frozen=True, slots=True)
class LostParts:
    """Tables, columns (as `table.column`), sequences and views that a schema should have and does not."""

    tables: Sequence[str] = ()
    columns: Sequence[str] = ()
    sequences: Sequence[str] = ()
    views: Sequence[str] = ()

    def named(self) -> list[str]:
        """Return each with its kind."""
        kinds = (
            ("table", self.tables),
            ("column", self.columns),
            ("sequence", self.sequences),
            ("view", self.views),
        )
        return [f"{kind} {name}" for kind, names in kinds for name in names]


async def lost_parts(connection: Connection, schema: str) -> LostParts:
    """Return which tables, columns, sequences and views a schema, which is that of this code, has lost."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(RELATIONS, (f'"{schema}"',))
        there = set(await cursor.fetchall())
        await cursor.execute(COLUMNS, (f'"{schema}"',))
        columns = set(await cursor.fetchall())
    expected = expected_objects()
    tables = [name for name in expected.columns if not {(name, "r"), (name, "p")} & there]
    return LostParts(
        sorted(tables),
        sorted(
            f"{table}.{name}"
            for table, names in expected.columns.items()
            if table not in tables
            for name in names
            if (table, name) not in columns
        ),
        sorted(name for name in expected.sequences if (name, "S") not in there),
        sorted(name for name in expected.views if (name, "v") not in there),
    )


async def lost_functions(
    connection: Connection, schema: str, known: SqlFiles | None = None
) -> Mapping[str, str]:
    """Return the functions of these files, or of this package, that the schema lacks, each with its file."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(FUNCTIONS, (f'"{schema}"',))
        there = {name for (name,) in await cursor.fetchall()}
    expected = functions_of(known or read_files())
    return {name: file for name, file in expected.items() if name not in there}


async def create_functions(connection: Connection, schema: str) -> None:
    """Create all functions and views again, in a transaction that has the lock of the schema.

    Not only those that are lost: one of them may be called by another, whose text the server checks.
    """
    for file in read_files().functions:
        # Without parameters, one call may carry many statements.
        await connection.execute(file.sql_for(schema).encode())


async def restore_functions(
    connection: Connection, schema: str, *, record: Record | None = None
) -> list[str]:
    """Create functions and views again if one is lost, and return the names of those that were."""
    if not await _lost_of_files(connection, schema):
        return []
    async with connection.transaction():
        await lock_schema(connection, schema)
        lost = await _lost_of_files(connection, schema)
        if lost:
            await create_functions(connection, schema)
            if record is not None:
                await record(connection, sorted(set(lost.values())))
    return sorted(lost)


async def _lost_of_files(connection: Connection, schema: str) -> Mapping[str, str]:
    """Return the lost functions and views, each with the file that makes it."""
    views, files = (await lost_parts(connection, schema)).views, expected_objects().views
    return {**await lost_functions(connection, schema), **{name: files[name] for name in views}}


async def lost_indexes(connection: Connection, schema: str) -> list[str]:
    """Return the names of the indexes that the schema should have and does not."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(INDEXES, (f'"{schema}"',))
        there = {name for (name,) in await cursor.fetchall()}
    return sorted(expected_objects().indexes.keys() - there)
