"""The message of a timeout: why the run has not ended, if the journal can be read."""

from __future__ import annotations

import asyncio

import pytest

from continuum import Client
from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable
from continuum.journal.facts import RunRow, RunState, Transition
from continuum.journal.memory.journal import MemoryJournal
from tests.unit.client.working import Ending, greeting, memory_client


def test_the_timeout_of_a_blocked_run_names_its_reason() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.write(run.id, Transition(RunState.BLOCKED, reason="drift: as it is"))
            with pytest.raises(TimeoutError) as caught:
                await run.result(timeout=0)
            assert str(caught.value) == (
                f"run {run.id} is blocked and waits for an operator: drift: as it is"
            )

    asyncio.run(main())


def test_the_timeout_of_a_chain_names_its_blocked_run() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            waiting = asyncio.create_task(run.result(timeout=1.0))
            await run.state()
            latest = await ending.continue_as_new(run.id)
            await ending.write(latest, Transition(RunState.BLOCKED, reason="drift"))
            with pytest.raises(TimeoutError, match=f"run {latest} is blocked"):
                await waiting

    asyncio.run(main())


def test_the_timeout_of_a_run_without_a_node_names_the_missing_code() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            with pytest.raises(TimeoutError, match="it waits for a node that has loaded greeting, ask again"):
                await run.result(timeout=0)
            # As after a refusal: suspended, released and due.
            await ending.write(run.id, Transition(RunState.SUSPENDED, due_at=1, release=True))
            with pytest.raises(TimeoutError, match="it waits for a node that has loaded greeting version "):
                await run.result(timeout=0)

    asyncio.run(main())


def test_the_timeout_of_a_running_run_says_that_it_is_running() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.claim()
            message = rf"it is still running, ask again later \(`continuum explain {run.id}` says more\)"
            with pytest.raises(TimeoutError, match=message):
                await run.result(timeout=0)

    asyncio.run(main())


class Failing(MemoryJournal):
    """Cannot read single runs while `failing` is set."""

    failing = False

    async def get_run(self, run_id: RunId) -> RunRow | None:
        if self.failing:
            raise JournalUnavailable("the server is gone")
        return await super().get_run(run_id)


def test_a_timeout_says_when_the_journal_is_unavailable() -> None:
    async def main() -> None:
        journal = Failing()
        async with Client(journal) as client:
            run = await client.start(greeting, "ann")
            await Ending(journal).claim()
            journal.failing = True
            with pytest.raises(TimeoutError, match="the database does not answer; ask again later"):
                await client._outcome(RunId(run.id), 0, None, None, began=0.0)

    asyncio.run(main())
