"""A client that was opened before a fork: in the child it raises at once, and the parent's still works."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import warnings
from collections.abc import Callable, Coroutine, Iterator

import pytest

import continuum
from continuum import Client, SyncClient, connect_sync, workflow
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.notification import Topic
from continuum.journal.postgres import PostgresJournal

DEADLINE_S = 60.0
REFUSED = "NotReady: the client was opened before a fork"


@workflow(name="fork.quick")
async def quick() -> None:
    """Do nothing."""


def in_child(call: Callable[[], object]) -> str:
    """Fork, call it in the child, and return the result or the error as a text."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        # The client's thread is why later versions of Python warn.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            text = f"returned {call()}"
        except BaseException as error:  # noqa: BLE001 - the parent judges it
            text = f"{type(error).__name__}: {error}"
        os.write(write, text.encode()[:2000])
        os._exit(0)
    os.close(write)
    try:
        ready, _, _ = select.select([read], [], [], DEADLINE_S)
        assert ready, "the child hangs"
        return os.read(read, 4000).decode()
    finally:
        os.close(read)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.fixture
def client(dsn: str, schema: str) -> Iterator[SyncClient]:
    """A blocking client, whose connections are open."""
    with connect_sync(dsn, schema=schema) as client:
        client.start(quick)
        yield client


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.start(quick),
        lambda client: client.query(),
        lambda client: next(client.watch("no run", "state")),
    ],
    ids=["start", "query", "watch"],
)
def test_a_blocking_client_raises_in_a_forked_child(
    call: Callable[[SyncClient], object], client: SyncClient
) -> None:
    text = in_child(lambda: call(client))
    assert text.startswith(REFUSED)
    assert text.endswith("open another with connect_sync() in the child")
    client.start(quick)
    assert len(client.query().entries) == 2


def test_a_forked_child_opens_a_client_of_its_own(client: SyncClient, dsn: str, schema: str) -> None:
    def start() -> int:
        with connect_sync(dsn, schema=schema) as own:
            own.start(quick)
            return len(own.query().entries)

    assert in_child(start) == "returned 2"
    assert len(client.query().entries) == 2


def test_a_forked_child_may_leave_the_block_of_a_client(dsn: str, schema: str) -> None:
    manager = connect_sync(dsn, schema=schema)
    client = manager.__enter__()
    assert in_child(lambda: manager.__exit__(None, None, None)) == "returned False"
    client.start(quick)
    manager.__exit__(None, None, None)


def test_an_asynchronous_client_raises_in_a_forked_child(dsn: str, schema: str) -> None:
    with asyncio.Runner() as runner:
        manager = continuum.connect(dsn, schema=schema)
        client = runner.run(manager.__aenter__())
        runner.run(client.start(quick))
        assert in_child(lambda: runner.run(client.start(quick))).startswith(REFUSED)
        assert in_child(lambda: runner.run(client.query())).startswith(REFUSED)
        assert in_child(lambda: runner.run(manager.__aexit__(None, None, None))) == "returned False"
        runner.run(client.start(quick))
        runner.run(manager.__aexit__(None, None, None))


def test_a_child_that_is_forked_during_calls_raises_and_leaves_them_alone(dsn: str, schema: str) -> None:
    async def main() -> list[str]:
        async with continuum.connect(dsn, schema=schema) as client:
            run = await client.start(quick)
            waiting = asyncio.create_task(run.result(timeout=0.5))
            reads = [asyncio.create_task(client.query()) for _ in range(8)]
            writes = [asyncio.create_task(client.start(quick)) for _ in range(8)]
            await asyncio.sleep(0)
            # All slots and the writer are taken in the copy, for ever.
            texts = [
                in_child(lambda: in_a_new_loop(client.query)),
                in_child(lambda: in_a_new_loop(client.nodes)),
                in_child(lambda: in_a_new_loop(lambda: client.start(quick))),
                in_child(lambda: in_a_new_loop(client.close)),
            ]
            await asyncio.gather(*reads, *writes)
            with pytest.raises(TimeoutError):
                await waiting
            return texts

    *refused, closed = asyncio.run(main())
    assert all(text.startswith(REFUSED) for text in refused), refused
    assert closed == "returned None"


def in_a_new_loop(call: Callable[[], Coroutine[object, object, object]]) -> object:
    """Run a coroutine in a loop of the child; the one that runs is the parent's."""
    asyncio._set_running_loop(None)
    return asyncio.run(call())


def test_a_memory_journal_is_refused_in_a_forked_child() -> None:
    async def main() -> str:
        async with Client(MemoryJournal()) as client:
            return in_child(lambda: in_a_new_loop(lambda: client.start(quick)))

    assert asyncio.run(main()).startswith(REFUSED)


def test_a_child_that_ends_its_copy_of_a_loop_leaves_the_listener_alone(dsn: str, schema: str) -> None:
    with asyncio.Runner() as runner:
        journal = PostgresJournal(dsn, schema=schema)
        runner.run(journal.open())
        news = journal.notifications([Topic.DONE])

        async def next_ids() -> tuple[str, ...]:
            return (await anext(news)).ids

        assert runner.run(next_ids()) == ()
        asking = runner.get_loop().create_task(next_ids())
        runner.run(asyncio.sleep(0))
        assert in_child(runner.close) == "returned None"

        async def post() -> tuple[str, ...]:
            await journal._database.fetch_text(b"select pg_notify(%s, 'some-run')", (f"{schema}.done",))
            return await asyncio.wait_for(asking, DEADLINE_S)

        assert runner.run(post()) == ("some-run",)
        runner.run(journal.close())


def test_a_commit_on_a_connection_of_the_parent_is_refused(dsn: str, schema: str) -> None:
    with asyncio.Runner() as runner:
        journal = PostgresJournal(dsn, schema=schema)
        runner.run(journal.open())
        assert in_child(lambda: runner.run(journal._database.fetch_on_lane("time", ()))).startswith(REFUSED)
        assert runner.run(journal._database.fetch_on_lane("time", ()))
        runner.run(journal.close())
