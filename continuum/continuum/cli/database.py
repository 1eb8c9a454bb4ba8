"""Options that several commands share, and connections to the database they name.

These connections never create a schema, not even on the embedded server: a misspelled name is
an error. `migrate`, `run-node` and `demo` create theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    # A node has these options too, and starts without a client.
    from continuum.client import Client
    from continuum.client.namespaces import InNamespace
    from continuum.journal.port import Journal

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """Which database a command works on."""

    dsn: str | None
    schema: str


def database_options(command: F) -> F:
    """Give a command --dsn and --schema."""
    command = click.option(
        "--schema", default="continuum", show_default=True, metavar="NAME", help="Schema in that database."
    )(command)
    return click.option(
        "--dsn", metavar="DSN", help="Postgres to use; otherwise CONTINUUM_DSN, otherwise your embedded one."
    )(command)


def namespace_option(command: F) -> F:
    """Give a command that names a run by its id --namespace, which guards it."""
    from continuum.client.namespaces import ANY_NAMESPACE

    def guard(_context: click.Context, _parameter: click.Parameter, given: str | None) -> InNamespace:
        return ANY_NAMESPACE if given is None else given

    return click.option(
        "--namespace", metavar="TEXT", callback=guard, help="Refuse RUN if it is in another namespace."
    )(command)


def json_option(command: F) -> F:
    """Give a command --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


@asynccontextmanager
async def connected(target: Target, *, listen: bool = False) -> AsyncIterator[Client]:
    """Open a client on an existing schema."""
    from continuum.client import connect
    from continuum.client.connecting import database

    async with (
        database(target.dsn) as address,
        connect(address, schema=target.schema, listen=listen) as client,
    ):
        yield client


def ask(target: Target, question: Callable[[Client], Awaitable[T]]) -> T:
    """Return the result of a call of the client."""

    async def asking() -> T:
        async with connected(target) as client:
            return await question(client)

    return asyncio.run(asking())


def ask_journal(target: Target, question: Callable[[Journal], Awaitable[T]], *, read_only: bool = False) -> T:
    """Return the result of a call of the journal itself, for calls that no client has.

    With `read_only` the server refuses every statement that would write.
    """
    from continuum.client.connecting import database
    from continuum.journal.postgres import PostgresJournal
    from continuum.journal.postgres.schema import check_schema

    async def asking() -> T:
        async with database(target.dsn) as address:
            await check_schema(address, target.schema)
            journal = PostgresJournal(address, schema=target.schema, listen=False, read_only=read_only)
            await journal.open()
            try:
                return await question(journal)
            finally:
                await journal.close()

    return asyncio.run(asking())
