"""The part of the port about views of the list of runs that people have saved for everybody."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class SavedView(NamedTuple):
    """A view: its name, the part of the address that shows it, and who saved it."""

    name: str
    address: str
    saved_by: str


class Views(Protocol):
    """Views by name."""

    async def save_view(self, view: SavedView, most: int) -> bool:
        """Save a view, in place of one of the same name; False if there are `most` others already."""
        ...

    async def remove_view(self, name: str) -> bool:
        """Remove a view; False if there is none of this name."""
        ...

    async def views(self) -> list[SavedView]:
        """Return all views, by name."""
        ...
