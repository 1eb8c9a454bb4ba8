"""Writes, tasks and threads that go wrong cost what they belong to, and nobody else anything."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from continuum import activity, workflow
from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable
from continuum.journal.port import ClaimedTask, Committed, NewTask, RunState, RunWrite, Worker
from continuum.settings import Settings
from continuum_actors.activity.local_activities import LocalActivities
from continuum_actors.host import limits
from continuum_actors.host.host import Host
from continuum_actors.node.host_process import serve
from continuum_supervision import Actor, ChildSpec, SupervisorGaveUp, spawn
from tests.process.actors.hosting import LONG_LEASE_S, Stage, Tree, eventually, results, stage

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
    """Hold a thread until the test lets it go; the time is for the call alone."""
    if number == 0:
        gates[name].wait(10)
        return 0
    return number


@activity(name="review.endless", timeout=0.3)
async def endless() -> None:
    """Wait for what never comes."""
    await asyncio.get_running_loop().create_future()


@activity(name="review.isolated", executor="process", timeout=30)
def isolated(name: str, number: int) -> int:
    """Count those that run at once."""
    with counting:
        running[name] = running.get(name, 0) + 1
        most[name] = max(most.get(name, 0), running[name])
    gates[name].wait(10)
    with counting:
        running[name] -= 1
    return number


@activity(name="review.beside")
async def beside(number: int) -> int:
    """Run beside the run."""
    return number


@workflow(name="review.urgent")
async def urgent(number: int) -> int:
    """Do one thing from a queue."""
    return await queued(number)


@workflow(name="review.harmless")
async def harmless(number: int) -> int:
    """Do one thing."""
    return await beside(number) + await beside(number)


@activity(name="review.produce")
async def produce(size: int) -> bytes:
    """Return so many bytes."""
    return b"x" * size


@workflow(name="review.bulky")
async def bulky(size: int) -> int:
    """Take so many bytes."""
    return len(await produce(size))


@workflow(name="review.threaded")
async def threaded(name: str, number: int) -> int:
    """Do one thing in a thread."""
    return await gated(name, number)


@workflow(name="review.waiting_long")
async def waiting_long() -> None:
    """Do one thing that is out of time."""
    await endless()


@workflow(name="review.apart")
async def apart(name: str, number: int) -> int:
    """Do one thing in a process of its own."""
    return await isolated(name, number)


@dataclass
class Stop:
    """What a process's main is given, as far as `serve` asks."""

    drain_requested: asyncio.Event = field(default_factory=asyncio.Event)
    readied: asyncio.Event = field(default_factory=asyncio.Event)
    own_liveness: Stop | None = None

    def __post_init__(self) -> None:
        self.own_liveness = self

    def beat(self) -> None:
        """Nobody watches."""

    def on_message(self, callback: Callable[[Any], None]) -> None:
        """Nobody sends."""

    def ready(self) -> None:
        """Note it."""
        self.readied.set()


class Doomed(Actor):
    """Crashes as often as it is started."""

    def init(self) -> None:
        self.ref.cast("fall")

    def handle_cast(self, message: object) -> None:
        raise ValueError(message)


class Deaf(Actor):
    """Hears what became of writes, and does nothing."""

    def handle_cast(self, message: object) -> None:
        """Take it."""


def spoil(task: NewTask) -> NewTask:
    """Give a task a priority that no column can hold, as no check at a definition foresees."""
    return task._replace(priority=2**40)


