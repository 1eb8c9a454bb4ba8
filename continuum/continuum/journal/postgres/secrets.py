"""Secrets that all processes of a database share."""

from __future__ import annotations

from continuum.journal.postgres.connections import Database


class PostgresSecrets:
    """The secrets of the journal."""

    _database: Database

    async def shared_secret(self, name: str, fresh: bytes) -> bytes:
        rows = await self._database.fetch("shared_secret", (name, fresh))
        return bytes(rows[0][0])
