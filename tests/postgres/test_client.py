"""The client on a real database: connections, many callers, waits, and invalid input."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

import continuum
from continuum import Client, NodeNotFound, connect, connect_sync
from continuum.client.instances import configure_default
from continuum.journal.postgres import PostgresJournal
from tests.unit.client.working import Ending, greeting


@asynccontextmanager
async def ending(dsn: str, schema: str) -> AsyncIterator[Ending]:
    """Yield a worker that ends runs as a node would."""
    journal = PostgresJournal(dsn, schema=schema)
    await journal.open()
    try:
        yield Ending(journal)
    finally:
        await journal.close()


def test_a_run_lives_from_start_to_result(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with connect(dsn, schema=schema) as client, ending(dsn, schema) as node:
            handle = await client.start(greeting, "ann", attributes={"region": "eu"}, idempotency_key="k")
            waiting = asyncio.create_task(handle.result(timeout=30))
            await node.complete(handle.id, "hello ann")
            assert await waiting == "hello ann"
            run = await handle.get()
            assert (run.state, run.result, run.input) == ("completed", "hello ann", ["ann"])
            assert run.completed_at is not None
            assert run.started_at <= run.completed_at

    asyncio.run(main())


def test_polling_alone_brings_a_result(dsn: str, schema: str) -> None:
    """THP8, C12"""

    async def main() -> None:
        async with connect(dsn, schema=schema, listen=False) as client, ending(dsn, schema) as node:
            handle = await client.start(greeting, "ann")
            waiting = asyncio.create_task(handle.result())
            await handle.state()
            await node.complete(handle.id, "hello")
            assert await waiting == "hello"

    asyncio.run(main())


def test_hundreds_of_waits_share_one_listener(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with connect(dsn, schema=schema) as client, ending(dsn, schema) as node:
            handles = await asyncio.gather(*(client.start(greeting, str(n)) for n in range(300)))
            waiting = [asyncio.create_task(handle.result(timeout=60)) for handle in handles]
            for n, handle in enumerate(handles):
                await node.complete(handle.id, str(n))
            assert await asyncio.gather(*waiting) == [str(n) for n in range(300)]
            with psycopg.connect(dsn) as connection:
                row = connection.execute(
                    "select count(*) from pg_stat_activity where query like %s", (f"LISTEN%{schema}%",)
                ).fetchone()
            assert row == (1,)

    asyncio.run(main())


def test_concurrent_signals_arrive_while_their_runs_are_written(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with connect(dsn, schema=schema) as client, ending(dsn, schema) as node:
            handles = await asyncio.gather(*(client.start(greeting, str(n)) for n in range(20)))
            await node.claim()
            await asyncio.gather(
                *(handle.signal("count", n) for n in range(10) for handle in handles),
                *(node.write(handle.id, None) for handle in handles),
            )
            assert node.worker is not None
            rows = await node.journal.inbox(node.worker, None)
            assert len(rows) == 200

    asyncio.run(main())


def test_a_start_that_the_database_refuses_fails_alone(dsn: str, schema: str) -> None:
    async def main() -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(
                SQL("alter table {} add check (workflow <> 'forbidden')").format(Identifier(schema, "runs"))
            )
        async with connect(dsn, schema=schema) as client:
            names = ["greeting", "forbidden", "greeting"]
            results = await asyncio.gather(*(client.start(name) for name in names), return_exceptions=True)
            assert [isinstance(result, Exception) for result in results] == [False, True, False]

    asyncio.run(main())


def test_concurrent_starts_with_one_key_create_one_run(dsn: str, schema: str) -> None:  # ING1
    async def main() -> None:
        async with connect(dsn, schema=schema) as one, connect(dsn, schema=schema) as other:
            handles = await asyncio.gather(
                *(client.start(greeting, "ann", idempotency_key="k") for client in (one, other) * 20)
            )
            assert len({handle.id for handle in handles}) == 1
            assert sum(not handle.existing for handle in handles) == 1

    asyncio.run(main())


def test_concurrent_merges_keep_every_attribute(dsn: str, schema: str) -> None:  # ATR2
    async def main() -> None:
        async with connect(dsn, schema=schema) as client:
            handle = await client.start(greeting, "ann")
            await asyncio.gather(*(handle.set_attributes({f"a{n}": n}) for n in range(20)))
            assert (await handle.get()).attributes == {f"a{n}": n for n in range(20)}

    asyncio.run(main())


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("field", ["started_at", "id", "workflow", "state", "updated_at", "namespace"])
def test_pages_show_every_run_once(dsn: str, schema: str, field: str, direction: str) -> None:
    async def main() -> None:
        async with connect(dsn, schema=schema) as client:
            handles = await asyncio.gather(*(client.start(greeting, str(n)) for n in range(10)))
            seen: list[str] = []
            cursor = None
            while not seen or cursor is not None:
                page = await client.query(order_by=(field, direction), limit=4, cursor=cursor)
                seen += [run.id for run in page.entries]
                cursor = page.next_cursor
            assert sorted(seen) == sorted(handle.id for handle in handles)

    asyncio.run(main())


def test_queries_accept_conditions_on_every_field(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with connect(dsn, schema=schema) as client:
            handle = await client.start(greeting, "ann", attributes={"n": 5}, idempotency_key="k")
            run = await handle.get()
            page = await client.query(
                [
                    ("id", "eq", run.id),
                    ("workflow", "in", ["greeting", "other"]),
                    ("version", "eq", None),
                    ("state", "ne", "completed"),
                    ("idempotency_key", "eq", "k"),
                    ("started_at", "ge", run.started_at),
                    ("updated_at", "le", run.updated_at),
                    ("completed_at", "eq", None),
                    (("attributes", "n"), "gt", 4),
                ]
            )
            assert page.entries == [run]

    asyncio.run(main())


def test_a_missing_schema_names_the_command_that_creates_it(dsn: str, empty_name: str) -> None:
    async def main() -> None:
        async with connect(dsn, schema=empty_name):
            raise AssertionError("there is no such schema")

    with pytest.raises(continuum.SchemaOutOfDate, match="run continuum migrate"):
        asyncio.run(main())


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        ("postgresql://user:secret@127.0.0.1:1/x", continuum.JournalUnavailable, "cannot be reached"),
        ("no dsn with secret", continuum.InvalidOption, "the DSN cannot be read"),
    ],
)
def test_a_bad_address_is_refused_in_one_line_without_its_password(
    address: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught, connect_sync(address):
        raise AssertionError("no server listens there")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_blocking_client_serves_many_threads(dsn: str, schema: str) -> None:
    with connect_sync(dsn, schema=schema) as client:
        ids: list[str] = []

        def work() -> None:
            handle = client.start(greeting, "ann", namespace="eu")
            handle.signal("hello", 1)
            ids.append(handle.id)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(run.id for run in client.query(namespace="eu").entries) == sorted(ids)
        with pytest.raises(TimeoutError):
            client.handle(ids[0]).result(timeout=0.01)
    with pytest.raises(continuum.NotReady):
        client.get_run(ids[0])
    assert not [thread for thread in threading.enumerate() if thread.name == "continuum-client"]


def test_closing_a_blocking_client_ends_waits_in_other_threads(dsn: str, schema: str) -> None:
    raised: list[Exception] = []
    waits = threading.Event()
    with connect_sync(dsn, schema=schema) as client:
        handle = client.start(greeting, "ann")

        def wait() -> None:
            waits.set()
            try:
                handle.result()
            except continuum.NotReady as error:
                raised.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        assert waits.wait(30)
    thread.join(30)
    assert len(raised) == 1


@pytest.fixture
def default_instance(dsn: str, schema: str) -> Iterator[None]:
    """Configure the default instance, for one test alone."""
    continuum.configure(dsn, schema=schema)
    yield
    configure_default(None)


@pytest.mark.usefixtures("default_instance")
def test_the_default_instance_serves_every_loop() -> None:
    """JRS1, JRS2, B63"""

    async def main() -> str:
        try:
            handle = await continuum.start(greeting, "ann", idempotency_key="k")
            await continuum.signal(handle.id, "hello", 1)
            await continuum.set_attributes(handle.id, {"vip": True})
            page = await continuum.query([(("attributes", "vip"), "eq", True)])
            assert [run.id for run in page.entries] == [handle.id]
            assert (await continuum.get_run(handle.id)).state == "running"
            with pytest.raises(TimeoutError):
                await continuum.await_run(handle.id, timeout=0)
            await continuum.cancel(handle.id)
        finally:
            await continuum.disconnect()
        return handle.id

    assert asyncio.run(main()) == asyncio.run(main())


def test_a_start_survives_lost_connections(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with connect(dsn, schema=schema) as client:
            await client.start(greeting, "ann")
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where pid <> pg_backend_pid() and backend_type = 'client backend' and query like %s",
                    (f"%{schema}%",),
                )
            await client.start(greeting, "bob")
            assert len((await client.query()).entries) == 2

    asyncio.run(main())


def test_run_ids_begin_with_the_time_of_the_server(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with connect(dsn, schema=schema) as client:
            before = time.time_ns() // 1_000_000
            handle = await client.start(greeting, "ann")
            made = uuid.UUID(handle.id).int >> 80
            assert abs(made - before) < 60_000

    asyncio.run(main())


def test_a_client_on_a_journal_leaves_it_open(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with ending(dsn, schema) as node:
            async with Client(node.journal) as client:
                handle = await client.start(greeting, "ann")
            assert await node.journal.get_run(handle.id) is not None

    asyncio.run(main())


@pytest.mark.parametrize("name", ["a\x00", "\udc80"])
def test_a_name_that_the_database_cannot_hold_is_of_no_node(dsn: str, schema: str, name: str) -> None:
    async def main() -> None:
        async with connect(dsn, schema=schema) as client:
            for each in (client, client.as_actor("ann")):
                with pytest.raises(NodeNotFound):
                    await each.drain_node(name)

    asyncio.run(main())
