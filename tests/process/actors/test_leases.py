"""A host whose lease is taken away while it lives: what it runs goes to others, and no result is lost."""

from __future__ import annotations

import asyncio

import pytest

from continuum import activity, workflow
from continuum.journal.postgres import PostgresJournal
from tests.contract.cutting_proxy import cutting_proxy
from tests.process.actors.hosting import Stage, Tree, eventually, results, stage
from tests.process.actors.orders import charged, expected, order, verdict

started: list[int] = []
gates: dict[int, asyncio.Event] = {}


@activity(name="leases.gated")
async def gated(number: int) -> str:
    """Note that it began, and wait until the test lets it end."""
    started.append(number)
    await gates[number].wait()
    return f"answer {number}"


@workflow(name="leases.waiting")
async def waiting(number: int) -> str:
    """Do one thing."""
    return await gated(number)


async def steal_the_lease(on: Stage, tree: Tree) -> None:
    """Take the lease of a living host away, as another node's recovery would."""
    await on.journal.retire_worker(tree.host.registered_worker().id, executing=None, poison_after=3)


async def test_runs_of_a_stolen_lease_are_claimed_anew(dsn: str, schema: str) -> None:
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


async def test_i7_an_activity_in_flight_when_the_lease_is_stolen_is_answered_once(
    dsn: str, schema: str
) -> None:
    """ACT25, B18"""
    async with stage(dsn, schema) as on:
        gates[1] = asyncio.Event()
        tree = await on.tree(waiting, order)
        run = await on.client.start(waiting, 1)
        await eventually(lambda: 1 in started, "the activity did not begin")
        first = tree.host.registered_worker()
        await steal_the_lease(on, tree)
        # Something that writes, so that the host finds out.
        other = await on.client.start(order, 1)
        await eventually(lambda: tree.host.registered_worker().id != first.id, "nobody noticed")
        await other.signal(verdict, "yes")
        await other.result(10)
        gates[1].set()
        assert await run.result(10) == "answer 1"
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
        assert await run.result(10) == "answer 2"
        assert await on.count("select count(*) from {schema}.runs where state <> 4") == 0


async def test_a_host_that_is_cut_off_from_the_database_does_no_harm_when_it_is_back(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CLC1: another node ends what it had; it finds its lease gone and works on under a new one."""

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
            assert await run.result(10) == expected(number)
            events = [event.type for event in await run.history()]
        await eventually(lambda: north.host.registered_worker().id != first.id, "nobody noticed")
        assert [event.type for event in await run.history()] == events
        assert charged[number] == 1
