"""How many statements a server has executed, and its processor time.

Statements are counted in the server's log, which has all of them during the measurement.
The log of a server given by `--dsn` cannot be read, so there transactions are counted in
pg_stat_database, which lags by a few seconds and is less exact.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.sql import SQL

from bench.database import Server
from bench.processes import cpu_seconds


@contextmanager
def counted_statements(server: Server) -> Iterator[Callable[[], int]]:
    """Yield a function that counts the statements so far."""
    log = server.log
    if log is None:
        yield lambda: _transactions(server.dsn)
        return
    _log_statements(server.dsn, "all")
    try:
        yield lambda: _logged(log)
    finally:
        _log_statements(server.dsn, "none")


def _log_statements(dsn: str, which: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL("ALTER SYSTEM SET log_statement = {}").format(which))
        connection.execute("SELECT pg_reload_conf()")
    # Every backend reads the new setting before its next statement.
    time.sleep(1.0)


def _logged(log: Path) -> int:
    lines = log.read_bytes().splitlines()
    return sum(b"LOG:  statement:" in line or b"LOG:  execute " in line for line in lines)


def _transactions(dsn: str) -> int:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def postmaster(dsn: str) -> int:
    """Return the process of the server itself; its children serve the connections."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        fields = Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that are there."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def server_seconds(dsn: str) -> float:
    """Return the processor time of the server so far, with that of backends that have ended."""
    server = postmaster(dsn)
    ended = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[13:15]
    return cpu_seconds(children(server)) + sum(map(int, ended)) / os.sysconf("SC_CLK_TCK")
