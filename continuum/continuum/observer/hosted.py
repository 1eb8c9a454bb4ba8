"""`HostedObserver`: the observer of a node, in the HTTP server of its launcher."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.routing import BaseRoute, Mount

from continuum.client import Client, connect
from continuum.errors import NotReady
from continuum.observer.app import Observer
from continuum.observer.options import ObserverOptions


class HostedObserver:
    """An observer that is served before its database is known; `starter` is whom its link signs in."""

    def __init__(self, options: ObserverOptions, starter: str) -> None:
        self._starter = starter
        self._place: tuple[str, str] | None = None
        self._observer = Observer(self._opening, options)

    def found(self, dsn: str, schema: str) -> None:
        """Show this database from now on."""
        self._place = dsn, schema

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the observer, below which nothing else has room."""
        return [Mount("/", self._observer)]

    def address(self, server: str) -> str:
        """Return what a person opens: with `link`, a link that signs in once."""
        return f"http://{server}{self._observer.entrance(self._starter)}"

    def end_streams(self) -> None:
        """End the streams of open pages, for which a server that stops would wait."""
        self._observer.end_streams()

    async def close(self) -> None:
        """Close the connections."""
        await self._observer.close()

    @asynccontextmanager
    async def _opening(self) -> AsyncIterator[Client]:
        if self._place is None:
            raise NotReady("the node is still starting; load the page again in a moment")
        dsn, schema = self._place
        async with connect(dsn, schema=schema) as client:
            yield client
