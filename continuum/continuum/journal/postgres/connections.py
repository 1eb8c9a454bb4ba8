"""Connections: one lane for commits, a small pool for the rest, and the translation of their errors.

The lane reconnects on its next use after a failure; psycopg's pool does so by
itself. Nothing is retried here: only the caller knows whether a repetition is safe.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from continuum.errors import InvalidOption, JournalUnavailable, NotReady, SchemaOutOfDate
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.statements import Statements

Parameters = Sequence[Any] | Mapping[str, Any]

# Long enough for a server that restarts to answer, short enough for a person to wait.
CONNECT_TIMEOUT_SECONDS = 5
# A host's actors claim runs, claim tasks and read mail at the same time; more would only queue in the
# server.
POOL_SIZE = 4
# A statement that runs this often is worth preparing; psycopg's own default.
PREPARE_AFTER = 5
# A server that vanishes without closing its connections (power, failover, a firewall that drops state) is
# noticed within about ten seconds instead of the kernel's two hours. Options of the DSN take precedence.
_ALIVE = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# The classes of SQL states that pass without a change of the statement: connections, refused logins,
# conflicts, lack of resources, locks, shutdowns, and errors of the server's machine.
PASSING = frozenset(("08", "28", "40", "53", "55", "57", "58"))
# How fast an estimate that is ahead of the server's time is corrected.
CLOCK_SLEW = 0.05


_StandbyError = psycopg.errors.ReadOnlySqlTransaction


def checked_dsn(dsn: str) -> str:
    """Return a DSN that can be read; `InvalidOption` otherwise."""
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # Neither the text nor the driver's message is shown: a password may be in it.
        raise InvalidOption(
            "the DSN cannot be read; give one like postgresql://user@host:5432/database"
        ) from None
    return dsn


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except (
        psycopg.errors.InvalidSchemaName,
        psycopg.errors.UndefinedTable,
        psycopg.errors.UndefinedFunction,
    ) as error:
        raise SchemaOutOfDate(
            f"the database schema is missing or of another version ({_first_line(error)}); "
            "run `continuum migrate`"
        ) from error
    except _StandbyError as error:
        raise JournalUnavailable(
            "Postgres takes no writes (is it a standby?); the next connection may find the primary"
        ) from error
    except PoolTimeout as error:
        raise JournalUnavailable(
            f"Postgres does not answer ({_first_line(error)}); is the server up?"
        ) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        if error.sqlstate is not None and error.sqlstate[:2] not in PASSING:
            # The statement itself is wrong: a retry would fail for ever.
            raise
        raise unavailable(error) from error


def unavailable(error: psycopg.Error) -> JournalUnavailable:
    """Return what to report for an error that passes: only a lost or refused connection is unreachable."""
    state, text = error.sqlstate or "", _first_line(error)
    if state == "57014":
        return JournalUnavailable(
            f"Postgres cancelled a statement ({text}); check statement_timeout of the user and the database"
        )
    if state.startswith("40"):
        return JournalUnavailable(
            f"Postgres ended a transaction in favour of another ({text}); it can be repeated"
        )
    if state == "55P03":
        return JournalUnavailable(
            f"Postgres did not get a lock ({text}); check lock_timeout, and what holds the lock"
        )
    if state.startswith("53"):
        return JournalUnavailable(
            f"Postgres is short of resources ({text}); check its connections, memory and disk"
        )
    return JournalUnavailable(f"Postgres cannot be reached ({text}); check the DSN and the server")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


class Database:
    """The connections of one journal."""

    def __init__(
        self, dsn: str, statements: Statements, *, prepare: bool = True, pool_size: int = POOL_SIZE
    ) -> None:
        self.dsn = checked_dsn(dsn)
        self.statements = statements
        # Statements prepared by one server session are unknown to the next that a pooler hands out.
        self._prepare = prepare
        given = conninfo_to_dict(dsn)
        self._options: dict[str, Any] = {
            **{name: value for name, value in _ALIVE.items() if name not in given},
            "autocommit": True,
            # Whatever the environment, the DSN or the role says; poolers keep it with the session.
            "client_encoding": "utf8",
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "prepare_threshold": PREPARE_AFTER if prepare else None,
        }
        self._pool = AsyncConnectionPool(
            dsn,
            min_size=1,
            max_size=pool_size,
            open=False,
            timeout=CONNECT_TIMEOUT_SECONDS,
            reconnect_timeout=CONNECT_TIMEOUT_SECONDS,
            kwargs=self._options,
            configure=_configure,
        )
        self._lane: psycopg.AsyncConnection[Any] | None = None
        self._lane_lock = asyncio.Lock()
        self._offset: float | None = None
        self._pid = os.getpid()

    async def open(self) -> None:
        """Connect once, so that a wrong address is reported at once."""
        async with translated():
            probe = await self._connect()
            await probe.close()
            await self._pool.open()

    async def close(self) -> None:
        """Close every connection; a forked child leaves them alone, because its parent still uses them."""
        if self._pid != os.getpid():
            return
        await self._pool.close()
        if self._lane is not None:
            await self._lane.close()
            self._lane = None

    async def fetch(self, statement: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Run a named statement on the pool and return its rows."""
        return await self.fetch_text(self.statements[statement], parameters)

    async def fetch_text(self, text: bytes, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Run a statement on the pool and return its rows."""
        self._require_own_process()
        cancelled = _cancellations()
        async with translated(), self._pool.connection() as connection:
            if _cancellations() > cancelled:
                # Before Python 3.12 the pool may swallow a cancellation while it waits: a loop would not end.
                raise asyncio.CancelledError
            try:
                cursor = await connection.execute(text, parameters)
            except _StandbyError:
                # Otherwise the pool would keep giving out a connection to the former primary.
                await connection.close()
                raise
            return await cursor.fetchall() if cursor.description else []

    async def fetch_on_lane(self, statement: str, parameters: Parameters) -> list[tuple[Any, ...]]:
        """Run a named statement on the commit lane, prepared."""
        self._require_own_process()
        async with self._lane_lock, translated():
            lane = self._lane
            if lane is None or lane.closed:
                lane = self._lane = await self._connect()
            try:
                cursor = await lane.execute(self.statements[statement], parameters, prepare=self._prepare)
                return await cursor.fetchall()
            except (psycopg.OperationalError, psycopg.InterfaceError, _StandbyError):
                await lane.close()
                raise

    async def listen(self, topics: Sequence[str]) -> psycopg.AsyncConnection[Any]:
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
            return connection

    def _require_own_process(self) -> None:
        """Two processes on one connection would mix their statements and read each other's rows."""
        if self._pid != os.getpid():
            raise NotReady(
                "the client was opened before a fork and works only in the parent; "
                "open another with connect() in the child"
            )

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        self._require_own_process()
        connection = await psycopg.AsyncConnection.connect(self.dsn, **self._options)
        await _configure(connection)
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


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    packed_arrays.register(connection)
