"""The server to measure on, and a fresh schema for each measurement."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier

from continuum.local_postgres import EmbeddedPostgres
from continuum_migrations import migrate

DURABILITY = ("fsync", "synchronous_commit", "full_page_writes", "wal_sync_method")


@dataclass(frozen=True, slots=True)
class Server:
    """A Postgres server. `log` is its log file, if we started it."""

    dsn: str
    log: Path | None


@contextmanager
def server(dsn: str | None) -> Iterator[Server]:
    """Yield the server at `dsn`, or start a durable one that is removed afterwards."""
    if dsn is not None:
        yield Server(dsn, None)
        return
    root = Path(tempfile.mkdtemp(prefix="continuum-bench-"))
    # The server may run under another account, which must be able to enter the directory.
    root.chmod(0o755)
    try:
        with EmbeddedPostgres(root / "postgres", durable=True) as own:
            yield Server(own.dsn, own.data_directory / "postgres.log")
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def fresh_schema(dsn: str) -> Iterator[str]:
    """Yield the name of a new schema, after a checkpoint, so that none happens during the measurement."""
    name = f"bench_{uuid4().hex[:12]}"
    asyncio.run(migrate(dsn, name))
    with psycopg.connect(dsn, autocommit=True) as connection:
        checkpoint(connection)
    try:
        yield name
    finally:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(name)))


def checkpoint(connection: psycopg.Connection[Any]) -> None:
    """Write a checkpoint, so that none happens during the measurement."""
    try:
        connection.execute("CHECKPOINT")
    except psycopg.errors.InsufficientPrivilege:
        # The user of a given server may lack the right; then a checkpoint may happen at any time.
        pass


def server_version(dsn: str) -> str:
    """Return the version of the server."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    assert row is not None
    return str(row[0])


def durability(dsn: str) -> dict[str, str]:
    """Return the settings of the server that decide what survives a crash."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS s (name)", (list(DURABILITY),)
        ).fetchall()
    return dict(rows)
