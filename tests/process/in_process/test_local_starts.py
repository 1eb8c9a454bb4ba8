"""A start beside a node: one commit creates the run with its first step, and its end needs no look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import cast

import pytest

import continuum
from continuum import AlreadyStarted
from continuum.client import starting
from continuum.engine.ids import RunId
from continuum.journal.ended_run import EndedRun
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import (
    Committed,
    LeaseLost,
    NewRun,
    Notification,
    RunWrite,
    Started,
    Topic,
    Worker,
)
from continuum.node.in_process import InstanceOptions
from continuum_actors.host import limits
from continuum_actors.run.local_starts import LocalStarts
from continuum_supervision import ActorRef, Supervisor
from tests.process.actors.hosting import eventually
from tests.process.in_process import flows
from tests.process.in_process.hosts import DEADLINE_S, LONG_LEASE_S

# More than one host creates at a time.
MANY = 600


@pytest.fixture(params=["memory", "postgres"])
def options(request: pytest.FixtureRequest) -> InstanceOptions:
    """Return the options of an instance "shop" with its journal in memory, or on Postgres."""
    always: InstanceOptions = {
        "name": "shop",
        "workflows": [flows.grandchild, flows.order, flows.charging, flows.patient, flows.mother],
        "heartbeater": {"ttl": LONG_LEASE_S},
    }
    if request.param == "memory":
        return {**always, "journal": "memory"}
    return {**always, "dsn": request.getfixturevalue("dsn"), "schema": request.getfixturevalue("schema")}


class NodeOnly(MemoryJournal):
    """A journal that no client may need: it starts nothing, tells no ends, and cannot be asked for them.

    `commits` are the numbers of writes that its batches had. A batch waits for `gate` before it takes effect.
    The lease is lost in the next `lost` batches that create runs, after they took effect if `late` is set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.lost = 0
        self.late = False
        self.may_start = False

    async def start(self, runs: Sequence[NewRun]) -> list[Started]:
        assert self.may_start, "a client has started a run by itself"
        return await super().start(runs)

    async def ended(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        return []

    async def notifications(
        self, topics: Sequence[Topic], *, channel: str | None = None
    ) -> AsyncIterator[Notification]:
        async for notification in super().notifications(topics, channel=channel):
            if notification.topic is not Topic.DONE:
                yield notification

    async def commit(self, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        await self.gate.wait()
        if self.lost and any(write.creates for write in writes):
            self.lost -= 1
            if self.late:
                await super().commit(worker, batch, writes)
            await self.retire_worker(worker.id, executing=None, poison_after=3)
            raise LeaseLost(worker.id)
        self.commits.append(len(writes))
        return await super().commit(worker, batch, writes)


def on(journal: MemoryJournal) -> InstanceOptions:
    """Return the options of an instance "shop" on this journal."""
    return {
        "name": "shop",
        "workflows": [flows.grandchild, flows.order, flows.charging, flows.measuring, flows.patient],
        "journal": journal,
        "heartbeater": {"ttl": LONG_LEASE_S},
    }


def kill_node(supervisor: Supervisor) -> Callable[[], bool]:
    """Kill the node; return a function that tells whether another one is in its place."""
    first = supervisor.which_children()[0].ref
    assert isinstance(first, ActorRef)
    first.kill()
    return lambda: supervisor.which_children()[0].ref not in (None, first)


async def test_a_run_has_made_its_first_step_when_its_start_returns(options: InstanceOptions) -> None:
    async with Supervisor(continuum.children(**options)), continuum.connect(name="shop") as client:
        ended = await client.start(flows.grandchild, 1)
        assert (await ended.get()).result == 2
        waiting = await client.start(flows.charging, 7)
        assert [event.type for event in await waiting.history()][:1] == ["activity_scheduled"]
        assert await waiting.result(DEADLINE_S) == "payment 7"


async def test_many_starts_at_once_all_end(options: InstanceOptions) -> None:
    async with Supervisor(continuum.children(**options)), continuum.connect(name="shop") as client:
        async with asyncio.timeout(DEADLINE_S):
            handles = await asyncio.gather(*(client.start(flows.grandchild, at) for at in range(MANY)))
            assert await asyncio.gather(*(handle.result() for handle in handles)) == list(range(1, MANY + 1))


async def test_a_taken_key_returns_the_run_that_has_it(options: InstanceOptions) -> None:
    flows.begun.clear()
    flows.gates["first"] = flows.gates["second"] = asyncio.Event()
    async with Supervisor(continuum.children(**options)), continuum.connect(name="shop") as client:
        first, second = await asyncio.gather(
            *(client.start(flows.patient, name, idempotency_key="k1") for name in ("first", "second"))
        )
        third = await client.start(flows.patient, "second", idempotency_key="k1")
        assert (first.existing, second.existing, third.existing) == (False, True, True)
        assert {second.id, third.id} == {first.id}
        with pytest.raises(AlreadyStarted):
            await client.start(flows.patient, "second", idempotency_key="k1", on_conflict="raise")
        flows.gates["first"].set()
        assert await third.result(DEADLINE_S) == "first"
        assert flows.begun == ["first"], "the code of a run that was not created had an effect"


async def test_a_run_that_another_client_resets_is_awaited_anew(options: InstanceOptions) -> None:
    flows.begun.clear()
    flows.gates["first"] = asyncio.Event()
    async with (
        Supervisor(continuum.children(**options)),
        continuum.connect(name="shop") as client,
        continuum.connect(name="shop") as other,
    ):
        run = await client.start(flows.patient, "first")
        flows.gates["first"].set()
        # The node has reported the end to both, and the first client has not asked yet.
        assert await other.await_run(run.id, DEADLINE_S) == "first"
        new = await other.reset(run.id, at=0)
        assert await new.result(DEADLINE_S) == "first"
        latest = await client._completions.wait(run.id)
        assert latest.id == new.id


async def test_a_taken_id_returns_the_run_that_has_it(options: InstanceOptions) -> None:
    async with Supervisor(continuum.children(**options)), continuum.connect(name="shop") as client:
        first = await client.start(flows.grandchild, 1)
        again = await client.start(flows.grandchild, 5, id=first.id)
        assert (again.id, again.existing, await again.result(DEADLINE_S)) == (first.id, True, 2)


async def test_signals_and_cancels_right_after_the_start_arrive(options: InstanceOptions) -> None:
    async with Supervisor(continuum.children(**options)), continuum.connect(name="shop") as client:
        run, other = await client.start(flows.order, 7), await client.start(flows.order, 8)
        await run.signal(flows.go, "yes")
        await other.cancel()
        assert await run.result(DEADLINE_S) == flows.shipped(7)
        with pytest.raises(continuum.RunCancelled):
            await other.result(DEADLINE_S)


async def test_a_child_in_the_first_step_is_started_with_its_parent(options: InstanceOptions) -> None:
    async with Supervisor(continuum.children(**options)), continuum.connect(name="shop") as client:
        assert await (await client.start(flows.mother, 1)).result(DEADLINE_S) == 2


async def test_a_start_and_its_result_take_one_commit_and_nothing_else_of_the_journal() -> None:
    journal = NodeOnly()
    async with Supervisor(continuum.children(**on(journal))), continuum.connect(name="shop") as client:
        async with asyncio.timeout(DEADLINE_S):
            assert await (await client.start(flows.grandchild, 1)).result() == 2
            assert journal.commits == [1]
            assert await (await client.start(flows.charging, 7)).result() == "payment 7"
    assert journal.commits == [1, 1, 1]


async def test_an_end_that_nobody_tells_is_found_in_the_journal() -> None:
    journal = MemoryJournal()
    # The second client is as one of another process: no node tells it anything.
    async with (
        Supervisor(continuum.children(**on(journal))),
        continuum.connect(name="shop") as client,
        continuum.Client(journal) as stranger,
    ):
        run = await client.start(flows.order, 1)
        await stranger.signal(run.id, flows.go, "yes")
        assert await stranger.await_run(run.id, DEADLINE_S) == flows.shipped(1)


async def test_a_start_is_answered_after_its_commit() -> None:
    journal = NodeOnly()
    async with Supervisor(continuum.children(**on(journal))), continuum.connect(name="shop") as client:
        journal.gate.clear()
        starting = asyncio.create_task(client.start(flows.grandchild, 1))
        await _until_in_flight(journal)
        for _ in range(50):
            await asyncio.sleep(0)
        assert not starting.done()
        assert not (await client.query()).entries
        journal.gate.set()
        async with asyncio.timeout(DEADLINE_S):
            assert await (await starting).result() == 2


@pytest.mark.parametrize("late", [False, True], ids=["before the commit", "after the commit"])
async def test_a_start_survives_the_loss_of_the_lease(late: bool) -> None:
    """I6: the client starts the run itself, which changes nothing if it exists."""
    journal = NodeOnly()
    journal.lost, journal.late, journal.may_start = 1, late, True
    async with Supervisor(continuum.children(**on(journal))), continuum.connect(name="shop") as client:
        async with asyncio.timeout(DEADLINE_S):
            run = await client.start(flows.charging, 7)
            assert await run.result() == "payment 7"
        assert len((await client.query()).entries) == 1


@pytest.mark.parametrize("late", [False, True], ids=["before the commit", "after the commit"])
async def test_a_start_survives_the_death_of_the_node(late: bool) -> None:
    journal = NodeOnly()
    journal.may_start = True
    async with (
        Supervisor(continuum.children(**on(journal))) as supervisor,
        continuum.connect(name="shop") as client,
        asyncio.timeout(DEADLINE_S),
    ):
        if late:
            run = await client.start(flows.order, 7)
            restarted = kill_node(supervisor)
        else:
            journal.gate.clear()
            starting = asyncio.create_task(client.start(flows.order, 7))
            await _until_in_flight(journal)
            restarted = kill_node(supervisor)
            journal.gate.set()
            run = await starting
        await eventually(restarted, "there is no other node")
        await run.signal(flows.go, "yes")
        assert await run.result() == flows.shipped(7)
        assert len((await client.query()).entries) == 1


async def _until_in_flight(journal: NodeOnly) -> None:
    """Return once a commit waits at the gate."""
    await eventually(lambda: bool(journal.gate._waiters), "no commit has begun")


class Behind(NodeOnly):
    """A journal whose starts wait for the batch in flight, as those of one id do in a database."""

    async def start(self, runs: Sequence[NewRun]) -> list[Started]:
        await self.gate.wait()
        return await super().start(runs)


async def test_a_run_whose_actor_crashes_before_it_is_created_is_executed() -> None:
    """Nobody owned it yet, so the crash released nothing; then its first write took effect."""
    journal = Behind()
    journal.may_start = True
    async with (
        Supervisor(continuum.children(**on(journal))),
        continuum.connect(name="shop") as client,
        asyncio.timeout(DEADLINE_S),
    ):
        assert client._port is not None
        host = cast(LocalStarts, client._port._starter)._host
        journal.gate.clear()
        starting = asyncio.create_task(client.start(flows.charging, 7))
        await _until_in_flight(journal)
        (run,) = host.live_runs()
        run.cast("nonsense")
        await eventually(lambda: len(journal.gate._waiters) > 1, "the client does not start the run itself")
        journal.gate.set()
        assert await (await starting).result() == "payment 7"


async def test_a_start_that_its_client_gave_up_is_executed_without_a_poll(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The announcement of its own start finds the run that is not created yet."""
    monkeypatch.setattr(starting, "HOST_START_SECONDS", 0.01)
    journal = NodeOnly()
    journal.may_start = True
    options: InstanceOptions = {**on(journal), "signal_router": {"poll": 3600.0}}
    async with (
        Supervisor(continuum.children(**options)),
        continuum.connect(name="shop") as client,
        asyncio.timeout(DEADLINE_S),
    ):
        journal.gate.clear()
        run = await client.start(flows.charging, 7)
        journal.gate.set()
        assert await run.result() == "payment 7"


async def test_large_inputs_are_committed_in_batches_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "COMMIT_BYTES", 3_000)
    journal = NodeOnly()
    async with (
        Supervisor(continuum.children(**on(journal))),
        continuum.connect(name="shop") as client,
        asyncio.timeout(DEADLINE_S),
    ):
        runs = await asyncio.gather(*(client.start(flows.measuring, "x" * 1_000) for _ in range(10)))
        assert [await run.result() for run in runs] == [1_000] * 10
        assert max(journal.commits) <= 2


async def test_a_client_that_closes_waits_for_its_start() -> None:
    journal = NodeOnly()
    async with Supervisor(continuum.children(**on(journal))):
        manager = continuum.connect(name="shop")
        client = await manager.__aenter__()
        journal.gate.clear()
        starting = asyncio.create_task(client.start(flows.grandchild, 1))
        await _until_in_flight(journal)
        closing: Awaitable[object] = asyncio.create_task(client.close())
        journal.gate.set()
        async with asyncio.timeout(DEADLINE_S):
            await closing
            assert (await starting).id
        await manager.__aexit__(None, None, None)


async def test_a_draining_node_leaves_starts_to_others() -> None:
    journal = NodeOnly()
    async with Supervisor(continuum.children(**on(journal))):
        async with continuum.connect(name="shop") as client:
            assert client._port is not None
        assert client._port.try_start(NewRun(RunId("x"), "unknown", b"")) is None
    assert client._port.try_start(NewRun(RunId("x"), flows.grandchild.name, b"")) is None


async def test_a_client_of_another_loop_starts_by_itself(options: InstanceOptions) -> None:
    if options.get("journal") == "memory":
        pytest.skip("a journal in memory belongs to one loop")
    async with Supervisor(continuum.children(**options)):

        async def elsewhere() -> int:
            async with continuum.connect(name="shop") as client:
                return await (await client.start(flows.grandchild, 1)).result(DEADLINE_S)

        assert await asyncio.to_thread(asyncio.run, elsewhere()) == 2
