"""Clients in the hands of a person: their changes are recorded, and those of all others are not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

import continuum
from continuum import Client, RunChanged, RunNotFound, RunTerminal
from continuum.engine.ids import NodeId, RunId
from continuum.errors import InvalidOption, JournalUnavailable, NodeNotFound
from continuum.journal.audit_facts import AuditFacts, AuditQuery, AuditRow
from continuum.journal.facts import NodeFacts, Post, Posted, RunState, Transition
from continuum.journal.memory.journal import MemoryJournal
from tests.unit.client.test_start_options import blocking_client
from tests.unit.client.working import Ending, greeting, memory_client

SECRET = "4111-1111"
NOBODY = "00000000-0000-4000-8000-000000000000"


async def recorded(journal: Any) -> list[AuditRow]:
    """Return the rows of the record, the first one first."""
    return list(reversed(await journal.audited(AuditQuery(1000))))


def short(rows: Sequence[AuditRow]) -> list[tuple[str, str, str]]:
    """Return action, subject and outcome of each row."""
    return [(row.action, row.subject, row.outcome) for row in rows]


def test_every_change_through_an_acting_client_is_recorded() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            ann = client.as_actor("ann", reason="ticket 7", via="web")
            run = await ann.start(greeting, SECRET, attributes={"card": SECRET})
            await run.signal("review", SECRET)
            await run.set_attributes({"card": SECRET})
            await ending.write(run.id, Transition(RunState.BLOCKED, reason="drift"))
            assert await run.unblock()
            await run.cancel()
            await ann.cancel(run.id, force=True)
            await ending.journal.renew([], 60.0, NodeFacts(NodeId("north"), 1, "loopback:1", "up"))
            await ann.drain_node("north")

            rows = await recorded(ending.journal)
            assert short(rows) == [
                ("start", run.id, "done"),
                ("signal", run.id, "done"),
                ("set_attributes", run.id, "done"),
                ("unblock", run.id, "done"),
                ("cancel", run.id, "done"),
                ("force_cancel", run.id, "done"),
                ("drain_node", "north", "done"),
            ]
            assert {(row.actor, row.via, row.reason) for row in rows} == {("ann", "web", "ticket 7")}
            assert SECRET not in str(rows)
            assert rows[1].arguments["signal"] == "review"
            assert rows[2].arguments == {"attributes": {"card": {"bytes": len(SECRET) + 2}}}

    asyncio.run(main())


def test_the_client_itself_records_nothing_before_and_after() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            acting = client.as_actor("ann").handle(run.id)
            await run.signal("review", 1)
            await acting.signal("review", 2)
            await run.signal("review", 3)
            await client.cancel(run.id)
            assert not await run.unblock()
            assert short(await recorded(ending.journal)) == [("signal", run.id, "done")]

    asyncio.run(main())


def test_the_latest_actor_counts() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.as_actor("ann", reason="why").as_actor("bob").start(greeting, "x")
            (row,) = await recorded(ending.journal)
            assert (row.actor, row.via, row.reason, row.subject) == ("bob", "python", None, run.id)

    asyncio.run(main())


def test_a_refused_change_is_recorded_and_one_that_is_wrong_is_not() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            ann = client.as_actor("ann")
            run = await client.start(greeting, "ann")
            assert not await ann.unblock(run.id)
            await ending.complete(run.id, "hello")
            with pytest.raises(RunTerminal):
                await ann.signal(run.id, "review", 1)
            with pytest.raises(RunNotFound):
                await ann.set_attributes(NOBODY, {"a": 1})
            with pytest.raises(NodeNotFound):
                await ann.drain_node("nobody")
            before = await recorded(ending.journal)
            with pytest.raises(continuum.DurableTermError):
                await ann.signal(run.id, "review", object())
            with pytest.raises(RunNotFound):
                await ann.cancel(run.id, namespace="other")
            with pytest.raises(InvalidOption):
                client.as_actor("")

            assert short(before) == [
                ("unblock", run.id, "already"),
                ("signal", run.id, "refused"),
                ("set_attributes", NOBODY, "not_found"),
                ("drain_node", "nobody", "not_found"),
            ]
            assert await recorded(ending.journal) == before

    asyncio.run(main())


class LosesAnswers(MemoryJournal):
    """Makes each change twice: the first answer is lost."""

    lost: frozenset[str] = frozenset()

    def _lose(self, audit: AuditFacts | None) -> None:
        assert audit is not None
        if audit.id not in self.lost:
            self.lost |= {audit.id}
            raise JournalUnavailable("the answer was lost")

    async def post(self, posts: Sequence[Post]) -> list[Posted]:
        posted = await super().post(posts)
        self._lose(posts[0].audit)
        return posted

    async def set_attributes(
        self, run_id: RunId, attributes: Any, *, audit: AuditFacts | None = None
    ) -> bool:
        found = await super().set_attributes(run_id, attributes, audit=audit)
        self._lose(audit)
        return found


def test_a_change_whose_answer_is_lost_is_recorded_once() -> None:
    async def main() -> None:
        journal = LosesAnswers()
        async with Client(journal) as client:
            run = await client.start(greeting, "ann")
            ann = client.as_actor("ann")
            await ann.signal(run.id, "review", 1)
            await ann.cancel(run.id)
            await ann.set_attributes(run.id, {"a": 1})
            assert len(journal.lost) == 3
            assert short(await recorded(journal)) == [
                ("signal", run.id, "done"),
                ("cancel", run.id, "done"),
                ("set_attributes", run.id, "done"),
            ]

    asyncio.run(main())


def test_a_forced_cancel_is_guarded_by_what_was_seen() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.write(run.id, Transition(RunState.SUSPENDED, None, True))
            seen = await run.get()
            await run.set_attributes({"changed": True})
            with pytest.raises(RunChanged, match=r"has changed since .* nothing was done; look again"):
                await client.cancel(run.id, force=True, seen=seen)
            assert await run.state() == "suspended"
            with pytest.raises(InvalidOption, match="force=True"):
                await client.cancel(run.id, seen=seen)
            outcome = await client.cancel(run.id, force=True, seen=await run.get())
            assert outcome.state == "cancelled"

    asyncio.run(main())


def test_a_run_that_was_seen_running_may_run_on() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            seen = await run.get()
            await ending.write(run.id, Transition(RunState.SUSPENDED, None, True))
            assert (await client.cancel(run.id, force=True, seen=seen)).state == "cancelled"

    asyncio.run(main())


def test_an_acting_client_is_closed_with_its_client() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            ann = client.as_actor("ann")
            await client.close()
            with pytest.raises(continuum.NotReady):
                await ann.start(greeting, "x")

    asyncio.run(main())


def test_the_blocking_client_acts_too() -> None:
    with blocking_client() as client:
        journal = client._client._journal
        run = client.as_actor("ann").start(greeting, "x")
        client.signal(run.id, "review", 1)
        assert short(client._thread.call(recorded(journal))) == [("start", run.id, "done")]


def test_starts_that_are_recorded_do_not_go_through_the_host_in_this_process() -> None:
    class Port:
        def try_start(self, run: object) -> None:
            raise AssertionError("the host records nothing")

        def listen(self, listener: object, forget: object) -> None: ...
        def forget(self, listener: object) -> None: ...

    async def main() -> None:
        journal = MemoryJournal()
        async with Client(journal, port=Port()) as client:  # type: ignore[arg-type]  # as much of one as is needed
            run = await client.as_actor("ann").start(greeting, "x")
            assert short(await recorded(journal)) == [("start", run.id, "done")]

    asyncio.run(main())


def test_an_ending_is_not_recorded() -> None:
    """Nodes change runs all the time; only people are on record."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "x")
            await Ending(ending.journal).complete(run.id, "hello")
            assert await recorded(ending.journal) == []

    asyncio.run(main())
