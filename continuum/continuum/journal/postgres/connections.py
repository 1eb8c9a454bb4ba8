"""Connections: one lane for commits, a small pool for the rest, and new ones for listeners.

A lost connection is replaced on its next use. Nothing is retried here: only the caller knows whether a
repetition is safe. Every call ends, also when the server is silent; see `watched_connection.py`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any
from weakref import WeakSet

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from continuum.errors import NotReady
from continuum.journal.limits import CONNECTIONS, SILENCE_SECONDS, STATEMENT_SECONDS
from continuum.journal.postgres.connection_pool import ConnectionPool
from continuum.journal.postgres.connector import Connector
from continuum.journal.postgres.driver_errors import StandbyError, translated
from continuum.journal.postgres.session_settings import BEGIN, COMMIT, setup
from continuum.journal.postgres.statements import Statements
from continuum.journal.postgres.watched_connection import WatchedConnection

Parameters = Sequence[Any] | Mapping[str, Any]
Rows = list[tuple[Any, ...]]

# How fast an estimate that is ahead of the server's time is corrected.
CLOCK_SLEW = 0.05


class Database:
    """The connections of one journal; without `sessions` a pooler gives each transaction another one."""

    def __init__(
        self,
        dsn: str,
        statements: Statements,
        *,
        sessions: bool = True,
        pool_size: int = CONNECTIONS - 1,
        application: str = "continuum client",
    ) -> None:
        self.statements = statements
        # After this long without an answer the server is doubted, in seconds.
        self.silence = SILENCE_SECONDS
        self._sessions = sessions
        self._connector = Connector(dsn, sessions=sessions, application=application)
        self._pool = ConnectionPool(self._connect, pool_size, self._doubt_others)
        self._lane: WatchedConnection | None = None
        self._lane_lock = asyncio.Lock()
        self._listening: WeakSet[WatchedConnection] = WeakSet()
        self._offset: float | None = None
        self._pid = os.getpid()

    async def open(self) -> None:
        """Connect once, so that a wrong address is reported at once."""
        async with translated(), self._pool.connection():
            return

    async def close(self) -> None:
        """Close every connection at once; a forked child leaves those of its parent alone."""
        if self._pid != os.getpid():
            return
        await self._pool.close()
        if self._lane is not None:
            if self._lane_lock.locked():
                self._lane.drop()
            else:
                await self._lane.close()
                self._lane = None

    async def fetch(
        self, statement: str, parameters: Parameters = (), *, silence: float | None = None
    ) -> Rows:
        """Run a named statement on the pool and return its rows; after `silence` seconds it is doubted."""
        return await self.fetch_text(self.statements[statement], parameters, silence=silence)

    async def fetch_text(
        self, text: bytes, parameters: Parameters = (), *, silence: float | None = None
    ) -> Rows:
        """Run a statement on the pool and return its rows."""
        self._require_own_process()
        async with translated(), self._pool.connection() as connection:
            connection.silence = self.silence if silence is None else silence
            return await self._run(connection, text, parameters, prepare=None)

    async def fetch_bare(
        self, statement: str, parameters: Parameters, *, silence: float | None = None
    ) -> Rows:
        """Run a statement whose answer no setting of a session changes; where sessions change, by itself.

        That is one statement instead of four. What the server refuses then (it may run serializable
        transactions, or end statements soon) is run again, in a transaction that sets itself up.
        """
        if self._sessions:
            return await self.fetch(statement, parameters, silence=silence)
        self._require_own_process()
        text = self.statements[statement]
        async with translated(), self._pool.connection() as connection:
            connection.silence = self.silence if silence is None else silence
            try:
                cursor = await connection.execute(connection.mark + text, parameters)
                return await cursor.fetchall()
            except psycopg.Error:
                if connection.closed:
                    raise
        return await self.fetch(statement, parameters, silence=silence)

    async def fetch_on_lane(self, statement: str, parameters: Parameters) -> Rows:
        """Run a named statement on the commit lane, prepared."""
        self._require_own_process()
        async with self._lane_lock, translated():
            self._pool.require_open()
            lane = self._lane
            if lane is None or not lane.is_fresh():
                if lane is not None:
                    await lane.close()
                lane = self._lane = await self._connect()
            try:
                self._pool.require_open()
                return await self._run(lane, self.statements[statement], parameters, prepare=True)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                await lane.close()
                await self._doubt_others()
                raise
            finally:
                if self._pool.closed:
                    # `close` came while the lane was opened, or after the answer.
                    await lane.close()

    async def listen(self, topics: Sequence[str]) -> WatchedConnection:
        """Return a new connection that listens to `topics`."""
        async with translated():
            connection = await self._connect()
            try:
                for topic in topics:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(topic)))
            except BaseException:
                # On any error, including cancellation, the caller never receives this connection: close it.
                await connection.close()
                raise
            self._listening.add(connection)
            return connection

    async def _doubt_others(self) -> None:
        """Replace what is idle or only listens: what made one connection silent mostly did so to all."""
        await self._pool.close_idle()
        if self._lane is not None and not self._lane_lock.locked():
            await self._lane.close()
        for connection in tuple(self._listening):
            connection.drop()

    async def _run(
        self, connection: WatchedConnection, text: bytes, parameters: Parameters, *, prepare: bool | None
    ) -> Rows:
        try:
            if self._sessions:
                cursor = await connection.execute(text, parameters, prepare=prepare)
            else:
                cursor = await self._run_alone(connection, text, parameters)
        except StandbyError:
            # Otherwise the connection to the former primary would be used again.
            await connection.close()
            raise
        return await cursor.fetchall() if cursor.description else []

    async def _run_alone(
        self, connection: WatchedConnection, text: bytes, parameters: Parameters
    ) -> psycopg.AsyncCursor[Any]:
        """Run a statement in a transaction that sets itself up, with one round trip."""
        try:
            async with connection.pipeline():
                await connection.execute(BEGIN)
                await connection.execute(setup(connection.info.server_version, STATEMENT_SECONDS, local=True))
                cursor = await connection.execute(connection.mark + text, parameters)
                await connection.execute(COMMIT)
        except psycopg.Error:
            if connection.info.transaction_status == TransactionStatus.INERROR:
                await connection.rollback()
            raise
        return cursor

    def _require_own_process(self) -> None:
        """Two processes on one connection would mix their statements and read each other's rows."""
        if self._pid != os.getpid():
            raise NotReady(
                "the client was opened before a fork and works only in the parent; "
                "open another with connect() in the child"
            )

    async def _connect(self) -> WatchedConnection:
        self._require_own_process()
        connection = await self._connector.connect()
        connection.silence = self.silence
        return connection

    def now(self) -> int:
        """Return the server's time in microseconds: the last one received plus the time since."""
        assert self._offset is not None, "the journal is not open"
        return int(monotonic() * 1e6 + self._offset)

    def learn_time(self, server: int) -> None:
        """Correct the estimate by a time from the server; the less it was delayed, the larger the offset."""
        offset = server - monotonic() * 1e6
        if self._offset is None or offset > self._offset:
            self._offset = offset
        else:
            self._offset += (offset - self._offset) * CLOCK_SLEW
