"""One Postgres for a test session, and a database with a fresh schema in it for each test that asks.

A copy of a migrated database costs half of the migrations, or less.

The server is a temporary one of our own binaries, without fsync; `CONTINUUM_TEST_DSN`
names another. Its keeper ends it and removes its directory even when pytest is killed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from continuum.local_postgres import EmbeddedPostgres
from continuum_migrations import migrate


@dataclass(frozen=True, slots=True)
class Template:
    """A database to copy, the migrated schema in it, and the session that copies."""

    maker: psycopg.Connection
    database: str
    schema: str


@contextmanager
def session_server() -> Iterator[str]:
    """Yield the DSN of the session's server."""
    given = os.environ.get("CONTINUUM_TEST_DSN")
    if given:
        yield given
        return
    with EmbeddedPostgres.temporary() as server:
        yield server.dsn


def _new_name() -> str:
    return f"test_{uuid4().hex[:12]}"


@contextmanager
def unused_schema(dsn: str) -> Iterator[str]:
    """Yield a name that no schema has; drop the schema of that name afterwards."""
    name = _new_name()
    try:
        yield name
    finally:
        _drop(dsn, name)


def _drop(dsn: str, schema: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        # A test that failed may have left a session that holds locks; it must not hang the next ones.
        connection.execute("set lock_timeout = '10s'")
        for _ in range(3):
            with suppress(psycopg.errors.DeadlockDetected):
                # The last statements of a process that was killed may still run.
                connection.execute(SQL("drop schema if exists {} cascade").format(Identifier(schema)))
                return
    raise RuntimeError(f"schema {schema} could not be dropped: a process still uses its tables")


@contextmanager
def migrated_schema(dsn: str) -> Iterator[str]:
    """Yield the name of a new schema with every migration applied; drop it afterwards."""
    with unused_schema(dsn) as name:
        asyncio.run(migrate(dsn, name))
        yield name


@contextmanager
def migrated_template(dsn: str) -> Iterator[Template]:
    """Yield a database whose copies have a schema with every migration applied; drop it afterwards."""
    with psycopg.connect(dsn, autocommit=True) as maker:
        made = Template(maker, database=_new_name(), schema=_new_name())
        own = Identifier(made.database)
        maker.execute(SQL("create database {}").format(own))
        try:
            asyncio.run(migrate(make_conninfo(dsn, dbname=made.database), made.schema))
            yield made
        finally:
            maker.execute(SQL("drop database {} with (force)").format(own))


@contextmanager
def copied_database(dsn: str, template: Template) -> Iterator[str]:
    """Yield the DSN of a new copy of the template; drop the copy afterwards."""
    name = _new_name()
    own = Identifier(name)
    create = SQL("create database {} template {}").format(own, Identifier(template.database))
    template.maker.execute(create)
    try:
        yield make_conninfo(dsn, dbname=name)
    finally:
        # Ends the sessions that a test has left, which must not hang the next ones.
        template.maker.execute(SQL("drop database if exists {} with (force)").format(own))
