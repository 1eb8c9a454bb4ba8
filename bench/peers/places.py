"""Where a measured system has its data: a schema of ours, or a database of its own on the same server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier

from bench.database import Server, checkpoint, fresh_schema
from bench.peers import restate_server
from bench.peers.systems import System
from bench.statements import postmaster


@contextmanager
def place(system: System, server: Server) -> Iterator[dict[str, Any]]:
    """Yield what the programs of a system are given to find its data; it is removed afterwards."""
    given: dict[str, Any] = {"settings": dict(system.settings), **dict(system.settings)}
    given.setdefault("embedded", False)
    if system.place == "restate":
        with restate_server.data() as where:
            yield {**given, **where}
    elif system.place == "our schema":
        with fresh_schema(server.dsn) as schema:
            yield {**given, "dsn": server.dsn, "schema": schema, "postmaster": postmaster(server.dsn)}
    else:
        with _fresh_database(server.dsn) as dsn:
            yield {**given, "dsn": dsn, "schema": system.name, "postmaster": postmaster(server.dsn)}


@contextmanager
def _fresh_database(dsn: str) -> Iterator[str]:
    name = f"bench_{uuid4().hex[:12]}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        checkpoint(connection)
        parts = connection.info
        url = f"postgresql://{parts.user}@/{name}?host={quote(parts.host, safe='')}&port={parts.port}"
    try:
        yield url
    finally:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
