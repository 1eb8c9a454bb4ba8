"""Chains, declared signals and published values, through a client on a real database."""

from __future__ import annotations

import asyncio
import threading

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum import Signal, connect, connect_sync
from continuum.errors import DurableTermError, NotPublished, RunNotFound, UndeclaredSignal
from tests.postgres.test_client import ending
from tests.unit.client.working import greeting

review = Signal("review", int)


def test_every_wait_follows_a_chain_to_its_end(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with connect(dsn, schema=schema) as client, ending(dsn, schema) as node:
            run = await client.start(greeting, "ann", namespace="eu", trace_context="t")
            waiting = [asyncio.create_task(client.await_run(run.id, 30)) for _ in range(3)]
            await run.state()
            second = await node.continue_as_new(run.id)
            latest = await node.continue_as_new(second)
            await run.signal(review, 1, delivery_id="d")
            await client.signal(second, review, 2, delivery_id="d")
            await client.set_attributes(run.id, {"vip": True})
            await node.complete(latest, "hello")
            assert await asyncio.gather(*waiting) == ["hello"] * 3
            assert await client.await_run(second, 0, namespace="eu") == "hello"
            last = await client.get_run(latest)
            assert (last.continued_from, last.attributes, last.trace_context) == (second, {"vip": True}, "t")
            child = (await client.query([("parent_run_id", "ne", None)], namespace=None)).entries
            assert child == []

    asyncio.run(main())


def test_a_refused_signal_leaves_no_row(dsn: str, schema: str) -> None:
    """SIG1, SIG2."""

    async def main() -> None:
        async with connect(dsn, schema=schema) as client, ending(dsn, schema) as node:
            await node.declare(review)
            run = await client.start("greeting", "ann")
            with pytest.raises(UndeclaredSignal):
                await run.signal("reveiw", 1)
            with pytest.raises(DurableTermError, match="signal review: expected int, got str"):
                await run.signal("review", "1")
            assert await node.journal.declared_signals(run.id) == {"review": "int"}

    asyncio.run(main())
    with psycopg.connect(dsn) as connection:
        count = SQL("select count(*) from {}").format(Identifier(schema, "inbox"))
        assert connection.execute(count).fetchone() == (0,)


@pytest.mark.parametrize("listen", [True, False])
def test_published_values_are_watched_with_and_without_listening(dsn: str, schema: str, listen: bool) -> None:
    async def main() -> None:
        async with connect(dsn, schema=schema, listen=listen) as client, ending(dsn, schema) as node:
            run = await client.start(greeting, "ann")
            with pytest.raises(NotPublished):
                await run.read("progress")
            watch = run.watch("progress", int)
            coming = asyncio.create_task(anext(watch))
            await node.publish(run.id, progress=1)
            async with asyncio.timeout(30):
                assert await coming == 1
                latest = await node.continue_as_new(run.id)
                await node.publish(latest, progress=2)
                await node.complete(latest, None)
                assert [value async for value in watch] == [2]
            assert await run.read("progress", int) == 2

    asyncio.run(main())


def test_many_watches_share_one_listener(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with connect(dsn, schema=schema) as client, ending(dsn, schema) as node:
            runs = [await client.start(greeting, str(n)) for n in range(30)]
            watches = [run.watch("progress") for run in runs]
            coming = [asyncio.create_task(anext(watch)) for watch in watches]
            for n, run in enumerate(runs):
                await node.publish(run.id, progress=n)
            async with asyncio.timeout(60):
                assert await asyncio.gather(*coming) == list(range(30))
            with psycopg.connect(dsn) as connection:
                row = connection.execute(
                    "select count(*) from pg_stat_activity where query like %s", (f"LISTEN%{schema}%",)
                ).fetchone()
            assert row == (1,)

    asyncio.run(main())


def test_a_blocking_client_watches_from_its_own_thread(dsn: str, schema: str) -> None:
    with connect_sync(dsn, schema=schema) as client:
        run = client.start(greeting, "ann")
        seen: list[int] = []
        first = threading.Event()

        def look() -> None:
            for value in run.watch("progress", int):
                seen.append(value)
                first.set()

        watching = threading.Thread(target=look)
        watching.start()

        async def work(*, last: bool) -> None:
            async with ending(dsn, schema) as node:
                await node.publish(run.id, progress=2 if last else 1)
                if last:
                    await node.complete(run.id, None)
                else:
                    assert node.worker is not None
                    await node.journal.release(node.worker, [run.id], crashed=False, poison_after=3)

        asyncio.run(work(last=False))
        assert first.wait(30)
        asyncio.run(work(last=True))
        watching.join(30)
        assert not watching.is_alive()
        assert seen == [1, 2]
        assert client.read(run.id, "progress", int) == 2
        assert run.read("other", int, default=7) == 7
        # A watch that stops early leaves nothing behind.
        assert next(iter(client.watch(run.id, "progress"))) == 2
        with pytest.raises(RunNotFound):
            client.get_run(run.id, namespace="eu")
