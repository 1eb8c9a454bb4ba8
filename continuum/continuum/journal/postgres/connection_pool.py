"""`ConnectionPool`: a few connections for many callers.

A connection is opened when it is needed and used again while it is fresh. Those that the server has closed
meanwhile, as at a restart, are replaced before anyone uses them. Every wait here ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

import psycopg

from continuum.errors import JournalUnavailable
from continuum.journal.limits import POOL_WAIT_SECONDS
from continuum.journal.postgres.watched_connection import WatchedConnection


class ConnectionPool:
    """At most `size` connections that `connect` makes; `lost` is called when one turns out to be lost."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[WatchedConnection]],
        size: int,
        lost: Callable[[], Awaitable[None]],
    ) -> None:
        self._connect = connect
        self._lost = lost
        self.size = size
        self._slots = asyncio.Semaphore(size)
        # The one used last is used next: it is the most likely to be alive.
        self._idle: list[WatchedConnection] = []
        self._used: set[WatchedConnection] = set()
        self.closed = False

    def connection(self) -> _Use:
        """Return a context in which the caller has a connection of its own."""
        return _Use(self)

    def opened(self) -> int:
        """Return how many connections there are, idle ones and used ones."""
        return len(self._idle) + len(self._used)

    def require_open(self) -> None:
        """Raise `JournalUnavailable` after `close`."""
        if self.closed:
            raise JournalUnavailable("the journal is closed; open it again, or connect anew")

    async def close(self) -> None:
        """Close every connection at once; a statement that still runs fails."""
        self.closed = True
        await self.close_idle()
        for connection in tuple(self._used):
            connection.drop()

    async def close_idle(self) -> None:
        """Close the connections that nobody uses."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    async def take(self) -> WatchedConnection:
        """Wait for a connection; `give_back` must follow."""
        await self._take_slot()
        try:
            connection = await self._fresh()
        except BaseException:
            self._slots.release()
            raise
        self._used.add(connection)
        return connection

    async def give_back(self, connection: WatchedConnection, *, lost: bool) -> None:
        """Keep a connection for the next caller if it can be used again."""
        self._used.discard(connection)
        self._slots.release()
        if not self.closed and connection.is_idle():
            self._idle.append(connection)
            return
        await connection.close()
        if lost:
            await self._lost()

    async def _take_slot(self) -> None:
        if self._slots.locked():
            try:
                async with asyncio.timeout(POOL_WAIT_SECONDS):
                    await self._slots.acquire()
            except TimeoutError:
                raise JournalUnavailable(
                    f"all {self.size} connections for reads of this process were busy for "
                    f"{POOL_WAIT_SECONDS:.0f} s; "
                    "look for slow or waiting statements in pg_stat_activity"
                ) from None
        else:
            await self._slots.acquire()
        try:
            self.require_open()
        except JournalUnavailable:
            self._slots.release()
            raise

    async def _fresh(self) -> WatchedConnection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_fresh():
                return connection
            await connection.close()
        return await self._connect()


class _Use:
    """One caller's use of a connection."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    async def __aenter__(self) -> WatchedConnection:
        self._connection = await self._pool.take()
        return self._connection

    async def __aexit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._pool.give_back(self._connection, lost=isinstance(error, psycopg.Error))