async def test_a_process_ends_when_its_supervisor_has_given_up(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(harmless)
        context: Any = Stop()
        async with asyncio.timeout(12):
            with pytest.raises(SupervisorGaveUp):
                await serve(context, tree.host, [ChildSpec("doomed", Doomed)])


async def test_a_write_the_journal_refuses_blocks_its_run_and_no_other(
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
    """Have every task that the tree writes be one that the database cannot hold."""
    commit = tree.host.journal.commit

    async def spoilt(worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        for write in writes:
            write.tasks = [spoil(task) for task in write.tasks]
        return await commit(worker, batch, writes)

    monkeypatch.setattr(tree.host.journal, "commit", spoilt)


async def test_after_a_refused_write_no_later_write_of_its_run_is_made(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(harmless)
        refused = await written_after_a_refusal(on, tree)
        assert [write.transition.state for write in refused if write.transition is not None] == [
            RunState.BLOCKED
        ]


async def written_after_a_refusal(on: Stage, tree: Tree) -> list[RunWrite]:
    """Hand over one write that is refused, among later ones; return what was made durable of its run."""
    journal = tree.host.journal
    commit, durable = journal.commit, list[RunWrite]()

    async def noting(worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        if any(write.token == -1 and write.transition is None for write in writes):
            raise ValueError("no such token")
        durable.extend(writes)
        return await commit(worker, batch, writes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "commit", noting)
        ref = await spawn(Deaf())
        strange = RunId("00000000-0000-7000-8000-000000000001")
        other = RunId("00000000-0000-7000-8000-000000000002")
        for run_id, token in ((other, 1), (strange, -1), (strange, 2), (other, 3)):
            tree.host.writer.submit(RunWrite(run_id, token), ref)
        await eventually(lambda: RunWrite(other, 3) in durable, "the writes behind it are not made")
    return [write for write in durable if write.run_id == strange]


async def test_time_begins_when_a_thread_has_taken_the_call(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        gate = gates["threads"] = threading.Event()
        try:
            tree = await on.tree(threaded, waiting_long)
            threads = tree.host.settings.activity_threads
            holding = [await on.client.start(threaded, "threads", 0) for _ in range(threads)]
            for run in holding:
                # Out of time, with its thread held.
                await on.until_state(run, "failed")
            late = await on.client.start(threaded, "threads", 7)
            await eventually(lambda: (late.id, 0) in activities_of(tree), "it is not handed to the threads")
            # What began after it, with as much time, and needs no thread, runs out of it.
            await on.until_state(await on.client.start(waiting_long), "failed")
            gate.set()
            assert await late.result(10) == 7
        finally:
            gate.set()


def activities_of(tree: Tree) -> Mapping[tuple[RunId, int], object]:
    """Return what a tree's own runs have under way."""
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
                # A second one would be claimed by now.
                await on.count("select count(*) from {schema}.tasks")
            gate.set()
            assert sorted(await results(runs)) == [0, 1, 2, 3]
            assert most["isolated"] == 1
        finally:
            gate.set()


async def test_tasks_of_a_claim_whose_answer_was_lost_run_all_the_same(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(urgent, settings=Settings(lease_ttl=LONG_LEASE_S, poll=0.3))
        lost = lose_an_answer(tree.host, monkeypatch)
        runs = [await on.client.start(urgent, number) for number in range(5)]
        assert await results(runs) == list(range(5))
        assert lost


def lose_an_answer(host: Host, monkeypatch: pytest.MonkeyPatch) -> list[ClaimedTask]:
    """Have the connection die between the commit of a claim and its answer, once."""
    claim_tasks = host.journal.claim_tasks
    lost: list[ClaimedTask] = []

    async def losing(*args: Any, **kwargs: Any) -> list[ClaimedTask]:
        claimed = await claim_tasks(*args, **kwargs)
        if claimed and not lost:
            lost.extend(claimed)
            raise JournalUnavailable("the connection died after the commit")
        return claimed

    monkeypatch.setattr(host.journal, "claim_tasks", losing)
    return lost


async def test_what_gathers_is_committed_in_portions(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(dsn, schema) as on:
        monkeypatch.setattr(limits, "COMMIT_BYTES", 3_000)
        tree = await on.tree(bulky)
        sizes = note_sizes(tree.host, monkeypatch)
        runs = [await on.client.start(bulky, 1_000) for _ in range(40)]
        assert await results(runs) == [1_000] * 40
        assert max(sizes) <= 3_000


async def test_a_single_write_beyond_what_postgres_takes_blocks_its_run(
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
        assert await small.result(10) == 1


def note_sizes(host: Host, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how many bytes of results each commit carries."""
    commit = host.journal.commit
    sizes: list[int] = []

    async def noting(worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        bodies = [part for write in writes for event in write.events for part in event.body]
        sizes.append(sum(len(part) for part in bodies if isinstance(part, bytes)))
        return await commit(worker, batch, writes)

    monkeypatch.setattr(host.journal, "commit", noting)
    return sizes
