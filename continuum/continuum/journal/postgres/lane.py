"""`Lane`: one connection whose statements follow one another, and which passes on notifications between them.

A process of a node commits with it. While a commit is under way the server keeps notifications back, and
they arrive with its answer: so listening needs no connection of its own, and a notification loses no time
while the lane is idle.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import psycopg
from psycopg import sql

from continuum.errors import JournalUnavailable
from continuum.journal.postgres.watched_connection import WatchedConnection

T = TypeVar("T")


class Ear:
    """Receives the notifications of some channels until their connection is lost."""

    def __init__(self, channels: Sequence[str]) -> None:
        self._channels = frozenset(channels)
        self._arrived: deque[tuple[str, str]] = deque()
        self._news = asyncio.Event()
        self._error: psycopg.Error | None = None

    def receive(self, notify: psycopg.Notify) -> None:
        """Keep a notification for `next`."""
        if notify.channel in self._channels:
            self._arrived.append((notify.channel, notify.payload))
            self._news.set()

    def lose(self, error: psycopg.Error) -> None:
        """Let `next` raise this error after all that has arrived."""
        self._error = error
        self._news.set()

    async def next(self, seconds: float) -> tuple[str, str] | None:
        """Return the next channel and payload; None if nothing arrives for so long."""
        if not self._arrived and self._error is None:
            self._news.clear()
            timer = asyncio.get_running_loop().call_later(seconds, self._news.set)
            try:
                await self._news.wait()
            finally:
                timer.cancel()
        if self._arrived:
            return self._arrived.popleft()
        if self._error is not None:
            raise self._error
        return None


class Lane:
    """A connection that `connect` makes when it is needed; `lost` is called when it turns out to be lost."""

    def __init__(
        self, connect: Callable[[], Awaitable[WatchedConnection]], lost: Callable[[], Awaitable[None]]
    ) -> None:
        self._connect = connect
        self._lost = lost
        self._lock = asyncio.Lock()
        self._connection: WatchedConnection | None = None
        self._channels: set[str] = set()
        self._ears: set[Ear] = set()
        # The loop's time of the last answer.
        self._answered = 0.0
        self._closed = False

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None and not self._connection.closed

    async def run(self, statement: Callable[[WatchedConnection], Awaitable[T]]) -> T:
        """Run a statement after those that were there first."""
        async with self._lock:
            connection = await self._ready()
            try:
                self._require_open()
                return await statement(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if not connection.is_idle():
                    self._hang_up(error)
                    await self._lost()
                raise
            finally:
                await self._rest(connection)

    async def listen(self, channels: Sequence[str]) -> Ear:
        """Listen to channels as well; give the returned ear to `stop` in the end."""
        async with self._lock:
            connection = await self._ready()
            try:
                for channel in channels:
                    if channel not in self._channels:
                        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                        self._channels.add(channel)
                ear = Ear(channels)
                self._ears.add(ear)
                return ear
            except psycopg.Error as error:
                self._hang_up(error)
                raise
            finally:
                await self._rest(connection)

    def stop(self, ear: Ear) -> None:
        """Keep no more notifications for an ear."""
        self._ears.discard(ear)
        if not self._ears and self._channels and not self._lock.locked():
            # The server would write on, and nobody would read.
            self._hang_up(psycopg.OperationalError("nobody listens any more"))

    async def sign_of_life(self, seconds: float) -> None:
        """Ask the server for a sign of life if it has given none for so long."""
        quiet = asyncio.get_running_loop().time() - self._answered
        if quiet >= seconds and not self._closed and not self._lock.locked():
            await self.run(lambda connection: connection.execute(b"SELECT 1"))

    async def close(self) -> None:
        """Close the connection at once; a statement that still runs fails."""
        self._closed = True
        connection = self._connection
        if connection is None:
            return
        if self._lock.locked():
            connection.drop()
        else:
            connection.attend(None)
            await connection.close()
            self._connection = None

    async def doubt(self) -> None:
        """Replace the connection, if no statement uses it: others have turned out to be lost."""
        if not self._lock.locked():
            self._hang_up(psycopg.OperationalError("another connection to the server was lost"))

    def _require_open(self) -> None:
        if self._closed:
            raise JournalUnavailable("the journal is closed; open it again, or connect anew")

    async def _ready(self) -> WatchedConnection:
        """Return the connection, another one if the last one has been lost meanwhile."""
        self._require_open()
        connection = self._connection
        if connection is not None:
            connection.attend(None)
            self._take_in(connection)
            if connection.is_idle():
                return connection
            self._hang_up(psycopg.OperationalError("the server has closed the connection"))
        self._connection = connection = await self._connect()
        connection.add_notify_handler(self._arrived)
        return connection

    async def _rest(self, connection: WatchedConnection) -> None:
        """After a statement: pass on what came with its answer, and attend to what comes now."""
        self._answered = asyncio.get_running_loop().time()
        if self._closed:
            # `close` came while the connection was opened, or after the answer.
            await connection.close()
        elif connection is not self._connection:
            return
        elif not connection.is_idle():
            # Its statement was cancelled, or it was lost.
            self._hang_up(psycopg.OperationalError("the connection was lost"))
        elif self._channels:
            connection.pass_on()
            connection.attend(self._readable)

    def _readable(self) -> None:
        self._answered = asyncio.get_running_loop().time()
        if self._connection is not None:
            try:
                self._connection.take_in()
            except psycopg.OperationalError as error:
                self._hang_up(error)

    def _take_in(self, connection: WatchedConnection) -> None:
        """Read what the server has sent unasked: notifications, or its farewell."""
        try:
            while connection.is_idle() and not connection.is_fresh():
                connection.take_in()
        except psycopg.OperationalError as error:
            self._hang_up(error)

    def _hang_up(self, error: psycopg.Error) -> None:
        """Drop the connection; the next statement opens another one, and so does each ear."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.attend(None)
            connection.hang_up()
        ears, self._ears = self._ears, set()
        self._channels.clear()
        for ear in ears:
            ear.lose(error)

    def _arrived(self, notify: psycopg.Notify) -> None:
        for ear in self._ears:
            ear.receive(notify)
