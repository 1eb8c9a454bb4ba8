"""The lock of a schema: one transaction at a time changes what the SQL of this package makes."""

from __future__ import annotations

import hashlib
from typing import Any

from psycopg import AsyncConnection


async def lock_schema(connection: AsyncConnection[Any], schema: str) -> None:
    """Wait for the lock, which lasts until the end of the transaction, and set the transaction up."""
    # Whatever the database or the role says; behind a pooler only this transaction is ours. How long a
    # statement may take is left to the session that a caller has set up.
    await connection.execute(
        "select set_config('search_path', 'pg_catalog, pg_temp', true), "
        "set_config('lock_timeout', '0', true), set_config('check_function_bodies', 'on', true)"
    )
    await connection.execute("select pg_advisory_xact_lock(%s)", (_lock_key(schema),))


def _lock_key(schema: str) -> int:
    digest = hashlib.sha256(f"continuum migrations of {schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
