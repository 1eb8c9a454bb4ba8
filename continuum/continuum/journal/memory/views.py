"""Views of the list of runs that people have saved."""

from __future__ import annotations

from continuum.journal.memory.tables import MemoryTables
from continuum.journal.view_port import SavedView


class MemoryViews(MemoryTables):
    """Views by name."""

    async def save_view(self, view: SavedView, most: int) -> bool:
        """Save a view, in place of one of the same name; False if there are `most` others already."""
        if len(self._views.keys() - {view.name}) >= most:
            return False
        self._views[view.name] = view
        return True

    async def remove_view(self, name: str) -> bool:
        """Remove a view; False if there is none of this name."""
        return self._views.pop(name, None) is not None

    async def views(self) -> list[SavedView]:
        """Return all views, by name."""
        return [self._views[name] for name in sorted(self._views)]
