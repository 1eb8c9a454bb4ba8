"""The outcome of a cancel request: the run has ended, or a process has the request, or nobody yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

import continuum
from continuum import CancelOutcome, Client, JournalUnavailable, RunTerminal
from continuum.client.instances import Instance, MemoryPlace, registered
from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.journal.facts import NodeRow, Post, Posted, RunRow, RunState, Transition
from continuum.journal.memory.journal import MemoryJournal
from tests.unit.client.test_start_options import blocking_client
from tests.unit.client.working import greeting, memory_client


def test_a_request_to_a_run_that_a_process_owns_is_pending_with_that_process() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.claim()
            outcome = await run.cancel()
            assert outcome == CancelOutcome("pending", run.id, "north", 1)
            assert str(outcome) == "pending: with process 1 of node north"
            assert await client.cancel(run.id) == outcome

    asyncio.run(main())


def test_a_request_to_a_run_that_nobody_owns_says_what_is_missing() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            run = await client.start(greeting, "ann")
            outcome = await run.cancel()
            assert (outcome.state, outcome.node, outcome.pid) == ("pending", None, None)
            assert outcome.reason == "waits for a node that has loaded greeting"
            assert str(outcome) == "pending: with nobody, waits for a node that has loaded greeting"

    asyncio.run(main())


def test_a_blocked_run_that_has_done_nothing_and_one_that_is_forced_are_cancelled_at_once() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            blocked, forced = await client.start(greeting, "ann"), await client.start(greeting, "bob")
            await ending.write(blocked.id, Transition(RunState.BLOCKED, reason="drift"))
            assert await blocked.cancel() == CancelOutcome("cancelled", blocked.id)
            assert await forced.cancel(force=True) == CancelOutcome("cancelled", forced.id)
            with pytest.raises(RunTerminal):
                await forced.cancel()

    asyncio.run(main())


def test_a_blocked_run_that_has_a_history_keeps_the_request_until_it_is_unblocked() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            began = Event(0, EventType.SIDE_EFFECT, 1, (b"",))
            await ending.write(run.id, Transition(RunState.BLOCKED, reason="drift"), [began])
            kept = CancelOutcome("pending", run.id, reason="until it is unblocked: drift")
            assert [await run.cancel(), await run.cancel()] == [kept, kept]
            assert (await run.explain()).causes[0].evidence["asked_to_stop"]

    asyncio.run(main())


def test_the_outcome_names_the_latest_run_of_a_chain() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            latest = await ending.continue_as_new(run.id)
            assert (await run.cancel()).run_id == latest
            assert await run.cancel(force=True) == CancelOutcome("cancelled", latest)

    asyncio.run(main())


class EndsMeanwhile(MemoryJournal):
    """A journal in which a run ends right after a request that it stops."""

    async def post(self, posts: Sequence[Post]) -> list[Posted]:
        posted = await super().post(posts)
        for post in posts:
            self._runs[post.run_id].state = RunState.COMPLETED
        return posted


def test_a_run_that_ends_otherwise_meanwhile_has_ended() -> None:
    async def main() -> None:
        async with Client(EndsMeanwhile()) as client:
            run = await client.start(greeting, "ann")
            assert await run.cancel() == CancelOutcome("ended", run.id)

    asyncio.run(main())


class Silent(MemoryJournal):
    """A journal that takes writes and answers no question."""

    async def get_run(self, run_id: RunId) -> RunRow | None:
        raise JournalUnavailable("it does not answer")

    async def nodes(self) -> list[NodeRow]:
        raise JournalUnavailable("it does not answer")


def test_a_request_is_made_though_the_journal_does_not_say_with_whom() -> None:
    async def main() -> None:
        async with Client(Silent()) as client:
            run = await client.start(greeting, "ann")
            outcome = await run.cancel()
            assert (outcome.state, outcome.reason) == ("pending", "the journal did not say with whom")
            assert await run.cancel(force=True) == CancelOutcome("cancelled", run.id)

    asyncio.run(main())


def test_the_blocking_client_and_the_default_instance_return_the_outcome() -> None:
    with blocking_client() as client:
        run = client.start(greeting, "ann")
        assert run.cancel().state == client.cancel(run.id).state == "pending"

    async def main() -> None:
        place = MemoryPlace(MemoryJournal(), asyncio.get_running_loop())
        with registered(Instance("default", place)):
            run = await continuum.start(greeting, "ann")
            assert (await continuum.cancel(run.id, force=True)).state == "cancelled"
            await continuum.disconnect()

    asyncio.run(main())
