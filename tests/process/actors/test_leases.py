"""A live host that loses its lease: its runs get other owners, and no result is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from continuum import ActivityError, activity, workflow
from continuum.errors import JournalUnavailable
from continuum.journal.postgres import PostgresJournal
from continuum.settings.settings import Settings
from tests.contract.cutting_proxy import cutting_proxy
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
from tests.process.actors.orders import charged, expected, order, verdict

started: list[int] = []
gates: dict[int, asyncio.Event] = {}


@activity(name="leases.gated")
async def gated(number: int) -> str:
    """Record that it began, and wait until the test lets it end."""
    started.append(number)
    await gates[number].wait()
    return f"result {number}"


@activity(name="leases.queued", queue="leases")
async def queued(number: int) -> int:
    """Run as an activity task."""
    return number


@workflow(name="leases.queueing")
async def queueing(number: int) -> int:
    """Run one activity of a queue."""
    return await queued(number)


@workflow(name="leases.waiting")
async def waiting(number: int) -> str:
    """Run one activity."""
    return await gated(number)


@activity(name="leases.failing")
async def failing_later(number: int) -> str:
    """Record that it began, wait until the test lets it end, and fail."""
    raise ValueError(await gated.fn(number))


@workflow(name="leases.failing_workflow")
async def failing(number: int) -> str:
    """Return the message of an activity's failure."""
    try:
        return await failing_later(number)
    except ActivityError as error:
        return error.message


async def steal_the_lease(on: Stage, tree: Tree) -> None:
    """Take the lease of a live host away, as another node's recovery would."""
    await on.journal.retire_worker(tree.host.registered_worker().id, executing=None, poison_after=3)


async def test_runs_of_a_stolen_lease_are_claimed_again(dsn: str, schema: str) -> None:
    """DSP4"""
    async with stage(dsn, schema) as on:
        tree = await on.tree(order)
        runs = await asyncio.gather(*(on.client.start(order, number) for number in range(20)))
        first = tree.host.registered_worker()
        await eventually(lambda: len(tree.host.runs.which_children()) > 0, "nothing was claimed")
        await steal_the_lease(on, tree)
        for run in runs:
            await run.signal(verdict, "yes")
        assert await results(runs) == [expected(number) for number in range(20)]
        assert tree.host.registered_worker().id != first.id


async def test_i7_an_activity_running_when_the_lease_is_stolen_has_one_result(dsn: str, schema: str) -> None:
    """ACT25, B18"""
    async with stage(dsn, schema) as on:
        gates[1] = asyncio.Event()
        tree = await on.tree(waiting, order)
        run = await on.client.start(waiting, 1)
        await eventually(lambda: 1 in started, "the activity did not begin")
        first = tree.host.registered_worker()
        await steal_the_lease(on, tree)
        # A write, so that the host notices.
        other = await on.client.start(order, 1)
        await eventually(lambda: tree.host.registered_worker().id != first.id, "the loss was not noticed")
        await other.signal(verdict, "yes")
        await other.result(DEADLINE_S)
        gates[1].set()
        assert await run.result(DEADLINE_S) == "result 1"
        assert started.count(1) == 1


async def test_i7_a_result_reaches_its_run_on_another_node(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        gates[2] = asyncio.Event()
        north = await on.tree(waiting)
        run = await on.client.start(waiting, 2)
        await eventually(lambda: 2 in started, "the activity did not begin")
        north.host.draining = True
        await on.tree(waiting, node="south")
        await steal_the_lease(on, north)
        await eventually(lambda: started.count(2) == 2, "the other node does not run it again")
        gates[2].set()
        assert await run.result(DEADLINE_S) == "result 2"
        assert await on.count("select count(*) from {schema}.runs where state <> 4") == 0


async def test_i7_a_failure_reaches_its_run_on_another_node(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        gates[3] = asyncio.Event()
        north = await on.tree(failing)
        run = await on.client.start(failing, 3)
        await eventually(lambda: 3 in started, "the activity did not begin")
        north.host.draining = True
        await steal_the_lease(on, north)
        gates[3].set()
        await on.until(lambda: on.holds("select count(*) = 1 from {schema}.inbox"), "it is not delivered")
        await on.tree(failing, node="south")
        assert await run.result(DEADLINE_S) == "result 3"
        assert started.count(3) == 1
        events = [event.type for event in await run.history()]
        assert events == ["activity_scheduled", "activity_failed"]


async def test_a_lease_that_only_ran_out_is_kept(dsn: str, schema: str) -> None:
    """Nobody has taken it over: after an outage that outlasts it, for example."""
    async with stage(dsn, schema) as on:
        gates[4] = asyncio.Event()
        tree = await on.tree(waiting)
        first = tree.host.registered_worker()
        run = await on.client.start(waiting, 4)
        await eventually(lambda: 4 in started, "the activity did not begin")
        await on.sql("update {schema}.workers set expires_at = clock_timestamp()")
        gates[4].set()
        assert await run.result(DEADLINE_S) == "result 4"
        assert tree.host.registered_worker() == first


async def test_a_host_that_was_cut_off_from_the_database_harms_no_run(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CLC1: another node completes its runs; it finds its lease lost and continues with a new one."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    number = 4_711
    async with cutting_proxy(dsn) as (proxy, through), stage(dsn, schema) as on:
        journal = PostgresJournal(through, schema=schema)
        await journal.open()
        on.exits.push_async_callback(journal.close)
        north = await on.tree_on(journal, order)
        run = await on.client.start(order, number)
        await on.until_state(run, "suspended")
        first = north.host.registered_worker()
        with monkeypatch.context() as apart:
            apart.setattr(proxy, "_serve", refuse)
            await proxy.cut()
            await steal_the_lease(on, north)
            await on.tree(order, node="south")
            await run.signal(verdict, "yes")
            assert await run.result(DEADLINE_S) == expected(number)
            events = [event.type for event in await run.history()]
        await eventually(lambda: north.host.registered_worker().id != first.id, "the loss was not noticed")
        assert [event.type for event in await run.history()] == events
        assert charged[number] == 1


async def test_tasks_are_claimed_at_once_under_the_lease_that_replaced_a_lost_one(
    dsn: str, schema: str
) -> None:
    """An outage outlasts the lease, and the claim that waits for its end still has the old worker."""
    down = asyncio.Event()
    async with stage(dsn, schema) as on:
        tree = await on.tree(queueing, settings=Settings(lease_ttl=LONG_LEASE_S, poll=3600.0))
        claim_tasks = tree.host.journal.once.claim_tasks
        failed: list[None] = []

        async def failing(*args: Any, **options: Any) -> Any:
            if down.is_set():
                failed.append(None)
                raise JournalUnavailable("the database is down")
            return await claim_tasks(*args, **options)

        replace_call(tree.host, "claim_tasks", failing)
        down.set()
        run = await on.client.start(queueing, 7)
        await eventually(lambda: len(failed) > 2, "no claim has failed")
        first = tree.host.registered_worker()
        await steal_the_lease(on, tree)
        await tree.kill("lease")
        await eventually(lambda: tree.host.registered_worker().id != first.id, "there is no other lease")
        down.clear()
        assert await run.result(DEADLINE_S) == 7
