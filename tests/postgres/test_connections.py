"""How many connections a journal has, under which name, and what it says when the server has none left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier, Literal

from continuum.engine.ids import NodeId
from continuum.errors import JournalUnavailable
from continuum.journal.connection_room import ConnectionRoom
from continuum.journal.facts import NodeFacts, NodeRow
from continuum.journal.notification import Topic
from continuum.journal.postgres import PostgresJournal, watched_connection
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.statements import Statements
from tests.contract.builders import event, owned_run, worker_of, write

SILENCE_S = 0.2


def connections_of(dsn: str, application: str) -> int:
    """Return how many connections of that name the server has."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", (application,)
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def small_role(dsn: str) -> Iterator[str]:
    """Yield the name of a role that may connect, and is no superuser."""
    name = f"few_{uuid4().hex[:12]}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(name)))
        yield name
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (name,)
        )
        connection.execute(SQL("DROP ROLE {}").format(Identifier(name)))


def limit(dsn: str, role: str, connections: int) -> str:
    """Limit the connections of a role, and return the DSN for it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(Identifier(role), Literal(connections))
        )
    return make_conninfo(dsn, user=role)


def test_calls_at_once_share_the_connections_that_a_journal_may_have(dsn: str, schema: str) -> None:
    name = f"continuum few {uuid4().hex[:12]}"

    async def main() -> int:
        journal = PostgresJournal(dsn, schema=schema, connections=2, application=name)
        await journal.open()
        listening = journal.notifications([Topic.WORK])
        heard = asyncio.ensure_future(anext(listening))
        try:
            worker = await worker_of(journal)
            owned = await owned_run(journal, worker)
            await asyncio.gather(
                *(journal.versions() for _ in range(30)),
                journal.commit(worker, 10**9, [write(owned, event(1))]),
            )
            return await asyncio.to_thread(connections_of, dsn, name)
        finally:
            heard.cancel()
            await asyncio.gather(heard, return_exceptions=True)
            await journal.close()

    # One for commits, which listens, and one for all other calls.
    assert asyncio.run(main()) == 2


def test_the_name_of_a_process_is_on_its_connections_unless_the_dsn_has_one(dsn: str, schema: str) -> None:
    name = f"continuum run_host {uuid4().hex[:12]}"

    async def named(address: str) -> int:
        journal = PostgresJournal(address, schema=schema, application=name)
        await journal.open()
        try:
            return await asyncio.to_thread(connections_of, dsn, name)
        finally:
            await journal.close()

    assert asyncio.run(named(dsn)) == 1
    assert asyncio.run(named(make_conninfo(dsn, application_name="of an operator"))) == 0


def test_a_full_server_is_reported_with_what_to_do(dsn: str, schema: str, small_role: str) -> None:
    journal = PostgresJournal(limit(dsn, small_role, 0), schema=schema)
    with pytest.raises(JournalUnavailable, match=r"^too many connections: .*max_connections.*--connections"):
        asyncio.run(journal.open())


def test_a_slow_statement_is_waited_for_although_nobody_can_ask_a_full_server(
    dsn: str, schema: str, small_role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_connection, "ANSWER_SECONDS", SILENCE_S)

    async def main() -> None:
        database = Database(limit(dsn, small_role, 1), Statements(schema), pool_size=1)
        database.silence = SILENCE_S
        try:
            seconds = SILENCE_S * 5
            assert await database.fetch_text(f"SELECT pg_sleep({seconds})".encode()) == [("",)]
        finally:
            await database.close()

    asyncio.run(main())


async def listed(journal: PostgresJournal, node: str, connections: int) -> None:
    """List a node that may open so many connections."""
    facts = NodeFacts(NodeId(node), 7, "local", "up", [("launcher", 7), ("run_host", 8)], (), {}, connections)
    await journal.renew([], 60.0, facts)


def test_the_connections_of_all_nodes_are_compared_with_the_limit_of_the_server(
    dsn: str, schema: str
) -> None:
    async def main() -> ConnectionRoom | None:
        journal = PostgresJournal(dsn, schema=schema)
        await journal.open()
        try:
            await listed(journal, "north", 7)
            await listed(journal, "south", 10_000)
            return await journal.connection_room()
        finally:
            await journal.close()

    room = asyncio.run(main())

    assert room is not None
    # The one that asks is a client.
    assert room.others >= 1
    assert room.accepted < room.nodes == 10_007


def test_the_number_of_connections_of_a_node_is_no_waiting_attempt(dsn: str, schema: str) -> None:
    async def main() -> list[NodeRow]:
        journal = PostgresJournal(dsn, schema=schema)
        await journal.open()
        try:
            await listed(journal, "north", 7)
            return await journal.nodes()
        finally:
            await journal.close()

    (node,) = asyncio.run(main())

    assert (node.processes, node.waiting) == ([("launcher", 7), ("run_host", 8)], {})


def test_nothing_watches_a_lost_connection_any_more(dsn: str, schema: str) -> None:
    """The next socket that the process opens, of whatever, has the same descriptor."""
    name = f"continuum lost {uuid4().hex[:12]}"

    async def main() -> bool:
        database = Database(dsn, Statements(schema), application=name)
        ear = await database.listen(["nothing"])
        assert database._lane._connection is not None
        descriptor = database._lane._connection.fileno()
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", (name,)
            )
        with pytest.raises(psycopg.OperationalError):
            await ear.next(60.0)
        try:
            return asyncio.get_running_loop().remove_reader(descriptor)
        finally:
            await database.close()

    assert not asyncio.run(main())
