"""The client, on the memory journal."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

import continuum
from continuum import Client, Signal
from continuum.client.completions import Completions
from continuum.codec.codec import encode
from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable
from continuum.journal.announced_run import NewRun
from continuum.journal.facts import InboxKind, Post, Posted, RunRow, RunState, Started, Transition
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import Fault
from continuum.journal.wait import Wait
from tests.unit.client.working import Ending, greeting, memory_client

review = Signal("review", str)

IN_2096 = 4_000_000_000_000_000


class LosesResults(MemoryJournal):
    """Makes a call and then raises as if it were unavailable, a number of times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.batches: list[int] = []

    def _lose(self) -> None:
        if self.times:
            self.times -= 1
            raise JournalUnavailable("the result was lost")

    async def start(self, runs: Sequence[NewRun]) -> list[Started]:
        self.batches.append(len(runs))
        result = await super().start(runs)
        self._lose()
        return result

    async def post(self, posts: Sequence[Post]) -> list[Posted]:
        result = await super().post(posts)
        self._lose()
        return result

    async def get_run(self, run_id: RunId) -> RunRow | None:
        self._lose()
        return await super().get_run(run_id)


async def mail(client_end: Ending) -> list[tuple[InboxKind, str, Any]]:
    """Return the inbox entries of the runs that the worker owns."""
    await client_end.claim()
    assert client_end.worker is not None
    return [(row.kind, row.name, row.body) for row in await client_end.journal.inbox(client_end.worker, None)]


def test_a_started_run_keeps_its_arguments() -> None:  # NSC2
    async def main() -> None:
        async with memory_client() as (client, _):
            handle = await client.start(greeting, "ann", namespace="eu", attributes={"vip": True})
            run = await client.get_run(handle.id)
            assert (run.workflow, run.namespace, run.state) == ("greeting", "eu", "running")
            assert (run.input, run.keywords, run.attributes) == (["ann"], {}, {"vip": True})
            assert run.reason == "waits for a node that has loaded greeting"

    asyncio.run(main())


def test_start_passes_keywords_to_the_workflow() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            handle = await client.start(greeting, "ann", loud=True)
            assert (await handle.get()).keywords == {"loud": True}

    asyncio.run(main())


def test_a_run_starts_by_name_without_its_code() -> None:  # C9
    async def main() -> None:
        async with memory_client() as (client, ending):
            handle = await client.start("greeting", "ann")
            await ending.complete(handle.id, ("a", 1))
            assert await handle.result() == ("a", 1)

    asyncio.run(main())


def test_start_refuses_missing_arguments_before_writing() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            with pytest.raises(TypeError, match="missing a required argument: 'name'"):
                await client.start(greeting)  # type: ignore[arg-type, call-arg]
            assert (await client.query()).entries == []

    asyncio.run(main())


def test_start_refuses_arguments_of_another_type_before_writing() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            with pytest.raises(continuum.DurableTermError, match=r"^input\.name: expected str, got int$"):
                await client.start(greeting, 5)  # type: ignore[misc]
            assert (await client.query()).entries == []

    asyncio.run(main())


def test_start_refuses_arguments_that_cannot_be_stored_before_writing() -> None:
    """PGJ3"""

    async def main() -> None:
        async with memory_client() as (client, _):
            with pytest.raises(continuum.DurableTermError) as caught:
                await client.start("greeting", {"owners": ["ann", object()]})
            assert "owners[1]" in caught.value.path
            assert (await client.query()).entries == []

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"idempotency_key": ""}, "idempotency_key must have 1 to 255 bytes, not 0"),
        ({"idempotency_key": "k" * 256}, "idempotency_key must have 1 to 255 bytes, not 256"),
        ({"idempotency_key": "a\0"}, "must not have control characters"),
        ({"namespace": ""}, "namespace must have 1 to 255 bytes"),
        ({"id": "mine"}, "id must be a UUID, not 'mine'"),
        ({"attributes": {"when": object()}}, "attribute 'when' has no form in JSON"),
        ({"attributes": {"x": float("nan")}}, "attribute 'x' has no form in JSON"),
        (
            {"attributes": {"x": datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))}},
            "attribute 'x' has no form in JSON",
        ),
        ({"attributes": {"x": "\ud800"}}, "attribute 'x' has no form in JSON"),
        ({"attributes": {"x": ["\0"]}}, "attribute 'x' has a NUL character"),
        ({"attributes": {"x": datetime(2026, 1, 1)}}, "a datetime needs a zone"),  # noqa: DTZ001
        ({"attributes": {"x": Decimal("0.1000000000000000000001")}}, "does not keep 0.1000.* exactly"),
        ({"attributes": {"x": Decimal("1E+999999")}}, "does not keep"),
        ({"attributes": {"x": Decimal("NaN")}}, "does not keep"),
        ({"attributes": ["x"]}, "attributes must be a map, not list"),
        ({"on_conflict": "replace"}, "on_conflict is 'existing' or 'raise'"),
    ],
)
def test_start_refuses_invalid_options_in_one_line(options: dict[str, Any], message: str) -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            with pytest.raises(continuum.InvalidOption, match=message):
                await client.start("greeting", "ann", **options)
            assert (await client.query(namespace=None)).entries == []

    asyncio.run(main())


