"""The journal of a run host waits while the database is down, and reports each call once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import pytest

from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.errors import JournalUnavailable
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import (
    ClaimedRun,
    Committed,
    LeaseLost,
    Loaded,
    NewRun,
    Released,
    RunWrite,
    Worker,
)
from continuum.journal.resilient import DOUBT_SECONDS, ResilientJournal
from continuum.journal.retry import JournalCall, Retry, RetryPolicy
from continuum_supervision import ManualClock
from continuum_supervision.clock import settle

T = TypeVar("T")


class FailingJournal(MemoryJournal):
    """A journal whose next calls fail: before they took effect, or after."""

    def __init__(self) -> None:
        super().__init__()
        self.refuse = 0
        self.lose_results = 0
        self.batches: list[int] = []
        self.released: list[Sequence[RunId]] = []
        self.dead_for: list[float] = []

    def _before(self) -> None:
        if self.refuse:
            self.refuse -= 1
            raise JournalUnavailable("no connection")

    def _after(self) -> None:
        if self.lose_results:
            self.lose_results -= 1
            raise JournalUnavailable("the connection died")

    async def commit(self, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        self._before()
        self.batches.append(batch)
        committed = await super().commit(worker, batch, writes)
        self._after()
        return committed

    async def claim(
        self,
        worker: Worker,
        code: Sequence[Loaded],
        limit: int,
        *,
        namespaces: Sequence[str] | None = None,
    ) -> list[ClaimedRun]:
        self._before()
        claimed = await super().claim(worker, code, limit, namespaces=namespaces)
        self._after()
        return claimed

    async def release_other_runs(self, worker: Worker, keep: Sequence[RunId]) -> int:
        self.released.append(keep)
        return await super().release_other_runs(worker, keep)

    async def retire_worker(
        self,
        worker: WorkerId,
        *,
        executing: RunId | None,
        poison_after: int,
        only_expired: bool = False,
        dead_for: float = 0.0,
        manner: str | None = None,
    ) -> Released:
        self._before()
        self.dead_for.append(dead_for)
        return await super().retire_worker(
            worker,
            executing=executing,
            poison_after=poison_after,
            only_expired=only_expired,
            dead_for=dead_for,
            manner=manner,
        )

    async def take_snapshot(self, run_id: RunId, version: str, first: int) -> int:
        self._before()
        return await super().take_snapshot(run_id, version, first)


class World:
    """A failing journal, the door to it, and a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.journal = FailingJournal()
        self.door = ResilientJournal(self.journal, self.clock, lambda: 0.5)

    async def worker(self) -> Worker:
        return await self.journal.register_worker(NodeId("north"), "run_host", 1, 60.0)

    async def finish(self, call: Coroutine[Any, Any, T]) -> T:
        """Await a call, moving the clock from one delay to the next."""
        task = asyncio.create_task(call)
        await settle()
        while not task.done():
            due = self.clock.next_due()
            assert due is not None, "the call waits for something else than the clock"
            await self.clock.advance(due - self.clock.monotonic())
        return task.result()


def test_an_unanswered_commit_is_repeated_with_its_batch_number() -> None:
    async def scenario() -> None:
        world = World()
        worker = await world.worker()
        world.journal.lose_results = 1

        committed = await world.finish(world.door.commit(worker, 7, []))

        assert committed.rejected == frozenset()
        assert world.journal.batches == [7, 7]

    asyncio.run(scenario())


def test_delays_double_up_to_the_longest() -> None:
    async def scenario() -> None:
        world = World()
        worker = await world.worker()
        world.journal.refuse = 8

        await world.finish(world.door.commit(worker, 1, []))

        # Three quarters of 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2 and 2 seconds, with a random half of 0.5.
        assert world.clock.monotonic() == pytest.approx(0.75 * (0.05 * 63 + 2 + 2))

    asyncio.run(scenario())


