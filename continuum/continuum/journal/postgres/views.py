"""Views of the list of runs that people have saved."""

from __future__ import annotations

from continuum.journal.postgres.connections import Database
from continuum.journal.view_port import SavedView


class PostgresViews:
    """The views of the journal."""

    _database: Database

    async def save_view(self, view: SavedView, most: int) -> bool:
        return bool(await self._database.fetch("save_view", (*view, most)))

    async def remove_view(self, name: str) -> bool:
        return bool(await self._database.fetch("remove_view", (name,)))

    async def views(self) -> list[SavedView]:
        return [SavedView(*row) for row in await self._database.fetch("saved_views", ())]
