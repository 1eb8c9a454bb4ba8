"""Writes, tasks and threads that fail harm their own run and no other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from continuum import ActivityError, activity, workflow
from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable
from continuum.journal.port import ClaimedTask, Committed, NewTask, RunState, RunWrite, Worker
from continuum.settings.settings import Settings
from continuum_actors.activity.local_activities import LocalActivities
from continuum_actors.host import limits
from continuum_actors.host.host import Host
from continuum_actors.node.host_process import serve
from continuum_actors.node.host_report import HostReporter
from continuum_supervision import Actor, ChildSpec, SupervisorGaveUp, spawn
from tests.hostile_exceptions import make
from tests.process.actors.hosting import (
    DEADLINE_S,
    LONG_LEASE_S,
    Stage,
    Tree,
    eventually,
    replace_call,
    results,
    stage,
)

gates: dict[str, threading.Event] = {}
running: dict[str, int] = {}
most: dict[str, int] = {}
counting = threading.Lock()


@activity(name="review.queued", queue="review")
async def queued(number: int) -> int:
    """Go through the task table."""
    return number


@activity(name="review.gated", timeout=0.3)
def gated(name: str, number: int) -> int:
    """Return a number; the timeout is for the call alone."""
    return number


@activity(name="review.holding")
def hold(name: str) -> None:
    """Hold a thread until the test releases it."""
    gates[name].wait(DEADLINE_S)


@activity(name="review.endless", timeout=0.3)
async def endless() -> None:
    """Wait for ever."""
    await asyncio.get_running_loop().create_future()


@activity(name="review.isolated", executor="process", timeout=30)
def isolated(name: str, number: int) -> int:
    """Count how many run at once."""
    with counting:
        running[name] = running.get(name, 0) + 1
        most[name] = max(most.get(name, 0), running[name])
    gates[name].wait(DEADLINE_S)
    with counting:
        running[name] -= 1
    return number


@activity(name="review.local")
async def local(number: int) -> int:
    """Run in the process of the run."""
    return number


@workflow(name="review.urgent")
async def urgent(number: int) -> int:
    """Run one activity through a queue."""
    return await queued(number)


@workflow(name="review.harmless")
async def harmless(number: int) -> int:
    """Run one activity."""
    return await local(number) + await local(number)


@activity(name="review.produce")
async def produce(size: int) -> bytes:
    """Return so many bytes."""
    return b"x" * size


@workflow(name="review.bulky")
async def bulky(size: int) -> int:
    """Receive so many bytes."""
    return len(await produce(size))


@workflow(name="review.threaded")
async def threaded(name: str, number: int) -> int:
    """Run one activity in a thread."""
    return await gated(name, number)


@workflow(name="review.holds")
async def holds(name: str) -> None:
    """Run one activity that takes a thread and has no timeout."""
    await hold(name)


@workflow(name="review.waiting_long")
async def waiting_long() -> None:
    """Run one activity that exceeds its timeout."""
    await endless()


@workflow(name="review.apart")
async def apart(name: str, number: int) -> int:
    """Run one activity in a process of its own."""
    return await isolated(name, number)


@dataclass
class Stop:
    """The part of a process's context that `serve` uses."""

    drain_requested: asyncio.Event = field(default_factory=asyncio.Event)
    readied: asyncio.Event = field(default_factory=asyncio.Event)
    own_liveness: SimpleNamespace = field(default_factory=SimpleNamespace)

    def on_message(self, callback: Callable[[Any], None]) -> None:
        """No messages come."""

    def ready(self) -> None:
        """Record the state."""
        self.readied.set()


class Doomed(Actor):
    """Crashes each time it is started."""

    def init(self) -> None:
        self.ref.cast("fall")

    def handle_cast(self, message: object) -> None:
        raise ValueError(message)


class Ignoring(Actor):
    """Receives the outcome of writes and ignores it."""

    def handle_cast(self, message: object) -> None:
        """Ignore it."""


