"""Chains and children: every id of a chain keeps working, and runs show where they come from."""

from __future__ import annotations

import asyncio

import pytest

import continuum
from continuum.client.completions import Completions
from continuum.codec.codec import encode
from continuum.engine.children import ClosePolicy
from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.journal.event_codec import pack_body
from continuum.journal.facts import InboxKind, Query, RunRow, RunState, Transition
from continuum.journal.memory.journal import MemoryJournal
from tests.unit.client.test_client import mail
from tests.unit.client.working import Ending, greeting, memory_client


class RecordsLooks(Completions):
    """Records the runs that it looked for."""

    looked_at: list[RunId]

    async def _look(self, run_ids: list[RunId]) -> None:
        self.looked_at = [*getattr(self, "looked_at", ()), *run_ids]
        await super()._look(run_ids)


def test_waiting_for_any_run_of_a_chain_returns_the_result_of_the_latest() -> None:
    """B57"""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            waiting = [asyncio.create_task(run.result()), asyncio.create_task(client.await_run(run.id, 30))]
            await run.state()
            second = await ending.continue_as_new(run.id)
            third = await ending.continue_as_new(second)
            await ending.complete(third, "hello")
            assert await asyncio.gather(*waiting) == ["hello", "hello"]
            # A chain that has ended is found at once.
            assert await client.await_run(run.id, 0) == "hello"
            assert await client.await_run(second, 0) == "hello"

    asyncio.run(main())


def test_a_timeout_covers_the_whole_chain() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            latest = await ending.continue_as_new(run.id)
            with pytest.raises(TimeoutError, match=f"run {latest} has not ended within 0 s"):
                await client.await_run(run.id, 0)

    asyncio.run(main())


def test_a_long_chain_is_not_followed_run_by_run() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        async with continuum.Client(journal) as client:
            ending = Ending(journal)
            run = await client.start(greeting, "ann")
            last: str = run.id
            for _ in range(50):
                last = await ending.continue_as_new(last)
            await ending.complete(last, "hello")
            completions = RecordsLooks(journal, first_poll=3600.0)
            async with asyncio.timeout(30):
                assert (await completions.wait(run.id)).id == last
            await completions.close()
            assert completions.looked_at == [run.id, last]

    asyncio.run(main())


class LimitsQueries(MemoryJournal):
    """Fails after many queries, so that an endless search ends."""

    queries = 0

    async def query(self, query: Query) -> list[RunRow]:
        self.queries += 1
        assert self.queries < 1000, "the search does not end"
        return await super().query(query)


def test_the_latest_run_is_found_in_a_chain_that_began_in_one_moment() -> None:
    """B57: the start times of such a chain do not order its runs."""

    async def main() -> None:
        journal = LimitsQueries(lambda: 1)
        async with continuum.Client(journal) as client:
            ending = Ending(journal)
            run = await client.start(greeting, "ann")
            last: str = run.id
            for _ in range(20):
                last = await ending.continue_as_new(last)
            waiting = asyncio.create_task(run.result())
            await run.state()
            await ending.complete(last, "hello")
            async with asyncio.timeout(30):
                assert await waiting == "hello"
            assert await client.await_run(run.id, 0) == "hello"

    asyncio.run(main())


def test_the_error_of_a_chain_names_the_run_that_failed() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            latest = await ending.continue_as_new(run.id)
            await ending.fail(latest, "ValueError", "no such name")
            with pytest.raises(continuum.RunFailed) as caught:
                await run.result(timeout=30)
            assert caught.value.run_id == latest

    asyncio.run(main())