def test_a_used_key_returns_the_run_that_has_it() -> None:  # ING2, C18
    async def main() -> None:
        async with memory_client() as (client, _):
            first = await client.start(greeting, "ann", idempotency_key="k")
            second = await client.start(greeting, "bob", idempotency_key="k")
            assert (first.existing, second.existing, second.id) == (False, True, first.id)
            with pytest.raises(continuum.AlreadyStarted) as caught:
                await client.start(greeting, "bob", idempotency_key="k", on_conflict="raise")
            assert caught.value.run_id == first.id

    asyncio.run(main())


def test_a_start_whose_result_was_lost_takes_effect_once_without_a_conflict() -> None:
    async def main() -> None:
        async with Client(LosesResults(1)) as client:
            handle = await client.start(greeting, "ann", idempotency_key="k", on_conflict="raise")
            assert not handle.existing
            assert [run.id for run in (await client.query()).entries] == [handle.id]

    asyncio.run(main())


def test_concurrent_starts_share_one_write() -> None:
    async def main() -> None:
        journal = LosesResults(0)
        async with Client(journal) as client:
            handles = await asyncio.gather(*(client.start("greeting", n) for n in range(50)))
            runs = [await client.get_run(handle.id) for handle in handles]
            assert [run.input for run in runs] == [[n] for n in range(50)]
        assert journal.batches == [50]

    asyncio.run(main())


def test_run_ids_are_ordered_by_time() -> None:
    async def main() -> None:
        ticks = iter(range(1_700_000_000_000_000, 1_700_000_001_000_000, 1000))
        async with Client(MemoryJournal(lambda: next(ticks))) as client:
            ids = [(await client.start("greeting", n)).id for n in range(20)]
        assert ids == sorted(ids)
        assert {uuid.UUID(run_id).version for run_id in ids} == {7}

    asyncio.run(main())


def test_a_signal_whose_result_was_lost_arrives_once() -> None:
    async def main() -> None:
        journal = LosesResults(0)
        async with Client(journal) as client:
            handle = await client.start(greeting, "ann")
            journal.times = 2
            await handle.signal(review, "yes")
            assert await mail(Ending(journal)) == [(InboxKind.SIGNAL, "review", (encode("yes"),))]

    asyncio.run(main())


def test_a_repeated_delivery_id_has_no_effect() -> None:  # ING3, ING5
    async def main() -> None:
        async with memory_client() as (client, ending):
            handle = await client.start(greeting, "ann")
            await handle.signal(review, "yes", delivery_id="d")
            await handle.signal(review, "no", delivery_id="d")
            assert await mail(ending) == [(InboxKind.SIGNAL, "review", (encode("yes"),))]

    asyncio.run(main())


def test_signals_without_a_delivery_id_all_arrive_in_order() -> None:  # ING4
    async def main() -> None:
        async with memory_client() as (client, ending):
            handle = await client.start(greeting, "ann")
            await asyncio.gather(*(handle.signal("count", n) for n in range(20)))
            assert [body for _, _, body in await mail(ending)] == [(encode(n),) for n in range(20)]

    asyncio.run(main())


def test_an_internal_delivery_id_is_refused() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            handle = await client.start(greeting, "ann")
            with pytest.raises(continuum.InvalidOption, match="control characters"):
                await handle.signal(review, "yes", delivery_id="\x1fabc")

    asyncio.run(main())


def test_a_signal_value_of_another_type_is_refused() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            handle = await client.start(greeting, "ann")
            with pytest.raises(continuum.DurableTermError, match="signal review"):
                await handle.signal(review, 5)  # type: ignore[misc]

    asyncio.run(main())


