"""Finds what a schema has lost since its migration, and creates lost functions again.

The record stays as it is: it tells older text from newer, and the text of a lost function is the newest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
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
    """Create all functions again, in a transaction that has the lock of the schema.

    Not only those that are lost: one of them may be called by another, whose text the server checks.
    """
    for file in read_files().functions:
        # Without parameters, one call may carry many statements.
        await connection.execute(file.sql_for(schema).encode())


async def restore_functions(
    connection: Connection, schema: str, *, record: Record | None = None
) -> list[str]:
    """Create the functions again if one is lost, and return the names of those that were."""
    if not await lost_functions(connection, schema):
        return []
    async with connection.transaction():
        await lock_schema(connection, schema)
        lost = await lost_functions(connection, schema)
        if lost:
            await create_functions(connection, schema)
            if record is not None:
                await record(connection, sorted(set(lost.values())))
    return sorted(lost)


async def lost_indexes(connection: Connection, schema: str) -> list[str]:
    """Return the names of the indexes that the schema should have and does not."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(INDEXES, (f'"{schema}"',))
        there = {name for (name,) in await cursor.fetchall()}
    return sorted(expected_objects().indexes.keys() - there)
