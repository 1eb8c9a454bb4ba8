"""Spans of runs that change hands: the owner that has ended a run makes its span, however many it had."""

from __future__ import annotations

import asyncio

from continuum import Signal, activity, workflow
from continuum.settings.settings import Settings
from tests.process.actors.hosting import DEADLINE_S, LONG_LEASE_S, eventually, stage
from tests.unit.telemetry.spans import spans_in_memory

REPLAYS = 100

go = Signal("go", int)
began = asyncio.Event()
gate = asyncio.Event()


@activity(name="spans.gated")
async def gated() -> str:
    """Wait until the test lets it end."""
    began.set()
    await gate.wait()
    return "done"


@activity(name="spans.noted")
async def noted(number: int) -> int:
    """Return a number."""
    return number


@workflow(name="spans.waiting")
async def waiting() -> str:
    """End with the result of an activity."""
    return await gated()


@workflow(name="spans.patient")
async def patient(signals: int) -> int:
    """Wait for many signals, and note each."""
    total = 0
    for _ in range(signals):
        total += await noted(await go.wait())
    return total


async def test_an_owner_whose_last_write_is_fenced_makes_no_span_of_the_run(dsn: str, schema: str) -> None:
    with spans_in_memory() as spans:
        async with stage(dsn, schema) as on:
            tree = await on.tree(waiting)
            run = await on.client.start(waiting)
            await asyncio.wait_for(began.wait(), DEADLINE_S)
            first = tree.host.registered_worker()
            await on.journal.retire_worker(first.id, executing=None, poison_after=3)
            # The result is applied at once, and the write with it is refused.
            gate.set()
            assert await run.result(DEADLINE_S) == "done"
            assert tree.host.registered_worker().id != first.id
        assert spans.names() == {"activity spans.gated": 1, "run spans.waiting": 1, "stay spans.waiting": 2}


async def test_a_run_that_is_replayed_at_each_signal_is_one_span(dsn: str, schema: str) -> None:
    with spans_in_memory() as spans:
        async with stage(dsn, schema) as on:
            # Nothing stays in memory that waits.
            tree = await on.tree(patient, settings=Settings(lease_ttl=LONG_LEASE_S, live_suspended_runs=0))
            run = await on.client.start(patient, REPLAYS)
            for number in range(REPLAYS):
                await eventually(lambda: not tree.host.live_runs(), "the run is not released")
                await run.signal(go, number)
                await on.until(lambda: on.holds("select count(*) = 0 from {schema}.inbox"), "nobody reads it")
            assert await run.result(DEADLINE_S) == sum(range(REPLAYS))
        names = spans.names()
        assert (names["activity spans.noted"], names["run spans.patient"]) == (REPLAYS, 1)
        # A signal may come while its run is still here.
        assert REPLAYS // 2 < names["stay spans.patient"] <= REPLAYS + 1