@pytest.mark.parametrize("unknown", ["no such run", "0190f3c5-7f4e-7c1a-9a55-2f6f4d1e8b21"])
def test_an_unknown_run_is_not_found(unknown: str) -> None:  # CAN7, SRT2, ATR3, B32
    async def main() -> None:
        async with memory_client() as (client, _):
            for asked in (
                client.get_run(unknown),
                client.signal(unknown, review, "yes"),
                client.cancel(unknown),
                client.cancel(unknown, force=True),
                client.await_run(unknown),
                client.history(unknown),
                client.set_attributes(unknown, {}),
            ):
                with pytest.raises(continuum.RunNotFound):
                    await asked

    asyncio.run(main())


def test_an_ended_run_accepts_no_signal_and_no_cancel() -> None:  # CAN11, SRT4, THP6, B32
    async def main() -> None:
        async with memory_client() as (client, ending):
            handle = await client.start(greeting, "ann")
            await ending.complete(handle.id, "hello")
            for refused in (handle.signal(review, "yes"), handle.cancel(), handle.cancel(force=True)):
                with pytest.raises(continuum.RunTerminal, match="already completed"):
                    await refused

    asyncio.run(main())


def test_a_failed_run_raises_and_shows_its_error() -> None:
    """PGJ14"""

    async def main() -> None:
        async with memory_client() as (client, ending):
            handle = await client.start(greeting, "ann")
            await ending.fail(handle.id, "ValueError", "no such name")
            with pytest.raises(continuum.RunFailed, match="ValueError: no such name") as caught:
                await handle.result()
            assert (caught.value.type, caught.value.traceback) == ("ValueError", "a stack")
            assert (await handle.get()).error == continuum.RunError("ValueError", "no such name", "a stack")

    asyncio.run(main())


@pytest.mark.parametrize("facts", [("drift", 3, "a timer", "an activity", "flows.py:9"), ("poison",)])
def test_a_blocked_run_shows_its_fault_as_data(facts: tuple[Any, ...]) -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            handle = await client.start(greeting, "ann")
            assert (await handle.get()).fault is None
            blocked = Transition(RunState.BLOCKED, reason="as it is", fault=Fault(*facts))
            await ending.write(handle.id, blocked)
            run = await handle.get()
            assert (run.state, run.reason, run.fault) == ("blocked", "as it is", continuum.RunFault(*facts))

    asyncio.run(main())


def test_unblock_releases_one_run_and_no_other() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            handle, other = await client.start(greeting, "ann"), await client.start(greeting, "bob")
            assert not await handle.unblock()
            for run in (handle, other):
                await ending.write(run.id, Transition(RunState.BLOCKED, reason="drift: as it is"))
            assert await client.unblock(handle.id)
            assert [await handle.state(), await other.state()] == ["running", "blocked"]
            assert [run.id for run in await ending.claim()] == [handle.id]

    asyncio.run(main())


def test_unblock_releases_the_latest_run_of_a_chain() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            handle = await client.start(greeting, "ann")
            latest = await ending.continue_as_new(handle.id)
            await ending.write(latest, Transition(RunState.BLOCKED, reason="poison: it dies"))
            assert await handle.unblock()
            assert [run.id for run in await ending.claim()] == [latest]

    asyncio.run(main())


def test_a_forced_cancel_ends_the_run_and_its_waits() -> None:  # CAN6, THP5
    async def main() -> None:
        async with memory_client() as (client, _):
            handle = await client.start(greeting, "ann")
            waiting = asyncio.create_task(handle.result())
            await handle.cancel(force=True)
            with pytest.raises(continuum.RunCancelled):
                await waiting

    asyncio.run(main())


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_a_result_raises_after_its_timeout(timeout: float) -> None:  # B45
    async def main() -> None:
        async with memory_client() as (client, _):
            handle = await client.start(greeting, "ann")
            with pytest.raises(TimeoutError, match=f"has not ended within {timeout:g} s"):
                await handle.result(timeout=timeout)

    asyncio.run(main())


def test_a_result_is_decoded_by_the_workflow() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            handle = await client.start(greeting, "ann")
            await ending.complete(handle.id, 5)
            with pytest.raises(continuum.DurableTermError, match="result"):
                await handle.result()
            assert await client.handle(handle.id).result() == 5

    asyncio.run(main())


def test_closing_a_client_ends_its_waits() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            handle = await client.start(greeting, "ann")
            waiting = asyncio.create_task(handle.result())
            # This read gives the waiting task its turn first.
            await handle.state()
            await client.close()
            with pytest.raises(continuum.NotReady):
                await waiting
            with pytest.raises(continuum.NotReady):
                await client.start(greeting, "bob")

    asyncio.run(main())


def test_a_read_is_retried_once() -> None:
    async def main() -> None:
        journal = LosesResults(0)
        async with Client(journal) as client:
            handle = await client.start(greeting, "ann")
            journal.times = 1
            assert (await handle.get()).id == handle.id

    asyncio.run(main())


