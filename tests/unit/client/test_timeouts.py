"""What is said to whoever waited in vain: why the run has not ended, if the journal knows."""

from __future__ import annotations

import asyncio

import pytest

from continuum import Client
from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable
from continuum.journal.facts import RunRow, RunState, Transition
from continuum.journal.memory.journal import MemoryJournal
from tests.unit.client.working import Ending, greeting, memory_client


def test_a_blocked_run_is_said_to_wait_for_an_operator_and_why() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.write(run.id, Transition(RunState.BLOCKED, reason="drift: it draws no more"))
            with pytest.raises(TimeoutError) as caught:
                await run.result(timeout=0)
            assert str(caught.value) == (
                f"run {run.id} is blocked and waits for an operator: drift: it draws no more"
            )

    asyncio.run(main())


def test_a_run_that_continued_and_is_blocked_now_is_the_one_that_is_named() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            waiting = asyncio.create_task(run.result(timeout=0.2))
            await run.state()
            latest = await ending.continue_as_new(run.id)
            await ending.write(latest, Transition(RunState.BLOCKED, reason="drift"))
            with pytest.raises(TimeoutError, match=f"run {latest} is blocked"):
                await waiting

    asyncio.run(main())


def test_a_run_that_waits_for_code_says_which() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            with pytest.raises(TimeoutError, match="it waits for a node that has loaded greeting, ask again"):
                await run.result(timeout=0)
            # Refused by what is loaded: it was suspended, and is due.
            await ending.write(run.id, Transition(RunState.SUSPENDED, due_at=1, release=True))
            with pytest.raises(TimeoutError, match="it waits for a node that has loaded greeting version "):
                await run.result(timeout=0)

    asyncio.run(main())


def test_a_run_in_motion_goes_on() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.claim()
            message = "has not ended within 0 s; it is still running, ask again later"
            with pytest.raises(TimeoutError, match=message):
                await run.result(timeout=0)

    asyncio.run(main())


class Failing(MemoryJournal):
    """Cannot be asked for single runs any more, once told so."""

    failing = False

    async def get_run(self, run_id: RunId) -> RunRow | None:
        if self.failing:
            raise JournalUnavailable("the server is gone")
        return await super().get_run(run_id)


def test_a_journal_that_cannot_say_why_leaves_it_at_the_time() -> None:
    async def main() -> None:
        journal = Failing()
        async with Client(journal) as client:
            run = await client.start(greeting, "ann")
            await Ending(journal).claim()
            journal.failing = True
            with pytest.raises(TimeoutError, match="it is still running, ask again later"):
                await client._outcome(RunId(run.id), 0, None, None)

    asyncio.run(main())
