"""The options that say which database, and the way to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from continuum.client import Client, connect
from continuum.client.connecting import database, prepare_schema
from continuum.journal.port import Journal
from continuum.journal.postgres import PostgresJournal

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


def json_option(command: F) -> F:
    """Give a command --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def ask(target: Target, question: Callable[[Client], Awaitable[T]]) -> T:
    """Return the answer that a client gives."""

    async def asking() -> T:
        async with connect(target.dsn, schema=target.schema, listen=False) as client:
            return await question(client)

    return asyncio.run(asking())


def ask_journal(target: Target, question: Callable[[Journal], Awaitable[T]]) -> T:
    """Return the answer that the journal itself gives, to what no client asks."""

    async def asking() -> T:
        async with database(target.dsn) as address:
            await prepare_schema(target.dsn, address, target.schema)
            journal = PostgresJournal(address, schema=target.schema, listen=False)
            await journal.open()
            try:
                return await question(journal)
            finally:
                await journal.close()

    return asyncio.run(asking())