def test_a_lost_lease_is_not_retried() -> None:
    async def scenario() -> None:
        world = World()
        worker = await world.worker()
        await world.journal.retire_worker(worker.id, executing=None, poison_after=3)

        with pytest.raises(LeaseLost):
            await world.finish(world.door.commit(worker, 1, []))

        assert world.journal.batches == [1]

    asyncio.run(scenario())


class Expiring:
    """A memory journal whose clock a test moves, with one worker whose lease lasts a minute."""

    def __init__(self) -> None:
        self.time = 0
        self.journal = MemoryJournal(lambda: self.time)
        self.door = ResilientJournal(self.journal, ManualClock(), lambda: 0.5, lease_ttl=60.0)

    async def worker(self) -> Worker:
        return await self.journal.register_worker(NodeId("north"), "run_host", 1, 60.0)

    async def commit(self, worker: Worker, batch: int) -> None:
        await self.door.commit(worker, batch, [])

    async def claim(self, worker: Worker, _: int) -> None:
        await self.door.claim(worker, [], 1, known=list)

    async def claim_tasks(self, worker: Worker, _: int) -> None:
        await self.door.claim_tasks(
            worker, [], isolated=False, limits={}, unlisted_limit=1, limit=1, known=list
        )


def test_a_lease_that_ran_out_in_an_outage_is_renewed_by_the_next_call() -> None:
    async def scenario() -> None:
        world = Expiring()
        worker = await world.worker()
        for number, call in enumerate((world.commit, world.claim, world.claim_tasks), 1):
            world.time += 3_600_000_000
            assert await world.journal.expired_workers() == [worker.id]

            await call(worker, number)

            assert await world.journal.expired_workers() == []

    asyncio.run(scenario())


def test_a_lease_that_another_node_has_ended_is_lost() -> None:
    async def scenario() -> None:
        world = Expiring()
        worker = await world.worker()
        await world.journal.retire_worker(worker.id, executing=None, poison_after=3)
        for call in (world.commit, world.claim, world.claim_tasks):
            with pytest.raises(LeaseLost):
                await call(worker, 1)

    asyncio.run(scenario())


def test_an_end_that_an_outage_delays_is_measured_to_the_death() -> None:
    """Otherwise its tasks would look as if they had run during the outage."""

    async def scenario() -> None:
        world = World()
        worker = await world.worker()
        world.journal.refuse = 3
        died_at = world.clock.monotonic()

        await world.finish(
            world.door.retire_worker(worker.id, executing=None, poison_after=3, died_at=died_at)
        )

        assert world.journal.dead_for == [world.clock.monotonic() - died_at]
        assert world.clock.monotonic() > died_at

    asyncio.run(scenario())


def test_snapshots_are_not_retried() -> None:
    async def scenario() -> None:
        world = World()
        world.journal.refuse = 1

        with pytest.raises(JournalUnavailable):
            await world.door.take_snapshot(RunId("r"), "v", 0)

    asyncio.run(scenario())


def test_a_claim_after_a_lost_response_first_releases_unknown_runs() -> None:
    async def scenario() -> None:
        world = World()
        worker = await world.worker()
        run = RunId("00000000-0000-4000-8000-000000000001")
        await world.journal.start([NewRun(run, "orders", b"")])
        world.journal.lose_results = 1

        claimed = await world.finish(world.door.claim(worker, [Loaded("orders", "v")], 5, known=list))

        assert [claim.id for claim in claimed] == [run]
        assert world.journal.released == [[]]

    asyncio.run(scenario())


