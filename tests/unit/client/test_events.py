"""The feed of state changes, through clients."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC
from typing import Any

import pytest

import continuum
from continuum import Client, CursorExpired, InvalidOption, JournalUnavailable, NotReady, StateChange
from continuum.client.instances import Instance, MemoryPlace, registered
from continuum.journal.change_port import Position, StateChangesRead
from continuum.journal.memory.journal import MemoryJournal
from tests.unit.client.working import Ending, greeting, memory_client


class Unsteady(MemoryJournal):
    """Fails the next `losses` reads of state changes."""

    def __init__(self) -> None:
        super().__init__()
        self.losses = 0

    async def state_changes(self, after: Position | None, limit: int, **wanted: Any) -> StateChangesRead:
        if self.losses:
            self.losses -= 1
            raise JournalUnavailable("it restarts")
        return await super().state_changes(after, limit, **wanted)


async def take(client: Client, number: int, **options: Any) -> list[StateChange]:
    """Return the first changes of a new reader."""
    found: list[StateChange] = []
    async with aclosing(client.events(**options)) as events:
        async for change in events:
            found.append(change)
            if len(found) == number:
                break
    return found


def test_a_reader_sees_a_run_from_its_start_to_its_end() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            reading = asyncio.create_task(take(client, 2))
            run = await client.start(greeting, "ann", namespace="eu")
            await ending.complete(run.id, "hi")
            started, completed = await reading
            assert (started.state, completed.state) == ("started", "completed")
            assert (completed.run_id, completed.workflow, completed.namespace) == (run.id, "greeting", "eu")
            assert completed.at.tzinfo is UTC

    asyncio.run(main())


def test_a_reader_continues_at_the_cursor_of_what_it_has_seen() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            runs = [(await client.start(greeting, "ann")).id for _ in range(4)]
            (first, second) = await take(client, 2)
            later = await take(client, 2, cursor=second.cursor)
            assert [change.run_id for change in (first, second, *later)] == runs

    asyncio.run(main())


def test_a_reader_from_now_on_sees_no_earlier_change() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            await client.start(greeting, "ann")
            async with aclosing(client.events(cursor="now")) as events:
                waiting = asyncio.ensure_future(anext(events))
                await asyncio.sleep(0)
                run = await client.start(greeting, "bob")
                assert (await waiting).run_id == run.id

    asyncio.run(main())


def test_a_reader_chooses_by_workflow_and_namespace() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            await client.start("other", namespace="eu")
            await client.start(greeting, "ann")
            wanted = await client.start(greeting, "bob", namespace="eu")
            for workflow in (greeting, "greeting"):
                (found,) = await take(client, 1, workflow=workflow, namespace="eu")
                assert found.run_id == wanted.id

    asyncio.run(main())


def test_a_reader_outlasts_an_unavailable_journal() -> None:
    async def main() -> None:
        journal = Unsteady()
        client = Client(journal)
        journal.losses = 2
        run = await client.start(greeting, "ann")
        assert [change.run_id for change in await take(client, 1)] == [run.id]
        await client.close()

    asyncio.run(main())


def test_a_closed_client_ends_its_readers_with_an_error() -> None:
    async def main() -> None:
        client = Client(MemoryJournal())
        reading = asyncio.create_task(take(client, 1))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(NotReady, match="continue at the cursor"):
            await reading

    asyncio.run(main())


@pytest.mark.parametrize("cursor", ["", "soon", "-1", "1.5", "1 ", "9" * 30, 7])
def test_a_cursor_that_is_none_is_refused(cursor: Any) -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            with pytest.raises(InvalidOption, match="the cursor of a StateChange"):
                await take(client, 1, cursor=cursor)
            with pytest.raises(InvalidOption):
                await take(client, 1, namespace=None)

    asyncio.run(main())


def test_a_cursor_of_another_journal_is_refused() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            with pytest.raises(CursorExpired):
                await take(client, 1, cursor="77")

    asyncio.run(main())


def test_a_reader_sees_children_and_successors() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            latest = await Ending.continue_as_new(ending, run.id)
            found = await take(client, 3)
            assert {(change.run_id, change.state) for change in found} >= {
                (run.id, "started"),
                (latest, "started"),
            }

    asyncio.run(main())


def test_the_default_instance_has_the_feed() -> None:
    async def main() -> None:
        place = MemoryPlace(MemoryJournal(), asyncio.get_running_loop())
        with registered(Instance("default", place)):
            other = await continuum.start("other", namespace="us")
            run = await continuum.start(greeting, "ann", namespace="eu")
            async with aclosing(continuum.events()) as everything:
                assert [(await anext(everything)).run_id for _ in range(2)] == [other.id, run.id]
            for wanted in (continuum.events(workflow=greeting), continuum.events(namespace="eu")):
                async with aclosing(wanted) as changes:
                    assert (await anext(changes)).run_id == run.id
            await continuum.disconnect()

    asyncio.run(main())
