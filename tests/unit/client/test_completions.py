"""A wait gets the same end of a run by notification, by poll, and after the fact."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

import continuum
from continuum import Client
from continuum.client.completions import Completions
from continuum.client.runs import outcome_of
from continuum.codec.codec import decode, encode
from continuum.engine.ids import RunId
from continuum.journal.ended_run import EndedRun
from continuum.journal.facts import InboxKind, RunState, Transition
from continuum.journal.memory.journal import MemoryJournal
from tests.unit.client.test_client import mail
from tests.unit.client.working import Ending, greeting, memory_client


class PollsOnly(Completions):
    """Ignores notifications."""

    def _look_soon(self, notification: object) -> None: ...


async def failure(completions: Completions, run_id: RunId) -> continuum.RunFailed:
    """Return the error that a failed run raises for this wait."""
    with pytest.raises(continuum.RunFailed) as caught:
        outcome_of(await completions.wait(run_id), decode)
    return caught.value


def test_a_failure_is_the_same_by_notification_by_poll_and_afterwards() -> None:
    """AWT2, B69: always with the traceback."""

    async def main() -> None:
        journal = MemoryJournal()
        async with Client(journal) as client, asyncio.timeout(30):
            run = await client.start(greeting, "ann")
            notified, polling = Completions(journal, first_poll=3600.0), PollsOnly(journal, first_poll=0.001)
            waiting = [asyncio.create_task(failure(each, run.id)) for each in (notified, polling)]
            await run.state()
            await Ending(journal).fail(run.id, "ValueError", "no such name")
            failures = [*await asyncio.gather(*waiting), await failure(notified, run.id)]
            facts = {(error.run_id, error.type, error.message, error.traceback) for error in failures}
            assert facts == {(run.id, "ValueError", "no such name", "a stack")}
            await notified.close()
            await polling.close()

    asyncio.run(main())


class LateLook(MemoryJournal):
    """Removes every ended run before each look."""

    async def ended(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        while await self.sweep():
            pass
        return await super().ended(run_ids)


def test_waiting_for_a_run_removed_before_the_first_look_raises() -> None:
    """Without this the caller would wait for ever."""

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
            with pytest.raises(continuum.RunNotFound, match="longer retention") as caught:
                await waiting
            assert caught.value.removed
            await completions.close()

    asyncio.run(main())


class Looked(MemoryJournal):
    """Sets an event after each look."""

    def __init__(self) -> None:
        super().__init__()
        self.looked = asyncio.Event()

    async def ended(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        found = await super().ended(run_ids)
        self.looked.set()
        return found


def test_waiting_for_a_run_removed_after_a_lost_notification_raises() -> None:
    """The notification was lost, and retention is shorter than the poll interval."""

    async def main() -> None:
        journal = Looked()
        async with Client(journal) as client, asyncio.timeout(30):
            run = await client.start(greeting, "ann")
            polling = PollsOnly(journal, first_poll=0.001)
            waiting = asyncio.create_task(polling.wait(run.id))
            for _ in range(3):
                journal.looked.clear()
                await journal.looked.wait()
            await Ending(journal).write(
                run.id, Transition(RunState.COMPLETED, result=encode("hello"), retention=0.0)
            )
            await journal.sweep()
            with pytest.raises(continuum.RunNotFound, match="longer retention"):
                await waiting
            await polling.close()

    asyncio.run(main())


def test_every_wait_for_a_cancelled_run_raises_once() -> None:
    """AWT3, THP5: and its row says the same."""

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


def test_a_forced_cancel_ends_a_suspended_run_without_a_node() -> None:
    """CAN6: durably."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.write(run.id, Transition(RunState.SUSPENDED, release=True))
            await run.cancel(force=True)
            assert await run.state() == "cancelled"

    asyncio.run(main())


def test_a_cancel_request_waits_in_the_inbox_for_the_owner() -> None:
    """CAN1, CAN8: whether or not the owner can be reached."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.claim()
            await run.cancel()
            await run.cancel()
            assert await run.state() == "running"
            assert await mail(ending) == [(InboxKind.CANCEL, "cancel", ())]

    asyncio.run(main())
