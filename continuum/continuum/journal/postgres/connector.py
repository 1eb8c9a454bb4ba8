"""`Connector`: makes connections that are set up as we need them, and asks about those that fell silent."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict

from continuum.errors import InvalidOption
from continuum.journal.limits import ADDRESSES_TRIED, CONNECT_SECONDS, STATEMENT_SECONDS
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.driver_errors import first_line
from continuum.journal.postgres.session_settings import setup
from continuum.journal.postgres.watched_connection import WatchedConnection

# A statement that runs this often is worth preparing; psycopg's own default.
PREPARE_AFTER = 5
# A machine that vanishes without closing its connections (power, failover, a firewall that drops state) is
# noticed within about ten seconds instead of the kernel's two hours. Options of the DSN take precedence.
_ALIVE = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

# A state that is hidden says nothing, so the wait continues.
_BY_PROCESS = b"""
SELECT coalesce(a.state, 'disabled') IN ('active', 'disabled') FROM pg_catalog.pg_stat_activity a
WHERE a.pid = %s
"""
_BY_MARK = b"""
SELECT coalesce(bool_or(a.state = 'active'), false) FROM pg_catalog.pg_stat_activity a
WHERE starts_with(a.query, %s) AND a.pid <> pg_catalog.pg_backend_pid()
"""


# While it connects the driver knows no code of an error, so a server that is full is known by its words.
# Those of another language are reported as they are.
_FULL = (
    *("too many clients", "too many connections", "remaining connection slots"),
    # pgbouncer's.
    "no more connections allowed",
)


def checked_dsn(dsn: str) -> str:
    """Return a DSN that can be read; `InvalidOption` otherwise."""
    try:
        conninfo_to_dict(dsn)
    except (psycopg.ProgrammingError, UnicodeEncodeError):
        # Neither the text nor the driver's message is shown: a password may be in it.
        raise InvalidOption(
            "the DSN cannot be read; give one like postgresql://user@host:5432/database"
        ) from None
    return dsn


class Connector:
    """Connects to one database.

    Without `sessions` a pooler gives every transaction another session: nothing is prepared, and each
    transaction sets itself up.
    """

    def __init__(
        self,
        dsn: str,
        *,
        sessions: bool = True,
        longest: float = STATEMENT_SECONDS,
        application: str = "continuum",
    ) -> None:
        self.dsn = checked_dsn(dsn)
        self._sessions = sessions
        self._longest = longest
        self._pooler_keeps_sessions = False
        given = conninfo_to_dict(dsn)
        self._options: dict[str, Any] = {
            **{name: value for name, value in _ALIVE.items() if name not in given},
            "autocommit": True,
            # In pg_stat_activity, if neither the DSN nor the environment names one.
            "fallback_application_name": application,
            # Also set up later; but what the environment or the DSN says might keep us from connecting.
            "client_encoding": "utf8",
            "connect_timeout": CONNECT_SECONDS,
            "prepare_threshold": PREPARE_AFTER if sessions else None,
        }
        hosts = str(given.get("host") or given.get("hostaddr") or "").count(",") + 1
        self._connect_seconds = CONNECT_SECONDS * (hosts + ADDRESSES_TRIED)

    async def connect(self) -> WatchedConnection:
        """Return a new connection, set up."""
        connection = await self._connect()
        try:
            if self._sessions:
                await self._set_up(connection)
            else:
                connection.mark = f"/* continuum {uuid4().hex} */ ".encode()
        except BaseException:
            await connection.close()
            raise
        connection.longest = self._longest
        connection.still_runs = self._still_runs
        packed_arrays.register(connection)
        return connection

    async def connect_for_schema(self) -> WatchedConnection:
        """Return a new connection for what is done to a schema, with a pooler in between or without.

        Behind a pooler nobody can be asked about a statement: it has its whole time.
        """
        connection = await self._connect()
        try:
            connection.prepare_threshold = None
            if await _session(connection) == connection.info.backend_pid:
                await self._set_up(connection)
                connection.still_runs = self._still_runs
            else:
                connection.silence = self._longest
        except BaseException:
            await connection.close()
            raise
        connection.longest = self._longest
        return connection

    async def _connect(self) -> WatchedConnection:
        try:
            # The driver's own limit is for each address, and the look-up of a name has none.
            async with asyncio.timeout(self._connect_seconds):
                return await WatchedConnection.connect(self.dsn, **self._options)
        except TimeoutError:
            raise psycopg.errors.ConnectionTimeout("connection timeout expired") from None
        except psycopg.OperationalError as error:
            if error.sqlstate is None and any(words in str(error) for words in _FULL):
                raise psycopg.errors.TooManyConnections(first_line(error)) from error
            raise

    async def _set_up(self, connection: WatchedConnection) -> None:
        version, pid = connection.info.server_version, connection.info.backend_pid
        statement = setup(version, self._longest, local=False, only_in=pid)
        row = await (await connection.execute(statement, prepare=False)).fetchone()
        assert row is not None
        connection.server_pid = row[0]
        if connection.server_pid != pid:
            await self._require_sessions(connection)
            await connection.execute(setup(version, self._longest, local=False), prepare=False)

    async def _require_sessions(self, connection: WatchedConnection) -> None:
        """Refuse a pooler that does not keep one session for a connection."""
        if self._pooler_keeps_sessions:
            return
        other = await self._connect()
        try:
            seen = [await _session(each) for each in (connection, other) * 2]
        finally:
            await other.close()
        if seen[:2] != seen[2:] or seen[0] == seen[1]:
            raise InvalidOption(
                "the DSN leads to a pooler in transaction mode, which gives each transaction another "
                "session; run nodes with --no-listen and connect with listen=False, or give the DSN of the "
                "server itself"
            )
        self._pooler_keeps_sessions = True

    async def _still_runs(self, silent: WatchedConnection) -> bool:
        """Ask by another connection whether the server works on the statement of one that fell silent."""
        try:
            connection = await self._connect()
        except psycopg.errors.TooManyConnections:
            # It lives, and would not accept another connection of ours either.
            return True
        try:
            if silent.server_pid:
                cursor = await connection.execute(_BY_PROCESS, (silent.server_pid,), prepare=False)
            else:
                cursor = await connection.execute(_BY_MARK, (silent.mark.decode(),), prepare=False)
            row = await cursor.fetchone()
            return row is not None and bool(row[0])
        finally:
            await connection.close()


async def _session(connection: WatchedConnection) -> int:
    """Return the process that serves a connection now."""
    row = await (await connection.execute(b"SELECT pg_catalog.pg_backend_pid()", prepare=False)).fetchone()
    assert row is not None
    return int(row[0])