def test_a_history_is_readable() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            handle = await client.start(greeting, "ann")
            stored = [
                Event(
                    1,
                    EventType.ACTIVITY_SCHEDULED,
                    0,
                    ("charge", "flow", "a.py:1", encode([[7], {"x": 1}]), None),
                ),
                Event(2, EventType.ACTIVITY_COMPLETED, 1_000_000, (1, encode({"paid": True}))),
                Event(3, EventType.SIDE_EFFECT, 1_000_000, ("now", "flow", "a.py:2", 2_000_000)),
                Event(4, EventType.SIDE_EFFECT, 1_000_000, ("random", "flow", "a.py:3", b"\x80" + bytes(6))),
                Event(5, EventType.SIGNAL_RECEIVED, 1_000_000, ("review", encode("yes"), "\x1fab")),
                Event(6, EventType.TIMER_STARTED, 1_000_000, (3_000_000, "flow", "a.py:4")),
                Event(7, 99, 1_000_000, ("from a newer release",)),
            ]
            await ending.write(handle.id, None, stored)
            events = await handle.history()
            assert [(event.seq, event.type, event.name) for event in events] == [
                (1, "activity_scheduled", "charge"),
                (2, "activity_completed", "charge"),
                (3, "side_effect", "now"),
                (4, "side_effect", "random"),
                (5, "signal_received", "review"),
                (6, "timer_started", None),
                (7, "type_99", None),
            ]
            assert events[0].payload["arguments"] == [7]
            assert events[1].payload == {"scheduled": 1, "result": {"paid": True}}
            assert events[2].payload["value"].isoformat() == "1970-01-01T00:00:02+00:00"
            assert events[3].payload["value"] == 0.5
            assert events[4].payload == {"value": "yes", "delivery_id": None}
            assert events[5].payload["due"].isoformat() == "1970-01-01T00:00:03+00:00"
            assert events[0].at.tzinfo is not None

    asyncio.run(main())


@pytest.mark.parametrize("release", [True, False])
@pytest.mark.parametrize(
    ("waits", "due_at", "reason"),
    [
        # A node of an earlier release has recorded none.
        (None, IN_2096, "waits until 2096-10-02T07:06:40+00:00, or for a signal"),
        (None, None, "waits for a signal, an activity or a child"),
        ([Wait("timer", 3, "", 1, IN_2096)], IN_2096, "waits until 2096-10-02T07:06:40+00:00"),
        ([Wait("signal", -1, "go", 1)], None, "waits for signal 'go'"),
        ([Wait("signal", -1, "go", 1), Wait("unread", -1, "stop", 1)], None, "waits for signal 'go'"),
        (
            [Wait("signal", -1, "go", 1, IN_2096)],
            IN_2096,
            "waits for signal 'go', or until 2096-10-02T07:06:40+00:00",
        ),
        (
            [Wait("activity", seq, name, 1) for seq, name in enumerate(("a", "a", "b", "c", "d"))],
            None,
            "waits for activity 'a', activity 'b', activity 'c' and 1 more",
        ),
    ],
)
def test_a_suspended_run_shows_what_it_waits_for(
    waits: list[Wait] | None, due_at: int | None, reason: str, release: bool
) -> None:
    """Both in the memory of a node and evicted."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            handle = await client.start(greeting, "ann")
            await ending.write(
                handle.id, Transition(RunState.SUSPENDED, due_at, release=release, waits=waits)
            )
            run = await handle.get()
            assert (run.state, run.reason) == ("suspended", reason)

    asyncio.run(main())


def test_a_notification_brings_a_result_long_before_the_poll() -> None:  # AWT1
    async def main() -> None:
        journal = MemoryJournal()
        async with Client(journal) as client:
            handle = await client.start(greeting, "ann")
            completions = Completions(journal, first_poll=3600.0)
            waiting = asyncio.create_task(completions.wait(handle.id))
            await handle.state()
            await handle.cancel(force=True)
            async with asyncio.timeout(30):
                assert (await waiting).state is RunState.CANCELLED
            await completions.close()

    asyncio.run(main())


def test_a_run_that_ended_before_the_wait_began_is_found_at_once() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        async with Client(journal) as client:
            handle = await client.start(greeting, "ann")
            await handle.cancel(force=True)
            completions = Completions(journal, first_poll=3600.0)
            async with asyncio.timeout(30):
                assert (await completions.wait(handle.id)).state is RunState.CANCELLED
            await completions.close()

    asyncio.run(main())
