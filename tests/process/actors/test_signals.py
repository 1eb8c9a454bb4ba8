"""Signals and cancellation, as a run receives them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import continuum
from continuum import RunCancelled, RunTerminal, Signal, activity, workflow
from tests.process.actors.hosting import DEADLINE_S, Stage, eventually, stage

item = Signal("item", int)
undone: list[str] = []


@workflow(name="signals.collecting")
async def collecting(number: int) -> list[int]:
    """Collect so many items."""
    return [await item.wait() for _ in range(number)]


@workflow(name="signals.impatient")
async def impatient(seconds: float) -> list[int]:
    """Wait for one item with a timeout, and for a second one without."""
    first = await item.wait(timeout=seconds, default=-1)
    return [first, await item.wait()]


@activity(name="signals.reserve")
async def reserve(name: str) -> str:
    """Reserve."""
    return name


@activity(name="signals.unreserve")
async def unreserve(name: str) -> None:
    """Undo a reservation."""
    undone.append(name)


@workflow(name="signals.holding")
async def holding(name: str) -> None:
    """Hold a reservation until cancelled."""
    async with continuum.saga() as saga:
        saga.add(unreserve, await reserve(name))
        await item.wait()


@asynccontextmanager
async def hosted(dsn: str, schema: str) -> AsyncIterator[Stage]:
    """Yield a stage with a host of these workflows."""
    async with stage(dsn, schema) as on:
        await on.tree(collecting, impatient, holding)
        yield on


async def test_a_signal_that_is_delivered_twice_counts_once(dsn: str, schema: str) -> None:
    async with hosted(dsn, schema) as on:
        run = await on.client.start(collecting, 2)
        for _ in range(3):
            await run.signal(item, 1, delivery_id="a")
        await run.signal(item, 2, delivery_id="b")
        assert await run.result(DEADLINE_S) == [1, 2]


async def test_signals_arrive_in_the_order_they_were_sent(dsn: str, schema: str) -> None:
    async with hosted(dsn, schema) as on:
        run = await on.client.start(collecting, 50)
        for number in range(50):
            await run.signal(item, number)
        assert await run.result(DEADLINE_S) == list(range(50))


async def test_i2_a_wait_has_one_winner_and_a_late_signal_is_kept(dsn: str, schema: str) -> None:
    async with hosted(dsn, schema) as on:
        runs = [await on.client.start(impatient, 0.02 * number) for number in range(15)]
        sent = [asyncio.create_task(run.signal(item, 1)) for run in runs]
        await asyncio.gather(*sent)
        for run in runs:
            try:
                await run.signal(item, 2)
            except RunTerminal:
                assert await run.result(DEADLINE_S) == [-1, 1]
            else:
                assert await run.result(DEADLINE_S) in ([1, 2], [-1, 1])


async def test_a_cancelled_run_is_compensated(dsn: str, schema: str) -> None:
    async with hosted(dsn, schema) as on:
        run = await on.client.start(holding, "seat 1")
        await on.until_state(run, "suspended")
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result(DEADLINE_S)
        assert undone.count("seat 1") == 1


async def test_a_forced_cancel_compensates_nothing_and_evicts_the_run(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(holding)
        run = await on.client.start(holding, "seat 2")
        await on.until_state(run, "suspended")
        await run.cancel(force=True)
        with pytest.raises(RunCancelled):
            await run.result(DEADLINE_S)
        await eventually(lambda: len(tree.host.runs.which_children()) == 0, "the run is still live")
        assert "seat 2" not in undone
