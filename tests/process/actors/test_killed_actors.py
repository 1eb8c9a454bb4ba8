"""Any actor of a run host may die while runs are active: all runs end with the right result."""

from __future__ import annotations

import asyncio

import pytest

from continuum.settings.settings import Settings
from continuum_actors.host import limits
from continuum_supervision import ActorRef
from tests.process.actors.hosting import DEADLINE_S, LONG_LEASE_S, Stage, Tree, eventually, results, stage
from tests.process.actors.orders import expected, order, verdict

RUNS = 50


async def fifty_orders_survive(on: Stage, victim: str) -> None:
    """Kill an actor before, between and after the signals."""
    # The due times of released runs are found by the poll.
    tree = await on.tree(order, settings=Settings(lease_ttl=LONG_LEASE_S, poll=0.3))
    runs = await asyncio.gather(*(on.client.start(order, number) for number in range(RUNS)))
    await eventually(lambda: len(tree.host.runs.which_children()) > 0, "nothing was claimed")
    await tree.kill(victim)
    for run in runs[: RUNS // 2]:
        await run.signal(verdict, "yes")
    await tree.kill(victim)
    for run in runs[RUNS // 2 :]:
        await run.signal(verdict, "yes")
    await tree.kill(victim)
    assert await results(runs) == [expected(number) for number in range(RUNS)]


@pytest.mark.parametrize(
    "victim",
    [
        "registry",
        "activity_threads",
        "local_activities",
        "activity_dispatcher",
        "leaseholders",
        "lease",
        "snapshotter",
        "writer",
        "runs",
        "wheel",
        "router",
        "dispatcher",
    ],
)
async def test_runs_survive_a_kill_of(victim: str, dsn: str, schema: str) -> None:
    """FIJ2"""
    async with stage(dsn, schema) as on:
        await fifty_orders_survive(on, victim)


async def live_run(tree: Tree, run_id: str, unlike: ActorRef | None = None) -> ActorRef:
    """Wait for the actor of a run, other than an earlier one."""
    await eventually(
        lambda: tree.host.registry.whereis(run_id) not in (None, unlike), f"run {run_id} is not live"
    )
    found = tree.host.registry.whereis(run_id)
    assert found is not None
    return found


async def test_a_run_whose_actor_dies_resumes_from_the_journal(dsn: str, schema: str) -> None:
    """ENG1"""
    async with stage(dsn, schema) as on:
        tree = await on.tree(order)
        run = await on.client.start(order, 1)
        (await live_run(tree, run.id)).kill()
        await run.signal(verdict, "yes")
        assert await run.result(DEADLINE_S) == expected(1)


async def test_a_run_whose_actor_keeps_dying_is_blocked_in_one_line_of_the_log_and_others_continue(
    dsn: str, schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(order)
        poisoned, healthy = await on.client.start(order, 1), await on.client.start(order, 2)
        # It makes no progress after it is suspended: the steps before must not reset its count of deaths.
        await on.until_state(poisoned, "suspended")
        last: ActorRef | None = None
        for _ in range(limits.POISON_AFTER_DEATHS):
            last = await live_run(tree, poisoned.id, unlike=last)
            last.kill()
        await on.until_state(poisoned, "blocked")
        await healthy.signal(verdict, "yes")
        assert await healthy.result(DEADLINE_S) == expected(2)
        assert "poison" in str((await poisoned.get()).reason)

        def lines() -> list[str]:
            return [record.message for record in caplog.records if record.name == "continuum.runs"]

        await eventually(lambda: bool(lines()), "the block is not logged")
        (line,) = lines()
        assert line.startswith(f"run {poisoned.id} of {order.name} is blocked: poison: ")
