"""The server to measure on, and a fresh schema for each measurement."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier

from continuum.local_postgres import EmbeddedPostgres
from continuum_migrations import migrate


@dataclass(frozen=True, slots=True)
class Server:
    """Where to connect. `log` is the file it logs to, when it is ours."""

    dsn: str
    log: Path | None


@contextmanager
def server(dsn: str | None) -> Iterator[Server]:
    """Yield the server that was named, or a durable one of our own that vanishes afterwards."""
    if dsn is not None:
        yield Server(dsn, None)
        return
    root = Path(tempfile.mkdtemp(prefix="continuum-bench-"))
    # The server's own account, if it has one, must be able to pass.
    root.chmod(0o755)
    try:
        with EmbeddedPostgres(root / "postgres", durable=True) as own:
            yield Server(own.dsn, own.data_directory / "postgres.log")
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def fresh_schema(dsn: str) -> Iterator[str]:
    """Yield the name of a new schema, after a checkpoint, so that none falls into the measurement."""
    name = f"bench_{uuid4().hex[:12]}"
    asyncio.run(migrate(dsn, name))
    with psycopg.connect(dsn, autocommit=True) as connection:
        try:
            connection.execute("CHECKPOINT")
        except psycopg.errors.InsufficientPrivilege:
            # A named server's user may not; its checkpoints then come when they come.
            pass
    try:
        yield name
    finally:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(name)))


def server_version(dsn: str) -> str:
    """Return the version of the server."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    assert row is not None
    return str(row[0])