def test_signals_and_cancel_requests_reach_the_latest_run() -> None:
    """ING6: a delivery id counts for the whole chain."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await run.signal("review", "yes", delivery_id="d")
            latest = await ending.continue_as_new(run.id)
            await run.signal("review", "no", delivery_id="d")
            await client.signal(latest, "review", "never", delivery_id="d")
            await run.cancel()
            assert await mail(ending) == [
                (InboxKind.SIGNAL, "review", (encode("yes"),)),
                (InboxKind.CANCEL, "cancel", ()),
            ]
            await run.cancel(force=True)
            assert (await client.get_run(latest)).state == "cancelled"
            for refused in (run.signal("review", "late"), run.cancel(), run.cancel(force=True)):
                with pytest.raises(continuum.RunTerminal, match="already cancelled"):
                    await refused

    asyncio.run(main())


def test_get_run_returns_the_run_with_exactly_this_id() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(
                greeting, "ann", namespace="eu", attributes={"vip": True}, trace_context="t"
            )
            latest = await ending.continue_as_new(run.id)
            first, last = await run.get(), await client.get_run(latest)
            assert (first.state, first.continued_to, first.continued_from) == ("continued", latest, None)
            assert (last.state, last.continued_to, last.continued_from) == ("running", None, run.id)
            assert (last.namespace, last.attributes, last.trace_context) == ("eu", {"vip": True}, "t")

    asyncio.run(main())


def test_queries_find_children_by_their_parent() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            parent, other = await client.start(greeting, "ann"), await client.start(greeting, "bob")
            children = {await ending.bear(parent.id), await ending.bear(parent.id)}
            page = await client.query([("parent_run_id", "eq", parent.id)])
            assert {run.id for run in page.entries} == children
            assert {run.parent_run_id for run in page.entries} == {parent.id}
            page = await client.query([("parent_run_id", "eq", None)])
            assert {run.id for run in page.entries} == {parent.id, other.id}
            with pytest.raises(continuum.InvalidQuery, match="parent_run_id"):
                await client.query([("parent_run_id", "eq", "x")])

    asyncio.run(main())


def test_a_child_stopped_by_its_parent_shows_the_reason() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            parent = await client.start(greeting, "ann")
            child = await ending.bear(parent.id)
            await parent.cancel(force=True)
            with pytest.raises(continuum.RunCancelled, match="was cancelled: parent_cancelled") as caught:
                await client.await_run(child, 30)
            assert caught.value.reason == "parent_cancelled"
            with pytest.raises(continuum.RunCancelled, match=r"was cancelled$"):
                await parent.result(timeout=30)

    asyncio.run(main())


def test_a_history_names_children_and_successors() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            where = ("flow", "a.py:1")
            stored = [
                (EventType.CHILD_STARTED, ("kid", *where, "c1", b"digest", int(ClosePolicy.CANCEL))),
                (EventType.CHILD_STARTED, ("lad", *where, "c2", b"digest", int(ClosePolicy.CASCADE))),
                (EventType.CHILD_COMPLETED, (1, encode({"done": 1}))),
                (EventType.CHILD_CANCEL_REQUESTED, ("c2", *where)),
                (EventType.CHILD_CANCELLED, (2,)),
                (EventType.CHILD_FAILED, (1, "ValueError", "no", "a stack")),
                (EventType.STATE_PUBLISHED, ("progress", *where)),
                (EventType.VERSION_CHANGED, ("a" * 32, "b" * 32)),
                (EventType.CANCEL_REQUESTED, ("parent",)),
                (EventType.RUN_CONTINUED_AS_NEW, ("next", *where, "n1", b"digest")),
            ]
            events = [Event(seq, type, 0, body) for seq, (type, body) in enumerate(stored, 1)]
            assert all(pack_body(event.body) for event in events)
            await ending.write(run.id, None, events)
            shown = [(event.type, event.name, event.payload) for event in await run.history()]
            at = {"caller": "flow", "where": "a.py:1"}
            assert shown == [
                ("child_started", "kid", {"child_run_id": "c1", "parent_close_policy": "cancel", **at}),
                ("child_started", "lad", {"child_run_id": "c2", "parent_close_policy": None, **at}),
                ("child_completed", "kid", {"started": 1, "child_run_id": "c1", "result": {"done": 1}}),
                ("child_cancel_requested", "lad", {"child_run_id": "c2", **at}),
                ("child_cancelled", "lad", {"started": 2, "child_run_id": "c2"}),
                (
                    "child_failed",
                    "kid",
                    {
                        "started": 1,
                        "child_run_id": "c1",
                        "type": "ValueError",
                        "message": "no",
                        "traceback": "a stack",
                    },
                ),
                ("state_published", "progress", at),
                ("version_changed", None, {"before": "a" * 32, "after": "b" * 32}),
                ("cancel_requested", None, {"by": "parent"}),
                ("run_continued_as_new", "next", {"continued_to": "n1", **at}),
            ]

    asyncio.run(main())


def test_attributes_are_set_on_the_latest_run() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            latest = await ending.continue_as_new(run.id)
            await ending.write(latest, Transition(RunState.SUSPENDED, release=True))
            await run.set_attributes({"vip": True})
            assert (await client.get_run(latest)).attributes == {"vip": True}

    asyncio.run(main())
