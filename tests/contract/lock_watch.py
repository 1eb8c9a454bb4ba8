"""Shows which statements of a test wait for a lock in Postgres."""

from __future__ import annotations

import psycopg


async def waiting_for_locks(dsn: str, schema: str, number: int) -> bool:
    """Whether at least `number` statements on a schema wait for a lock."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        cursor = await connection.execute(
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like %s",
            (f"%{schema}%",),
        )
        (counted,) = await cursor.fetchone() or (0,)
        return bool(counted >= number)
