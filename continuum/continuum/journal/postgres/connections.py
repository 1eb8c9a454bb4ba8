"""Connections: one lane for commits and notifications, and a small pool for the rest.

A lost connection is replaced on its next use. Nothing is retried here: only the caller knows whether a
repetition is safe. Every call ends, also when the server is silent; see `watched_connection.py`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from continuum.errors import NotReady
from continuum.journal.limits import CONNECTIONS, SILENCE_SECONDS, STATEMENT_SECONDS
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.connection_pool import ConnectionPool
from continuum.journal.postgres.connector import Connector
from continuum.journal.postgres.driver_errors import StandbyError, translated
from continuum.journal.postgres.lane import Ear, Lane
from continuum.journal.postgres.prepared_statements import Parameter, received, sent
from continuum.journal.postgres.session_settings import (
    BEGIN,
    BEGIN_MOMENT,
    BEGIN_READ_ONLY,
    COMMIT,
    setup,
)
from continuum.journal.postgres.statements import Statements
from continuum.journal.postgres.watched_connection import WatchedConnection

Parameters = Sequence[Any] | Mapping[str, Any]
Rows = list[tuple[Any, ...]]
T = TypeVar("T")

# How fast an estimate that is ahead of the server's time is corrected.
CLOCK_SLEW = 0.05


class Database:
    """The connections of one journal; without `sessions` a pooler gives each transaction another one.
    With `read_only`, and without sessions, the server refuses every statement that would write. It ends a
    statement after `statement_seconds`.

    The lane is opened by the first commit or listener; with a `pool_size` of 0 everything runs on it.
    """

    def __init__(
        self,
        dsn: str,
        statements: Statements,
        *,
        sessions: bool = True,
        pool_size: int = CONNECTIONS - 1,
        application: str = "continuum client",
        read_only: bool = False,
        statement_seconds: float = STATEMENT_SECONDS,
    ) -> None:
        assert not (read_only and sessions), "only transactions of one statement are read-only"
        self.statements = statements
        # After this long without an answer the server is doubted, in seconds.
        self.silence = SILENCE_SECONDS
        self._sessions = sessions
        self._begin = BEGIN_READ_ONLY if read_only else BEGIN
        self._statement_seconds = statement_seconds
        self._connector = Connector(
            dsn, sessions=sessions, longest=statement_seconds, application=application
        )
        self._pool = ConnectionPool(self._connect, pool_size, self._doubt_others)
        self._lane = Lane(self._connect, self._pool.close_idle)
        self._offset: float | None = None
        self._pid = os.getpid()

    async def open(self) -> None:
        """Connect once, so that a wrong address is reported at once."""
        if self._pool.size:
            async with translated(), self._pool.connection():
                return
        await self._on_lane(_nothing)

    async def close(self) -> None:
        """Close every connection at once; a forked child leaves those of its parent alone."""
        if self._pid == os.getpid():
            await self._pool.close()
            await self._lane.close()

    def opened(self) -> int:
        """Return how many connections are open."""
        return self._pool.opened() + self._lane.connected

    async def fetch(
        self, statement: str, parameters: Parameters = (), *, silence: float | None = None
    ) -> Rows:
        """Run a named statement on the pool and return its rows; after `silence` seconds it is doubted."""
        return await self.fetch_text(self.statements[statement], parameters, silence=silence)

    async def fetch_text(
        self, text: bytes, parameters: Parameters = (), *, silence: float | None = None
    ) -> Rows:
        """Run a statement on the pool and return its rows."""
        return await self._fetch(
            lambda connection: self._run(connection, text, parameters), silence, lane=False
        )

    async def fetch_apart(self, statement: str, parameters: Parameters, *, silence: float) -> Rows:
        """Run a named statement that no setting of a session changes, where no slow one delays it.

        Beside a pool of one connection, on which all else follows one another, that is the lane.
        """
        return await self._fetch(
            self._bare(self.statements[statement], parameters), silence, lane=self._pool.size == 1
        )

    async def fetch_bare(self, statement: str, parameters: Parameters) -> Rows:
        """Run a named statement whose answer no setting of a session changes."""
        return await self._fetch(self._bare(self.statements[statement], parameters), None, lane=False)

    async def fetch_on_lane(self, statement: str, parameters: Sequence[Parameter]) -> Rows:
        """Run a named statement on the commit lane, prepared; see `received` for what it may return."""
        return await self._fetch(
            lambda connection: self._run_prepared(connection, statement, parameters), None, lane=True
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[WatchedConnection]:
        """Open a transaction of several statements that sees one moment, on a connection of its own.

        It commits at the end, unless an error leaves it. The server refuses it with `SerializationFailure`
        if another transaction has changed meanwhile what this one changes or locks.
        """
        self._require_own_process()
        async with translated():
            connection = await self._connector.connect_for_schema()
            async with connection:
                packed_arrays.register(connection)
                await connection.set_autocommit(False)
                await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
                yield connection

    @asynccontextmanager
    async def moment(self) -> AsyncIterator[Database]:
        """Open a database whose statements all read what is stored at one moment."""
        if not self._pool.size:
            async with self.transaction() as connection:
                yield _Moment(self, connection)
            return
        self._require_own_process()
        async with translated(), self._pool.connection() as connection:
            connection.silence = self.silence
            # After an error the pool closes it, because it is not idle.
            await connection.execute(BEGIN_MOMENT)
            if not self._sessions:
                version = connection.info.server_version
                await connection.execute(setup(version, self._statement_seconds, local=True))
            yield _Moment(self, connection)
            await connection.execute(COMMIT)

    async def listen(self, channels: Sequence[str]) -> Ear:
        """Listen to channels on the lane, beside what it commits."""
        self._require_own_process()
        async with translated():
            return await self._lane.listen(channels)

    def stop_listening(self, ear: Ear) -> None:
        """Keep no more notifications for an ear."""
        if self._pid == os.getpid():
            self._lane.stop(ear)

    async def sign_of_life(self, seconds: float) -> None:
        """Have the server say that it lives, if the lane has had no answer for so long."""
        async with translated():
            await self._lane.sign_of_life(seconds)

    async def _fetch(
        self, work: Callable[[WatchedConnection], Awaitable[Rows]], silence: float | None, *, lane: bool
    ) -> Rows:
        self._require_own_process()

        async def run(connection: WatchedConnection) -> Rows:
            connection.silence = self.silence if silence is None else silence
            return await work(connection)

        if lane or not self._pool.size:
            return await self._on_lane(run)
        async with translated(), self._pool.connection() as connection:
            return await run(connection)

    async def _on_lane(self, work: Callable[[WatchedConnection], Awaitable[T]]) -> T:
        self._require_own_process()
        async with translated():
            return await self._lane.run(work)

    def _bare(self, text: bytes, parameters: Parameters) -> Callable[[WatchedConnection], Awaitable[Rows]]:
        """Where sessions change, run a statement by itself: that is one instead of four.

        What the server refuses then (it may run serializable transactions, or end statements soon) is run
        again, in a transaction that sets itself up.
        """

        async def run(connection: WatchedConnection) -> Rows:
            if not self._sessions and self._begin is BEGIN:
                try:
                    return await (await connection.execute(connection.mark + text, parameters)).fetchall()
                except psycopg.Error:
                    if not connection.is_idle():
                        raise
            return await self._run(connection, text, parameters)

        return run

    async def _doubt_others(self) -> None:
        """Replace what is idle or only listens: what made one connection silent mostly did so to all."""
        await self._pool.close_idle()
        await self._lane.doubt()

    async def _run(self, connection: WatchedConnection, text: bytes, parameters: Parameters) -> Rows:
        try:
            if self._sessions:
                cursor = await connection.execute(text, parameters)
            else:
                cursor = await self._run_alone(connection, text, parameters)
        except StandbyError:
            # Otherwise the connection to the former primary would be used again.
            await connection.close()
            raise
        return await cursor.fetchall() if cursor.description else []

    async def _run_prepared(
        self, connection: WatchedConnection, statement: str, parameters: Sequence[Parameter]
    ) -> Rows:
        if not self._sessions:
            return await self._run(connection, self.statements[statement], parameters)
        try:
            prepared = self.statements.prepared(statement)
            return received(await connection.run_prepared(prepared, list(map(sent, parameters))))
        except StandbyError:
            await connection.close()
            raise

    async def _run_alone(
        self, connection: WatchedConnection, text: bytes, parameters: Parameters
    ) -> psycopg.AsyncCursor[Any]:
        """Run a statement in a transaction that sets itself up, with one round trip."""
        cursor: psycopg.AsyncCursor[Any] | None = None
        refused: psycopg.Error | None = None
        try:
            async with connection.pipeline():
                try:
                    await connection.execute(self._begin)
                    version = connection.info.server_version
                    await connection.execute(setup(version, self._statement_seconds, local=True))
                    cursor = await connection.execute(connection.mark + text, parameters)
                    await connection.execute(COMMIT)
                except psycopg.Error as error:
                    # Raised through the pipeline, its end would log that it fails as well.
                    refused = error
        except psycopg.Error as error:
            refused = refused or error
        if refused is not None:
            if connection.info.transaction_status == TransactionStatus.INERROR:
                await connection.rollback()
            raise refused
        assert cursor is not None
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


class _Moment(Database):
    """Reads in one transaction of another database."""

    def __init__(self, of: Database, connection: psycopg.AsyncConnection[Any]) -> None:
        self.statements = of.statements
        self._connection = connection

    async def fetch_text(
        self, text: bytes, parameters: Parameters = (), *, silence: float | None = None
    ) -> Rows:
        cursor = await self._connection.execute(text, parameters)
        return await cursor.fetchall()


async def _nothing(connection: WatchedConnection) -> None:
    """Only connect."""