def test_a_claim_that_takes_effect_after_it_was_given_up_is_released_by_the_next() -> None:
    async def scenario() -> None:
        world = World()
        worker = await world.worker()
        world.journal.refuse = 1
        claim: Any = lambda: world.door.claim(worker, [Loaded("orders", "v")], 5, known=list)  # noqa: E731
        assert await world.finish(claim()) == []
        # The server was slow with the first attempt, whose connection is gone.
        run = RunId("00000000-0000-4000-8000-000000000001")
        await world.journal.start([NewRun(run, "orders", b"")])
        assert await world.journal.claim(worker, [Loaded("orders", "v")], 5)

        assert [claimed.id for claimed in await world.finish(claim())] == [run]

        world.journal.released.clear()
        await world.clock.advance(DOUBT_SECONDS)
        await world.finish(claim())
        assert world.journal.released == [], "no doubt lasts for ever"

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["claim_suspects", "claim_deadly"])
def test_a_lost_claim_of_suspects_is_confirmed_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        world = World()
        worker = await world.worker()
        answers: list[Any] = [JournalUnavailable("the connection died"), []]

        async def answer(*_: Any, **__: Any) -> Any:
            if isinstance(found := answers.pop(0), Exception):
                raise found
            return found

        monkeypatch.setattr(world.journal, name, answer)
        more = () if name == "claim_suspects" else (5,)
        await world.finish(getattr(world.door, name)(worker, [], *more, known=list))
        assert world.journal.released == [[]]

    asyncio.run(scenario())


def test_a_first_claim_releases_nothing() -> None:
    async def scenario() -> None:
        world = World()
        worker = await world.worker()

        await world.finish(world.door.claim(worker, [Loaded("orders", "v")], 5, known=list))

        assert world.journal.released == []

    asyncio.run(scenario())


def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        world = World()
        worker = await world.worker()
        world.journal.refuse = 3
        await world.finish(world.door.commit(worker, 1, []))

    asyncio.run(scenario())

    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    began, ended = caplog.messages
    assert began == "committing: no connection; everything that needs the database waits until it answers"
    assert ended.startswith("the database answers again, after ")


def test_observers_see_every_finished_call() -> None:
    async def scenario() -> None:
        world = World()
        worker = await world.worker()
        calls: list[JournalCall] = []
        stop = world.door.observe(calls.append)
        world.journal.refuse = 1

        await world.finish(world.door.commit(worker, 1, []))
        await world.journal.retire_worker(worker.id, executing=None, poison_after=3)
        with pytest.raises(LeaseLost):
            await world.door.commit(worker, 2, [])
        stop()
        with pytest.raises(LeaseLost):
            await world.door.commit(worker, 3, [])

        assert [(call.operation, call.failures, type(call.error)) for call in calls] == [
            ("commit", 1, type(None)),
            ("commit", 0, LeaseLost),
        ]
        assert calls[0].seconds == pytest.approx(0.75 * 0.05)

    asyncio.run(scenario())


def test_a_failing_observer_fails_no_commit(caplog: pytest.LogCaptureFixture) -> None:
    def broken(call: JournalCall) -> None:
        raise RuntimeError("no metrics today")

    async def scenario() -> Committed:
        world = World()
        worker = await world.worker()
        world.door.observe(broken)
        return await world.door.commit(worker, 1, [])

    assert asyncio.run(scenario()).rejected == frozenset()
    assert "an observer of journal calls failed" in caplog.text


@pytest.mark.parametrize(
    ("policy", "attempts"),
    [
        (RetryPolicy(1.0, 1.0, attempts=2), 2),
        (RetryPolicy(1.0, 4.0, patience=10.0), 4),  # after 0, 1, 3 and 7 seconds; the next would be at 11
        (RetryPolicy(1.0, 1.0, patience=0.5), 2),  # the first may have spent it on a dead connection
    ],
)
def test_a_bounded_policy_gives_up(policy: RetryPolicy, attempts: int) -> None:
    async def scenario() -> int:
        world = World()
        made = 0

        async def fail() -> None:
            nonlocal made
            made += 1
            raise JournalUnavailable("no connection")

        retry = Retry(policy, world.clock, lambda: 0.0)
        with pytest.raises(JournalUnavailable):
            await world.finish(retry("read", "reading", fail))
        return made

    assert asyncio.run(scenario()) == attempts


def test_a_cancelled_call_waits_no_longer() -> None:
    async def scenario() -> None:
        world = World()
        worker = await world.worker()
        world.journal.refuse = 1
        task = asyncio.create_task(world.door.commit(worker, 1, []))
        await settle()

        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        await world.clock.advance(5.0)  # the alarm of the delay has no effect

    asyncio.run(scenario())
