"""The feed of state changes through clients on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice

from continuum import connect, connect_sync
from tests.postgres.test_client import ending
from tests.unit.client.working import greeting


def test_a_reader_that_reconnects_continues_where_it_stopped(dsn: str, schema: str) -> None:
    async def main() -> None:
        runs: list[str] = []
        seen: list[tuple[str, str]] = []
        cursor = None
        async with connect(dsn, schema=schema) as client, ending(dsn, schema) as node:
            for _ in range(4):
                run = await client.start(greeting, "ann")
                await node.complete(run.id, "hi")
                runs.append(run.id)
                async with connect(dsn, schema=schema) as other:
                    async for change in other.events(cursor=cursor):
                        seen.append((change.run_id, change.state))
                        cursor = change.cursor
                        if change.run_id == run.id and change.state == "completed":
                            break
        assert seen == [(run, state) for run in runs for state in ("started", "completed")]

    asyncio.run(main())


def test_changes_arrive_without_notifications(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with connect(dsn, schema=schema, listen=False) as client:
            events = client.events(cursor="now", workflow=greeting)
            waiting = asyncio.ensure_future(anext(events))
            run = None
            while not waiting.done():
                run = await client.start(greeting, "ann")
                await asyncio.wait([waiting], timeout=0.05)
            assert run is not None
            assert (await waiting).state == "started"
            await events.aclose()

    asyncio.run(main())


def test_blocking_code_reads_events(dsn: str, schema: str) -> None:
    with connect_sync(dsn, schema=schema) as client:
        run = client.start(greeting, "ann", namespace="eu")
        events: Iterator[object] = client.events(namespace="eu")
        (change,) = islice(events, 1)
        assert (change.run_id, change.state) == (run.id, "started")  # type: ignore[attr-defined]
