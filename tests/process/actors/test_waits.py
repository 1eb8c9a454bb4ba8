"""The owner of a run writes what it waits for, with the writes that it makes anyway."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import continuum
from continuum import RunHandle, Signal, activity, workflow
from continuum.engine.ids import RunId
from continuum.journal.wait import MOST_WAITS, Wait
from continuum.settings.settings import Settings
from tests.process.actors.hosting import DEADLINE_S, LONG_LEASE_S, Stage, eventually, stage

review = Signal("review", str)
pay = Signal("pay", str)


@activity(name="waits.far", executor="process")
def far() -> str:
    """Never run: there is no activity host here."""
    return "far"


@workflow(name="waits.signals")
async def signals() -> list[str]:
    """Wait for one signal, then for another, then for the first one with a timeout."""
    return [await review.wait(), await pay.wait(), await review.wait(timeout=3600)]


@workflow(name="waits.collecting")
async def collecting(number: int) -> list[str]:
    """Wait for the same signal again and again."""
    return [await review.wait() for _ in range(number)]


@workflow(name="waits.gathering")
async def gathering(number: int) -> list[str]:
    """Wait for the same signal many times at once."""
    return await asyncio.gather(*(review.wait() for _ in range(number)))


@workflow(name="waits.child")
async def child() -> str:
    """Wait for a signal."""
    return await review.wait()


@workflow(name="waits.everything")
async def everything() -> list[object]:
    """Wait for one thing of each kind."""
    return list(await asyncio.gather(far(), child(), continuum.sleep(3600), review.wait()))


async def waits_of(on: Stage, run: RunHandle[Any]) -> Sequence[Wait] | None:
    """Return what the row of a run says that it waits for."""
    row = await on.journal.get_run(RunId(run.id))
    assert row is not None
    return row.waits


async def until_it_waits_for(on: Stage, run: RunHandle[Any], *names: str) -> None:
    """Return once the row of a run says that it waits for signals of these names."""

    async def does() -> bool:
        waits = await waits_of(on, run)
        return waits is not None and [wait.name for wait in waits if wait.kind == "signal"] == [*names]

    await on.until(does, f"run {run.id} does not wait for {names}")


async def test_the_row_follows_from_one_signal_to_the_next(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(signals)
        run = await on.client.start(signals)
        await until_it_waits_for(on, run, "review")
        await run.signal(review, "yes")
        await until_it_waits_for(on, run, "pay")
        await run.signal(pay, "paid")
        await until_it_waits_for(on, run, "review")
        ((name, due, place),) = [(wait.name, wait.due, wait.place) for wait in await waits_of(on, run) or ()]
        stored = await on.journal.get_run(RunId(run.id))
        assert stored is not None
        assert (name, due) == ("review", stored.due_at)
        assert (place or "").startswith("actors/test_waits.py:")
        await run.signal(review, "done")
        assert await run.result(DEADLINE_S) == ["yes", "paid", "done"]
        assert await waits_of(on, run) is None


async def test_a_wait_for_the_same_signal_at_the_same_place_writes_no_row(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(collecting)
        run = await on.client.start(collecting, 3)
        await until_it_waits_for(on, run, "review")
        before = await on.sql("select xmin::text from {schema}.runs")
        await run.signal(review, "one")

        async def has_it() -> bool:
            return len(await run.history()) == 1

        await on.until(has_it, "the signal is not in the history")
        assert await on.sql("select xmin::text from {schema}.runs") == before


async def test_a_signal_that_the_row_does_not_name_writes_no_row(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(gathering)
        run = await on.client.start(gathering, MOST_WAITS + 2)
        await until_it_waits_for(on, run, *["review"] * MOST_WAITS)
        before = await on.sql("select xmin::text from {schema}.runs")
        await run.signal(review, "one")

        async def has_it() -> bool:
            return len(await run.history()) == 1

        await on.until(has_it, "the signal is not in the history")
        assert await on.sql("select xmin::text from {schema}.runs") == before


async def test_an_owner_names_what_it_waits_for_of_every_kind(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(everything)
        run = await on.client.start(everything)
        await until_it_waits_for(on, run, "review")
        waits = await waits_of(on, run) or ()
        assert {(wait.kind, wait.name) for wait in waits} == {
            ("signal", "review"),
            ("activity", "waits.far"),
            ("timer", ""),
            ("child", "waits.child"),
        }
        events = {event.seq: event.type for event in await run.history()}
        commands = {wait.kind: events[wait.seq] for wait in waits if wait.seq >= 0}
        assert commands == {
            "activity": "activity_scheduled",
            "timer": "timer_started",
            "child": "child_started",
        }


async def test_an_evicted_run_keeps_its_waits(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        settings = Settings(lease_ttl=LONG_LEASE_S, live_suspended_runs=1)
        tree = await on.tree(child, settings=settings)
        runs = [await on.client.start(child) for _ in range(4)]
        for run in runs:
            await until_it_waits_for(on, run, "review")
        await eventually(lambda: len(tree.host.runs.which_children()) <= 1, "too many are live")
        for run in runs:
            await until_it_waits_for(on, run, "review")
