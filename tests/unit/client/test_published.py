"""Published values, read and watched by clients, with or without a node that executes the run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import pytest

import continuum
from continuum import Client
from continuum.client.published_values import PublishedValues
from continuum.client.run_lookup import RunLookup
from continuum.codec.codec import decode
from continuum.engine.ids import RunId
from continuum.errors import DurableTermError, JournalUnavailable, NotPublished, NotReady, RunNotFound
from continuum.journal.family_facts import PublishedValue
from continuum.journal.memory.journal import MemoryJournal
from tests.unit.client.working import Ending, greeting, memory_client

UNKNOWN = "00000000-0000-0000-0000-000000000000"


@dataclass
class Progress:
    """The progress of a run."""

    done: int
    of: int = 10


class Unsteady(MemoryJournal):
    """Fails the next `losses` reads of published values."""

    def __init__(self) -> None:
        super().__init__()
        self.losses = 0

    async def read_published(self, run_id: RunId, names: Any) -> dict[str, PublishedValue]:
        if self.losses:
            self.losses -= 1
            raise JournalUnavailable("it restarts")
        return await super().read_published(run_id, names)


def test_read_returns_the_latest_value() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.publish(run.id, progress=Progress(1), note="a")
            await ending.publish(run.id, progress=Progress(2))
            assert await run.read("progress") == {"done": 2, "of": 10}
            assert await run.read("progress", Progress) == Progress(2)
            assert await client.read(run.id, "note", str) == "a"
            with pytest.raises(DurableTermError, match="published note: expected int, got str"):
                await run.read("note", int)

    asyncio.run(main())


def test_read_of_an_unpublished_name_raises_or_returns_the_default() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            run = await client.start(greeting, "ann")
            with pytest.raises(NotPublished, match="has published no 'progress'") as caught:
                await run.read("progress")
            assert isinstance(caught.value, LookupError)
            assert await run.read("progress", int, default=None) is None
            for unknown in (client.read(UNKNOWN, "progress"), client.read(UNKNOWN, "progress", default=1)):
                with pytest.raises(RunNotFound):
                    await unknown
            with pytest.raises(continuum.InvalidOption, match="the name of a published value"):
                await run.read("")

    asyncio.run(main())


def test_published_values_belong_to_the_chain_and_outlive_it() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.publish(run.id, progress=1)
            latest = await ending.continue_as_new(run.id)
            assert await client.read(latest, "progress") == 1
            await ending.publish(latest, progress=2)
            await ending.complete(latest, None)
            assert await run.read("progress") == 2

    asyncio.run(main())


def test_watch_yields_each_change_and_ends_with_the_run() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            watch = run.watch("progress", Progress)
            first = asyncio.create_task(anext(watch))
            await run.state()
            await ending.publish(run.id, progress=Progress(1))
            assert await first == Progress(1)
            latest = await ending.continue_as_new(run.id)
            await ending.publish(latest, progress=Progress(2), other=1)
            assert await anext(watch) == Progress(2)
            await ending.publish(latest, progress=Progress(3))
            await ending.complete(latest, None)
            assert [value async for value in watch] == [Progress(3)]

    asyncio.run(main())


def test_watch_of_an_ended_run_yields_its_last_value() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            assert [value async for value in watched_to_the_end(client, ending, run.id)] == [1]
            with pytest.raises(RunNotFound):
                await anext(client.watch(UNKNOWN, "progress"))

    asyncio.run(main())


async def watched_to_the_end(client: Client, ending: Ending, run_id: str) -> AsyncGenerator[Any, None]:
    """Publish a value, end the run, then watch it."""
    await ending.publish(run_id, progress=1)
    await ending.complete(run_id, None)
    async for value in client.watch(run_id, "progress"):
        yield value


def test_notifications_bring_changes_long_before_the_poll() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        async with Client(journal) as client:
            ending = Ending(journal)
            run = await client.start(greeting, "ann")
            values = PublishedValues(journal, RunLookup(journal), first_poll=3600.0)
            watch = values.watch(run.id, "progress")
            async with asyncio.timeout(30):
                for n in range(3):
                    coming = asyncio.create_task(anext(watch))
                    await ending.publish(run.id, progress=n)
                    assert decode(await coming) == n
                over = asyncio.create_task(anext(watch, None))
                await ending.complete(run.id, None)
                assert await over is None
            await values.close()

    asyncio.run(main())


def test_watch_works_by_polling_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        journal = MemoryJournal()
        async with Client(journal) as client:
            ending = Ending(journal)
            run = await client.start(greeting, "ann")
            values = PublishedValues(journal, RunLookup(journal), first_poll=0.001)
            monkeypatch.setattr(values, "_wake", lambda run_ids: None)
            watch = values.watch(run.id, "progress")
            async with asyncio.timeout(30):
                coming = asyncio.create_task(anext(watch))
                await ending.publish(run.id, progress=1)
                assert decode(await coming) == 1
            await watch.aclose()
            await values.close()

    asyncio.run(main())


def test_watch_survives_an_unavailable_journal() -> None:
    async def main() -> None:
        journal = Unsteady()
        async with Client(journal) as client:
            ending = Ending(journal)
            run = await client.start(greeting, "ann")
            await ending.publish(run.id, progress=1)
            journal.losses = 2
            values = PublishedValues(journal, RunLookup(journal), first_poll=0.001)
            async with asyncio.timeout(30):
                watch = values.watch(run.id, "progress")
                assert decode(await anext(watch)) == 1
            await watch.aclose()
            await values.close()

    asyncio.run(main())


def test_closing_a_client_ends_its_watches() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            run = await client.start(greeting, "ann")
            waiting = asyncio.create_task(anext(run.watch("progress")))
            await run.state()
            await client.close()
            with pytest.raises(NotReady):
                await waiting
            with pytest.raises(NotReady):
                await anext(run.watch("progress"))

    asyncio.run(main())
