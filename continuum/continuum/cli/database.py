"""Options that several commands share, and connections to the database they name.

These connections never create a schema, not even on the embedded server: a misspelled name is
an error. `migrate`, `run-node` and `demo` create theirs. An error about something that was not found names
the database, and an embedded server without runs is named at once: the DSN may have been forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from continuum.errors import (
    NodeNotFound,
    NotPublished,
    RunNotFound,
    SchemaOutOfDate,
    UnknownWorkflow,
)

if TYPE_CHECKING:
    # A node has these options too, and starts without a client.
    from continuum.client import Client
    from continuum.client.namespaces import InNamespace
    from continuum.journal.port import Journal

# What may be missing only because the command looks in another database than its user thinks.
NOT_FOUND = (NodeNotFound, NotPublished, RunNotFound, SchemaOutOfDate, UnknownWorkflow)
# In the facts of a command that click keeps: the empty embedded server was named.
NAMED = "continuum.cli.database"

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """Which database a command works on."""

    dsn: str | None
    schema: str

    def __str__(self) -> str:
        """Return the name of it, without a password."""
        return f"schema {self.schema} of {_database_name(self.dsn)}"


def database_options(command: F) -> F:
    """Give a command --dsn and --schema."""
    command = click.option(
        "--schema",
        default="continuum",
        show_default=True,
        metavar="NAME",
        is_eager=True,
        help="Schema in that database.",
    )(command)
    return click.option(
        "--dsn",
        metavar="DSN",
        is_eager=True,
        help="Postgres to use; otherwise CONTINUUM_DSN, otherwise your embedded one.",
    )(command)


def namespace_option(command: F) -> F:
    """Give a command that names a run by its id --namespace, which guards it."""
    from continuum.client.namespaces import ANY_NAMESPACE

    def guard(_context: click.Context, _parameter: click.Parameter, given: str | None) -> InNamespace:
        return ANY_NAMESPACE if given is None else given

    return click.option(
        "--namespace",
        metavar="TEXT",
        callback=guard,
        is_eager=True,
        help="Refuse RUN if it is in another namespace.",
    )(command)


def json_option(command: F) -> F:
    """Give a command --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


@asynccontextmanager
async def opened(target: Target) -> AsyncIterator[str]:
    """Yield the DSN to connect to; errors about what was not found name the database.

    An embedded server that has no data yet is not started: nothing could be found there.
    """
    from continuum.client.connecting import database

    if _embedded_by_default(target):
        _require_embedded_data()
    try:
        async with database(target.dsn) as address:
            yield address
    except NOT_FOUND as error:
        error.add_note(f"looked in {target}")
        raise


@asynccontextmanager
async def connected(target: Target, *, listen: bool = False) -> AsyncIterator[Client]:
    """Open a client on an existing schema."""
    from continuum.client import connect

    async with opened(target) as address, connect(address, schema=target.schema, listen=listen) as client:
        if _embedded_by_default(target):
            _name_if_empty(target, bool((await client.query(limit=1, namespace=None)).entries))
        yield client


@asynccontextmanager
async def opened_journal(target: Target, *, read_only: bool = False) -> AsyncIterator[Journal]:
    """Open the journal of an existing schema, for calls that no client has.

    With `read_only` the server refuses every statement that would write.
    """
    from continuum.journal.facts import Query
    from continuum.journal.postgres import PostgresJournal
    from continuum.journal.postgres.schema import check_schema

    async with opened(target) as address:
        await check_schema(address, target.schema)
        journal = PostgresJournal(address, schema=target.schema, listen=False, read_only=read_only)
        await journal.open()
        try:
            if _embedded_by_default(target):
                anything = Query(None, (), ("started_at", True), 1, None, payloads=False)
                _name_if_empty(target, bool(await journal.query(anything)))
            yield journal
        finally:
            await journal.close()


def ask(target: Target, question: Callable[[Client], Awaitable[T]]) -> T:
    """Return the result of a call of the client."""

    async def asking() -> T:
        async with connected(target) as client:
            return await question(client)

    return asyncio.run(asking())


def ask_journal(target: Target, question: Callable[[Journal], Awaitable[T]], *, read_only: bool = False) -> T:
    """Return the result of a call of the journal itself, read-only as in `opened_journal`."""

    async def asking() -> T:
        async with opened_journal(target, read_only=read_only) as journal:
            return await question(journal)

    return asyncio.run(asking())


def _embedded_by_default(target: Target) -> bool:
    from continuum.client.connecting import default_dsn

    return not target.dsn and default_dsn() is None


def _name_if_empty(target: Target, has_runs: bool) -> None:
    """Name an embedded server without runs, once: the DSN of the database that has them may be forgotten."""
    told = click.get_current_context().find_root().meta
    if not has_runs and not told.get(NAMED):
        told[NAMED] = True
        click.echo(f"neither --dsn nor CONTINUUM_DSN is set: this is {target}, which has no runs", err=True)


def _require_embedded_data() -> None:
    from continuum.local_postgres import EmbeddedPostgres

    server = EmbeddedPostgres()
    if not server.has_data:
        raise SchemaOutOfDate(
            f"neither --dsn nor CONTINUUM_DSN is set, and your embedded Postgres in {server.data_directory} "
            "has no data yet; set one of them, or run continuum migrate to begin with the embedded one"
        )


def _database_name(dsn: str | None) -> str:
    from continuum.client.connecting import default_dsn
    from continuum.journal.postgres.database_name import database_name
    from continuum.local_postgres import EmbeddedPostgres

    address = dsn or default_dsn()
    if address is None:
        return f"your embedded Postgres in {EmbeddedPostgres().data_directory}"
    return database_name(address)
