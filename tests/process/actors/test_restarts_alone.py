"""Actors of a run host die again and again while many runs are live: two of them alone cost a replay."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

import continuum
from continuum import RunHandle, Signal, activity, workflow
from continuum.engine.ids import RunId
from continuum.journal.port import StoredHistory
from continuum.journal.postgres import PostgresJournal
from continuum.settings.settings import Settings
from continuum_actors import tree as actor_tree
from tests.process.actors.hosting import LONG_LEASE_S, Stage, Tree, eventually, results, stage

RUNS = 40
KILLS = 8
go_on = Signal("go_on", int)
allowed = asyncio.Event()
ran: Counter[tuple[str, int, int]] = Counter()


@activity(name="alone.local")
async def local(number: int, step: int) -> int:
    """Run in the loop for a moment."""
    ran["local", number, step] += 1
    await asyncio.sleep(0.02)
    return step


@activity(name="alone.threaded")
def threaded(number: int, step: int) -> int:
    """Run in a thread."""
    ran["threaded", number, step] += 1
    return step


@activity(name="alone.queued", queue="alone")
async def queued(number: int, step: int) -> int:
    """Run as a task."""
    ran["queued", number, step] += 1
    await asyncio.sleep(0.01)
    return step


@workflow(name="alone.busy")
async def busy(number: int, steps: int) -> int:
    """Use activities of every kind, timers and signals, step after step."""
    total = 0
    for step in range(steps):
        total += await local(number, step)
        total += await threaded(number, step)
        await continuum.sleep(0.02)
        total += await queued(number, step)
        total += await go_on.wait()
    return total


class Replays:
    """Counts the histories that are loaded, without those of runs that have not begun."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        load_compact = PostgresJournal.load_compact

        async def counting(
            journal: PostgresJournal, runs: Sequence[tuple[RunId, str]]
        ) -> dict[RunId, StoredHistory]:
            found = await load_compact(journal, runs)
            self.count += sum(1 for history in found.values() if history.steps)
            return found

        monkeypatch.setattr(PostgresJournal, "load_compact", counting)


STEPS = 6
TOTAL = sum(4 * step for step in range(STEPS))
ALONE = [
    "registry",
    "activity_threads",
    "local_activities",
    "activity_dispatcher",
    "version_registry",
    "snapshotter",
    "runs",
    "wheel",
    "router",
    "dispatcher",
]


async def live_runs_survive(on: Stage, tree: Tree, runs: list[RunHandle[int]], victim: str) -> None:
    """Kill an actor again and again while the runs continue and others start."""
    signalling = asyncio.ensure_future(signal_all(runs))
    later = []
    try:
        for kill in range(KILLS):
            later.append(await on.client.start(busy, RUNS + kill, 1))
            await tree.kill(victim)
            await later[-1].signal(go_on, 0)
        assert await results(runs) == [TOTAL] * len(runs)
        assert await results(later) == [0] * KILLS
    finally:
        signalling.cancel()


async def signal_all(runs: list[RunHandle[int]]) -> None:
    """Signal every run for each of its steps."""
    for step in range(STEPS):
        await asyncio.gather(*(run.signal(go_on, step) for run in runs))


async def started(on: Stage, tree: Tree) -> list[RunHandle[int]]:
    """Start the runs and wait until all of them are live."""
    runs = await asyncio.gather(*(on.client.start(busy, number, STEPS) for number in range(RUNS)))
    await eventually(lambda: len(tree.host.registry) == RUNS, "the runs are not claimed")
    return runs


@pytest.mark.parametrize("victim", ALONE)
async def test_no_live_run_is_replayed_and_nothing_runs_twice_after_kills_of(
    victim: str, dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor_tree, "MAX_RESTARTS", 1_000)
    replays = Replays(monkeypatch)
    ran.clear()
    async with stage(dsn, schema) as on:
        # The poll is slow: what a killed actor knew must not have to be found by it.
        tree = await on.tree(busy, settings=Settings(lease_ttl=LONG_LEASE_S, poll=600.0))
        runs = await started(on, tree)
        worker = tree.host.registered_worker()
        await live_runs_survive(on, tree, runs, victim)
        assert replays.count == 0
        assert tree.host.registered_worker() == worker
        assert set(ran.values()) == {1}
        assert len(ran) == 3 * (RUNS * STEPS + KILLS)


@pytest.mark.parametrize("victim", ["writer", "lease"])
async def test_runs_are_replayed_and_lose_nothing_after_kills_of(
    victim: str, dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor_tree, "MAX_RESTARTS", 1_000)
    replays = Replays(monkeypatch)
    async with stage(dsn, schema) as on:
        tree = await on.tree(busy, settings=Settings(lease_ttl=LONG_LEASE_S, poll=0.3))
        runs = await started(on, tree)
        # All of them still wait for their signals.
        await on.until(lambda: has_a_result(runs[0]), "no step is stored")
        await live_runs_survive(on, tree, runs, victim)
        assert replays.count > 0


async def has_a_result(run: RunHandle[int]) -> bool:
    """Return whether a result is in the run's history."""
    return any(event.type == "activity_completed" for event in await run.history())


@activity(name="alone.long")
async def long(number: int) -> int:
    """Run until the test lets it end."""
    ran["long", number, 0] += 1
    await allowed.wait()
    return number


@workflow(name="alone.patient")
async def patient(number: int) -> int:
    """Wait for one long activity."""
    return await long(number)


async def test_an_activity_ends_once_although_its_actor_and_then_the_lease_are_lost(
    dsn: str, schema: str
) -> None:
    ran.clear()
    allowed.clear()
    async with stage(dsn, schema) as on:
        tree = await on.tree(patient)
        runs = [await on.client.start(patient, number) for number in range(5)]
        await eventually(lambda: len(ran) == 5, "the activities do not run")
        await tree.kill("local_activities")
        assert tree.host.activities.busy
        await tree.kill("lease")
        await tree.kill("local_activities")
        allowed.set()
        assert await results(runs) == list(range(5))
        assert set(ran.values()) == {1}


async def test_no_run_outlives_its_host_although_its_supervisor_died_first(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(patient)
        await on.client.start(patient, 1)
        await eventually(lambda: len(tree.host.registry) == 1, "the run is not live")
        (run,) = tree.host.live_runs()
        run_supervisor = tree.actor("runs")
        assert run_supervisor is not None
        run_supervisor.kill()
        tree.supervisor.ref.kill()
        await run.wait()
        assert not tree.host.live_runs()
