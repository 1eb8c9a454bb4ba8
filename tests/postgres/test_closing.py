"""A journal that is closed keeps no connection, whatever it was doing at that moment."""

from __future__ import annotations

import asyncio

import pytest

from continuum.errors import JournalUnavailable
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.statements import Statements
from continuum.journal.postgres.watched_connection import WatchedConnection


def test_a_journal_that_is_closed_while_its_commit_lane_opens_keeps_no_connection(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        database = Database(dsn, Statements(schema))
        connect, made = database._connector.connect, list[WatchedConnection]()
        connecting, may_connect = asyncio.Event(), asyncio.Event()

        async def slowly() -> WatchedConnection:
            connecting.set()
            await may_connect.wait()
            made.append(await connect())
            return made[-1]

        monkeypatch.setattr(database._connector, "connect", slowly)
        committing = asyncio.create_task(database.fetch_on_lane("time", ()))
        await connecting.wait()
        await database.close()
        may_connect.set()
        with pytest.raises(JournalUnavailable, match="the journal is closed"):
            await committing
        assert [connection.closed for connection in made] == [True]

    asyncio.run(main())


def test_a_closed_journal_opens_no_commit_lane(dsn: str, schema: str) -> None:
    async def main() -> None:
        database = Database(dsn, Statements(schema))
        await database.fetch_on_lane("time", ())
        await database.close()
        with pytest.raises(JournalUnavailable, match="the journal is closed"):
            await database.fetch_on_lane("time", ())
        assert not database._lane.connected

    asyncio.run(main())
