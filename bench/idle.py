"""The cost of an idle node: statements per second, and processor time.

Statements are counted in the server's log, which has all of them during the measurement.
The log of a server given by `--dsn` cannot be read, so there transactions are counted in
pg_stat_database, which lags by a few seconds and is less exact.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL

from bench.database import Server, fresh_schema
from bench.processes import cpu_seconds, node
from bench.sizes import Sizes

Results = dict[str, Any]
Tell = Callable[[str], None]


def of_an_idle_node(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure a node with the default processes, including the launcher."""
    with fresh_schema(server.dsn) as schema, node(dsn=server.dsn, schema=schema) as running:
        time.sleep(sizes.idle_after_seconds)
        with _statements(server) as count:
            pids = running.pids()
            before, cpu, begin = count(), cpu_seconds(pids), time.monotonic()
            time.sleep(sizes.idle_seconds)
            seconds = time.monotonic() - begin
            cpu, statements = cpu_seconds(pids) - cpu, count() - before
    results = {
        "seconds": seconds,
        "processes": len(pids),
        "queries_per_second": statements / seconds,
        "cpu_percent": cpu / seconds * 100,
        "counted_in": "the server's log" if server.log else "pg_stat_database",
    }
    tell(f"{results['queries_per_second']:.2f} queries/s, {results['cpu_percent']:.2f} % CPU")
    return results


@contextmanager
def _statements(server: Server) -> Iterator[Callable[[], int]]:
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