def spoil(task: NewTask) -> NewTask:
    """Give a task a priority that its column cannot hold and that no check of definitions refuses."""
    return task._replace(priority=2**40)


async def test_a_process_ends_when_its_supervisor_gives_up(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(harmless)
        context: Any = Stop()
        async with asyncio.timeout(DEADLINE_S):
            reporter = HostReporter("run_host-1", "run_host")
            with pytest.raises(SupervisorGaveUp):
                await serve(context, tree.host, [ChildSpec("doomed", Doomed)], reporter)


async def test_a_refused_write_blocks_its_run_and_no_other(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PGJ7"""
    async with stage(dsn, schema) as on:
        tree = await on.tree(urgent, harmless)
        await eventually(lambda: hasattr(tree.host, "worker"), "no lease")
        worker = tree.host.registered_worker()
        spoil_tasks(tree, monkeypatch)
        bad, *good = await asyncio.gather(
            on.client.start(urgent, 0), *(on.client.start(harmless, number) for number in range(50))
        )
        assert await results(good) == [2 * number for number in range(50)]
        await on.until_state(bad, "blocked")
        reason = str((await bad.get()).reason)
        assert reason.startswith("corrupt: the journal refused its write")
        assert reason.isprintable()
        assert tree.host.registered_worker() == worker
        await eventually(lambda: tree.host.registry.whereis(bad.id) is None, "the run is still here")


def spoil_tasks(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the tree write only tasks that the database cannot hold."""
    commit = tree.host.journal.commit

    async def spoilt(worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        for write in writes:
            write.tasks = [spoil(task) for task in write.tasks]
        return await commit(worker, batch, writes)

    monkeypatch.setattr(tree.host.journal, "commit", spoilt)


async def test_a_refused_write_drops_the_later_writes_of_its_run(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(harmless)
        refused = await written_after_a_refusal(on, tree)
        assert [write.transition.state for write in refused if write.transition is not None] == [
            RunState.BLOCKED
        ]


async def written_after_a_refusal(on: Stage, tree: Tree) -> list[RunWrite]:
    """Submit one write that is refused, and later ones; return the durable writes of its run."""
    journal = tree.host.journal
    commit, durable = journal.commit, list[RunWrite]()

    async def recording(worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        if any(write.token == -1 and write.transition is None for write in writes):
            raise ValueError("no such token")
        durable.extend(writes)
        return await commit(worker, batch, writes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "commit", recording)
        ref = await spawn(Ignoring())
        strange = RunId("00000000-0000-7000-8000-000000000001")
        other = RunId("00000000-0000-7000-8000-000000000002")
        for run_id, token in ((other, 1), (strange, -1), (strange, 2), (other, 3)):
            tree.host.writer.submit(RunWrite(run_id, token), ref)
        await eventually(lambda: RunWrite(other, 3) in durable, "the writes behind it are not made")
    return [write for write in durable if write.run_id == strange]


async def test_the_timeout_of_a_plain_activity_begins_in_its_thread(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        gate = gates["threads"] = threading.Event()
        try:
            tree = await on.tree(threaded, holds, waiting_long)
            for _ in range(tree.host.settings.activity_threads):
                await on.client.start(holds, "threads")
            late = await on.client.start(threaded, "threads", 7)
            await eventually(lambda: tree.host.threads.waiting() == 1, "there is a thread for it")
            await eventually(lambda: (late.id, 0) in activities_of(tree), "it is not handed to the threads")
            # One that began later, with the same timeout and without a thread, exceeds it.
            await on.until_state(await on.client.start(waiting_long), "failed")
            gate.set()
            assert await late.result(DEADLINE_S) == 7
        finally:
            gate.set()


def activities_of(tree: Tree) -> Mapping[tuple[RunId, int], object]:
    """Return the running activities of a tree's own runs."""
    activities = tree.host.activities
    assert isinstance(activities, LocalActivities)
    return activities._running


async def test_an_activity_host_runs_one_isolated_activity_at_a_time(dsn: str, schema: str) -> None:
    """B25"""
    async with stage(dsn, schema) as on:
        gate = gates["isolated"] = threading.Event()
        try:
            await on.tree(apart, settings=Settings(lease_ttl=LONG_LEASE_S, activity_hosts=1))
            runs = [await on.client.start(apart, "isolated", number) for number in range(4)]
            await on.until(lambda: on.holds("select count(*) = 4 from {schema}.tasks"), "not all wait")
            await on.tree(apart, isolated=True)
            await eventually(lambda: running.get("isolated", 0) > 0, "nothing runs")
            for _ in range(3):
                # By now a second one would have been claimed.
                await on.count("select count(*) from {schema}.tasks")
            gate.set()
            assert sorted(await results(runs)) == [0, 1, 2, 3]
            assert most["isolated"] == 1
        finally:
            gate.set()


async def test_tasks_of_a_claim_whose_response_was_lost_run(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(urgent, settings=Settings(lease_ttl=LONG_LEASE_S, poll=0.3))
        lost = lose_a_response(tree.host)
        runs = [await on.client.start(urgent, number) for number in range(5)]
        assert await results(runs) == list(range(5))
        assert lost


def lose_a_response(host: Host) -> list[ClaimedTask]:
    """Have the connection die between the commit of a claim and its response, once."""
    claim_tasks = host.journal.once.claim_tasks
    lost: list[ClaimedTask] = []

    async def losing(*args: Any, **kwargs: Any) -> list[ClaimedTask]:
        claimed = await claim_tasks(*args, **kwargs)
        if claimed and not lost:
            lost.extend(claimed)
            raise JournalUnavailable("the connection died after the commit")
        return claimed

    replace_call(host, "claim_tasks", losing)
    return lost


async def test_waiting_writes_are_committed_in_batches_of_bounded_size(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(dsn, schema) as on:
        monkeypatch.setattr(limits, "COMMIT_BYTES", 3_000)
        tree = await on.tree(bulky)
        sizes = record_sizes(tree.host, monkeypatch)
        runs = [await on.client.start(bulky, 1_000) for _ in range(40)]
        assert await results(runs) == [1_000] * 40
        assert max(sizes) <= 3_000


async def test_a_write_that_is_too_large_for_postgres_blocks_its_run(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(dsn, schema) as on:
        monkeypatch.setattr(limits, "COMMIT_BYTES", 3_000)
        monkeypatch.setattr(limits, "WRITE_BYTES", 5_000)
        await on.tree(bulky)
        large = await on.client.start(bulky, 6_000)
        small = await on.client.start(bulky, 1)
        await on.until_state(large, "blocked")
        assert "5000 are allowed" in str((await large.get()).reason)
        assert await small.result(DEADLINE_S) == 1


def record_sizes(host: Host, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record how many bytes of results each commit carries."""
    commit = host.journal.commit
    sizes: list[int] = []

    async def recording(worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        bodies = [part for write in writes for event in write.events for part in event.body]
        sizes.append(sum(len(part) for part in bodies if isinstance(part, bytes)))
        return await commit(worker, batch, writes)

    monkeypatch.setattr(host.journal, "commit", recording)
    return sizes


@activity(name="review.isolated_failing", executor="process", timeout=30)
def isolated_failing(kind: str) -> None:
    """Raise in a process of its own."""
    raise make(kind)


@workflow(name="review.failing_apart")
async def failing_apart(kind: str) -> str:
    """Return how an activity in a process of its own failed."""
    try:
        await isolated_failing(kind)
    except ActivityError as error:
        return error.type
    raise AssertionError("it did not fail")


async def test_an_activity_host_reports_every_exception_and_serves_on(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(failing_apart, settings=Settings(lease_ttl=LONG_LEASE_S, activity_hosts=1))
        await on.tree(failing_apart, isolated=True)
        kinds = {"stop iteration": "RuntimeError", "syntax": "SyntaxError", "timeout": "TimeoutError"}
        for kind, type in kinds.items():
            run = await on.client.start(failing_apart, kind)
            assert await run.result(DEADLINE_S) == type
