"""What the actors of a host measure: each thing in one place, and once."""

from __future__ import annotations

import asyncio
from collections import Counter

from continuum import ActivityError, Retry, activity, workflow
from continuum.journal.port import LeaseLost
from continuum.settings.settings import Settings
from continuum.telemetry.measures import Measures
from continuum.telemetry.tallies import Tally
from tests.process.actors.hosting import LONG_LEASE_S, Stage, Tree, eventually, results, stage
from tests.process.actors.orders import order, verdict

RUNS = 5
ONCE = Retry(max_attempts=1)


@activity(name="measures.fail", retry=ONCE)
async def fail() -> None:
    """Fail at once."""
    raise ValueError("no")


@activity(name="measures.linger", timeout=0.01, retry=ONCE)
async def linger() -> None:
    """Outlive its timeout."""
    await asyncio.Event().wait()


@activity(name="measures.post", queue="mail")
async def post(number: int) -> int:
    """Run as a task."""
    return number


@workflow(name="measures.outcomes")
async def outcomes() -> int:
    """Have an attempt of every outcome, and fail."""
    for call in (fail, linger):
        try:
            await call()
        except ActivityError:
            pass
    await post(1)
    raise ValueError("the end")


async def measured_tree(on: Stage, **settings: int) -> tuple[Tree, Measures]:
    """Start a tree that is measured."""
    tree = await on.tree(order, outcomes, settings=Settings(lease_ttl=LONG_LEASE_S, **settings))  # type: ignore[arg-type]
    tree.host.measures = measures = Measures()
    return tree, measures


def numbers(counted: list[Tally]) -> Counter[tuple[str, str, str]]:
    """Return how often each series was counted."""
    return Counter({tally[:3]: tally.number for tally in counted})


async def test_runs_commits_timers_and_activities_are_counted(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        _, measures = await measured_tree(on)
        runs = [await on.client.start(order, number) for number in range(RUNS)]
        for run in runs:
            await run.signal(verdict, "yes")
        await results(runs)

        counted = measures.drain()

    found = numbers(counted)
    assert found["run.started", "orders.order", ""] == RUNS
    assert found["run.ended", "orders.order", "completed"] == RUNS
    assert found["run.duration", "orders.order", ""] == RUNS
    assert found["claim.delay", "", ""] == RUNS
    assert found["timer.lateness", "", ""] == RUNS
    assert found["activity.duration", "orders.charge", "completed"] == RUNS
    assert found["activity.duration", "orders.ship", "completed"] == RUNS
    assert found["commit.duration", "", ""] == found["commit.batch", "", ""] >= 2
    (durations,) = [tally for tally in counted if tally.metric == "run.duration"]
    # Each of them has rested for 0.05 s.
    assert durations.total >= RUNS * 0.05
    # Each run has a charge and its result, the signal, the timer and its end, ship and its result.
    (events,) = [tally for tally in counted if tally.metric == "commit.batch"]
    assert events.total >= RUNS * 7


async def test_attempts_are_counted_by_outcome_and_tasks_by_queue(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        _, measures = await measured_tree(on)
        run = await on.client.start(outcomes)
        await on.until_state(run, "failed")

        def has_ended() -> bool:
            counted.update(numbers(measures.drain()))
            return bool(counted["run.ended", "measures.outcomes", "failed"])

        counted: Counter[tuple[str, str, str]] = Counter()
        await eventually(has_ended, "the end of the run is not counted")

    assert counted["activity.duration", "measures.fail", "failed"] == 1
    assert counted["activity.duration", "measures.linger", "timed_out"] == 1
    assert counted["activity.duration", "measures.post", "completed"] == 1
    assert counted["queue.wait", "mail", ""] == 1


async def test_a_replay_is_counted_and_its_run_does_not_start_again(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        _, measures = await measured_tree(on, live_suspended_runs=0)
        run = await on.client.start(order, 1)
        await on.until(
            lambda: on.holds("select owner is null and state = 2 from {schema}.runs"), "not released"
        )
        await run.signal(verdict, "yes")
        await results([run])

        counted = numbers(measures.drain())

    assert counted["replay.duration", "", ""] >= 1
    assert counted["run.started", "orders.order", ""] == 1
    assert counted["claim.delay", "", ""] == 1


async def test_a_lost_lease_is_counted_once(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree, measures = await measured_tree(on)
        worker = tree.host.registered_worker()

        tree.host.lease.lost(LeaseLost(worker.id))
        tree.host.lease.lost(LeaseLost(worker.id))
        await eventually(lambda: tree.host.registered_worker() != worker, "no other lease")

        assert numbers(measures.drain())["lease.lost", "", ""] == 1
