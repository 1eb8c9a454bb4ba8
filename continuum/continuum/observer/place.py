"""`Place`: the database that an observer shows, with one way in for reads and another for changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from continuum.client import Client
from continuum.client.journals import journal_of
from continuum.journal.port import Journal
from continuum.observer.executing import Executing
from continuum.observer.limits import READERS, STATEMENT_SECONDS
from continuum.observer.node_looks import NodeLooks


@dataclass(frozen=True, slots=True)
class Place:
    """A database: `client` changes it; `reads` and `journal` only read, on connections of their own.

    `executing` executes the changes of many runs that were begun here.
    """

    name: str
    client: Client
    reads: Client
    journal: Journal
    executing: Executing
    looks: NodeLooks = field(default_factory=NodeLooks)


@asynccontextmanager
async def place_of(client: Client) -> AsyncIterator[Place]:
    """Open the connections that read beside a client's own; in the end stop what is executed."""
    executing = Executing(journal_of(client))
    try:
        async with _opened(client, executing) as place:
            yield place
    finally:
        await executing.stop()


@asynccontextmanager
async def _opened(client: Client, executing: Executing) -> AsyncIterator[Place]:
    from continuum.journal.postgres import PostgresJournal
    from continuum.journal.postgres.database_name import database_name

    journal = journal_of(client)
    if not isinstance(journal, PostgresJournal):
        yield Place("memory", client, client, journal, executing)
        return
    reader = PostgresJournal(
        journal.dsn,
        schema=journal.schema,
        listen=False,
        # One of them would be for commits and notifications, and is never opened.
        connections=READERS + 1,
        application="continuum observer",
        read_only=True,
        statement_seconds=STATEMENT_SECONDS,
    )
    await reader.open()
    try:
        async with Client(reader) as reads:
            yield Place(
                f"{database_name(journal.dsn)}, schema {journal.schema}", client, reads, reader, executing
            )
    finally:
        await reader.close()
