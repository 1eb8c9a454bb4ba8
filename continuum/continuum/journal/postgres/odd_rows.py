"""Rows with a time that no engine writes."""

from __future__ import annotations

from continuum.journal.limits import ODD_ROWS
from continuum.journal.odd_rows import OddRow
from continuum.journal.postgres.connections import Database


class PostgresOddRows:
    """The odd rows of the journal."""

    _database: Database

    async def odd_rows(self) -> list[OddRow]:
        return [OddRow(*row) for row in await self._database.fetch("odd_rows", (ODD_ROWS,))]
