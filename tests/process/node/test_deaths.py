"""Processes of a node die by kill -9, one after the other; the runs continue.

Leases last ten minutes here: runs continue at once only because the death was reported.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from continuum_actors.host import limits
from continuum_actors.node.recovery import is_alive
from tests.process.node import flows
from tests.process.node.nodes import DEADLINE_S, eventually, site

ORDERS = 20


async def test_runs_survive_the_kill_of_their_run_host(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", run_hosts=2)
        runs = await at.orders(ORDERS)
        victim = await at.pid("north", "run_host")
        os.kill(victim, signal.SIGKILL)
        await at.all_ship(runs)

        async def replaced() -> bool:
            pids = await at.pids("north", "run_host")
            return len(pids) == 2 and victim not in pids

        await at.until(replaced, "the node reports no successor")


async def test_a_host_that_dies_while_a_run_sleeps_leaves_no_gap_in_its_history(
    dsn: str, schema: str
) -> None:
    """ICR1, FIJ2, TMW6: the timer that was committed fires in another process, once."""
    async with site(dsn, schema) as at:
        at.node("north")
        run = await at.client.start(flows.resting, 7, 1.5)
        await at.until_state(run, "suspended")
        victim = await at.pid("north", "run_host")
        os.kill(victim, signal.SIGKILL)
        assert await run.result(DEADLINE_S) == "shipped for payment 7"
        assert [event.type for event in await run.history()] == [
            "activity_scheduled",
            "activity_completed",
            "timer_started",
            "timer_fired",
            "activity_scheduled",
            "activity_completed",
        ]


async def test_a_side_effect_that_kills_its_process_runs_again(dsn: str, schema: str, tmp_path: Path) -> None:
    """DSP9: what was not journaled has not happened."""
    async with site(dsn, schema) as at:
        at.node("north")
        run = await at.client.start(flows.reading, str(tmp_path))
        assert await run.result(DEADLINE_S) == "read"
        assert (tmp_path / "reads").read_text() == "read\nread\n"
        assert [event.type for event in await run.history()] == ["side_effect"]


async def test_an_isolated_activity_survives_its_process(dsn: str, schema: str, tmp_path: Path) -> None:
    async with site(dsn, schema) as at:
        at.node("north", activity_hosts=1)
        run = await at.client.start(flows.printing, str(tmp_path), 1)
        eventually(lambda: len(flows.traces(tmp_path)) == 1, "the activity did not begin")
        os.kill(flows.traces(tmp_path)[0], signal.SIGKILL)
        eventually(lambda: len(flows.traces(tmp_path)) == 2, "it did not run again")
        (tmp_path / "release-1").touch()
        # A crash does not count as a failed attempt.
        assert await run.result(DEADLINE_S) == 1


async def test_an_isolated_activity_out_of_time_is_killed_even_if_it_holds_the_interpreter(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", activity_hosts=1)
        assert await (await at.client.start(flows.reporting)).result(DEADLINE_S) == "TimeoutError"


async def test_an_isolated_activity_out_of_time_is_killed_even_if_it_ignores_signals(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", activity_hosts=1)
        victim = await at.pid("north", "activity_host")
        assert await (await at.client.start(flows.defying)).result(DEADLINE_S) == "TimeoutError"
        eventually(lambda: not is_alive(victim), "it still runs")


@pytest.mark.parametrize(
    ("which", "failure"),
    [
        ("silent", "TimeoutError: no heartbeat within its heartbeat_timeout of 0.5 s"),
        ("long", "TimeoutError: not done within its total_timeout of 0.5 s"),
    ],
)
async def test_an_isolated_activity_past_any_of_its_limits_is_killed(
    dsn: str, schema: str, which: str, failure: str
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", activity_hosts=1)
        victim = await at.pid("north", "activity_host")
        assert await (await at.client.start(flows.limited, which)).result(DEADLINE_S) == failure
        eventually(lambda: not is_alive(victim), "it still runs")


async def test_a_run_host_with_too_many_leftovers_is_replaced_and_its_other_activities_run_again(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", drain=0.5)
        victim = await at.pid("north", "run_host")
        company = await at.client.start(flows.brewing, str(tmp_path), 1)
        eventually(lambda: len(flows.starts(tmp_path)) == 1, "the other activity does not begin")
        for _ in range(limits.LEFTOVERS_PER_HOST + 1):
            await at.client.start(flows.blocking)
        eventually(lambda: not is_alive(victim), "the host is not replaced")
        eventually(lambda: len(flows.starts(tmp_path)) == 2, "the other activity does not run again")
        (tmp_path / "brewed").touch()
        assert await company.result(DEADLINE_S) == 1
        assert [event.type for event in await company.history()] == [
            "activity_scheduled",
            "activity_completed",
        ], "a crash was counted"


async def test_no_lease_expires_while_the_control_process_dies_and_restarts(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", lease_ttl=3.0)
        runs = await at.orders(ORDERS)
        workers = await at.sql("select id from {schema}.workers order by id")
        tokens = await at.sql("select id, token from {schema}.runs order by id")
        for _ in range(2):
            victim = await at.control_pid("north")
            renewed = (await at.sql("select max(expires_at) from {schema}.workers"))[0][0]
            os.kill(victim, signal.SIGKILL)

            async def is_renewed(victim: int = victim, renewed: object = renewed) -> bool:
                (latest,) = (await at.sql("select max(expires_at) from {schema}.workers"))[0]
                return bool(latest > renewed)

            await at.until(is_renewed, "the lease is not renewed")
        assert await at.sql("select id from {schema}.workers order by id") == workers
        assert await at.sql("select id, token from {schema}.runs order by id") == tokens
        await at.all_ship(runs)


@pytest.mark.parametrize("victim", ["launcher", "node_supervisor", "admin"])
async def test_a_node_ends_whole_when_its_launcher_supervisor_or_admin_dies(
    victim: str, dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        node = at.node("north", activity_hosts=1)
        runs = await at.orders(2)
        if victim == "admin":
            # The parent of the supervisor.
            supervisor = node.seen[await at.pid("north", "node_supervisor")]
            supervisor.parent().kill()
        else:
            os.kill(await at.pid("north", victim), signal.SIGKILL)
        eventually(lambda: not node.left(), f"left behind: {node.left()}")
        node.launcher.wait(DEADLINE_S)
        # A node of the same name sees at once that its earlier life has ended.
        at.node("north")
        await at.all_ship(runs)


async def test_a_run_that_never_yields_is_blocked_and_the_others_continue(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", run_hosts=1, watchdog=1.0)
        runs = await at.orders(5)
        endless = await at.client.start(flows.spinning)
        await at.until_state(endless, "blocked")
        assert (await endless.get()).reason == (
            "poison: its process died 3 times while executing it; "
            "the last time it did not answer for 1 s, so it was killed"
        )
        await at.all_ship(runs)
