"""How the end of a run reaches those who wait: the same, by hint, by poll, or when it is past."""

from __future__ import annotations

import asyncio

import pytest

import continuum
from continuum import Client
from continuum.client.completions import Completions
from continuum.client.runs import outcome_of
from continuum.codec.codec import decode, encode
from continuum.engine.ids import RunId
from continuum.journal.facts import InboxKind, Query, RunRow, RunState, Transition
from continuum.journal.memory.journal import MemoryJournal
from tests.unit.client.test_client import mail
from tests.unit.client.working import Ending, greeting, memory_client


class Deaf(Completions):
    """Hears no hint."""

    def _hear(self, hint: object) -> None: ...


async def failure(completions: Completions, run_id: RunId) -> continuum.RunFailed:
    """What a failed run raises for someone who waits this way."""
    with pytest.raises(continuum.RunFailed) as caught:
        outcome_of(await completions.wait(run_id), decode)
    return caught.value


def test_a_failure_is_the_same_by_hint_by_poll_and_afterwards() -> None:
    """AWT2, B69: with the traceback, however it is learnt."""

    async def main() -> None:
        journal = MemoryJournal()
        async with Client(journal) as client, asyncio.timeout(30):
            run = await client.start(greeting, "ann")
            hearing, deaf = Completions(journal, first_poll=3600.0), Deaf(journal, first_poll=0.001)
            waiting = [asyncio.create_task(failure(each, run.id)) for each in (hearing, deaf)]
            await run.state()
            await Ending(journal).fail(run.id, "ValueError", "no such name")
            failures = [*await asyncio.gather(*waiting), await failure(hearing, run.id)]
            told = {(error.run_id, error.type, error.message, error.traceback) for error in failures}
            assert told == {(run.id, "ValueError", "no such name", "a stack")}
            await hearing.close()
            await deaf.close()

    asyncio.run(main())


class LateLook(MemoryJournal):
    """Answers after whatever has ended was removed."""

    async def query(self, query: Query) -> list[RunRow]:
        while await self.sweep():
            pass
        return await super().query(query)


def test_a_run_that_was_removed_before_anybody_looked_is_told_to_be_gone() -> None:
    """Without this its waiter would go on for ever."""

    async def main() -> None:
        journal = LateLook()
        async with Client(journal) as client, asyncio.timeout(30):
            run = await client.start(greeting, "ann")
            completions = Completions(journal, first_poll=3600.0)
            waiting = asyncio.create_task(completions.wait(run.id))
            await run.state()
            await Ending(journal).write(
                run.id, Transition(RunState.COMPLETED, result=encode("hello"), retention=0.0)
            )
            with pytest.raises(continuum.RunNotFound, match="longer retention") as told:
                await waiting
            assert told.value.removed
            await completions.close()

    asyncio.run(main())


class Looked(MemoryJournal):
    """Says when somebody has looked for the ends of runs."""

    def __init__(self) -> None:
        super().__init__()
        self.looked = asyncio.Event()

    async def query(self, query: Query) -> list[RunRow]:
        rows = await super().query(query)
        self.looked.set()
        return rows


def test_a_run_that_was_removed_unheard_of_is_told_to_be_gone() -> None:
    """The hint was lost, and retention is shorter than the poll."""

    async def main() -> None:
        journal = Looked()
        async with Client(journal) as client, asyncio.timeout(30):
            run = await client.start(greeting, "ann")
            deaf = Deaf(journal, first_poll=0.001)
            waiting = asyncio.create_task(deaf.wait(run.id))
            for _ in range(3):
                journal.looked.clear()
                await journal.looked.wait()
            await Ending(journal).write(
                run.id, Transition(RunState.COMPLETED, result=encode("hello"), retention=0.0)
            )
            await journal.sweep()
            with pytest.raises(continuum.RunNotFound, match="longer retention"):
                await waiting
            await deaf.close()

    asyncio.run(main())


def test_all_who_wait_for_a_cancelled_run_are_told_once() -> None:
    """AWT3, THP5: and the row says the same."""

    async def main() -> None:
        async with memory_client() as (client, _):
            run = await client.start(greeting, "ann")
            waiting = [asyncio.create_task(run.result()) for _ in range(3)]
            await run.state()
            await run.cancel(force=True)
            ends = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(end) for end in ends] == [continuum.RunCancelled] * 3
            assert await run.state() == "cancelled"

    asyncio.run(main())


def test_a_suspended_run_that_nobody_executes_is_cancelled_at_once_by_force() -> None:
    """CAN6: durably, with no node there."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.write(run.id, Transition(RunState.SUSPENDED, release=True))
            await run.cancel(force=True)
            assert await run.state() == "cancelled"

    asyncio.run(main())


def test_a_request_to_stop_a_run_that_another_owns_is_kept_for_its_owner() -> None:
    """CAN1, CAN8: whether the owner can be reached does not matter."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.claim()
            await run.cancel()
            await run.cancel()
            assert await run.state() == "running"
            assert await mail(ending) == [(InboxKind.CANCEL, "cancel", ())]

    asyncio.run(main())
