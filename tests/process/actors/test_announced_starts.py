"""A start is announced to one host, which executes the first step before it owns the run."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from continuum import RunHandle, Signal, activity, workflow
from continuum.engine.ids import RunId
from continuum.journal.announced_run import AnnouncedRun
from continuum.settings.settings import Settings
from continuum_supervision import NORMAL, ActorDied
from tests.process.actors.hosting import (
    LONG_LEASE_S,
    Stage,
    Tree,
    eventually,
    hold_claims,
    known,
    results,
    stage,
)

RESULT_S = 60.0
go = Signal("go", str)
noted: Counter[str] = Counter()
let_go = asyncio.Event()


@activity(name="announced.note")
async def note(text: str) -> str:
    """Record that it ran."""
    noted[text] += 1
    return f"noted {text}"


@workflow(name="announced.noting")
async def noting(text: str) -> str:
    """Run one activity."""
    return await note(text)


@activity(name="announced.hold")
async def hold(number: int) -> int:
    """Last until the test lets it end."""
    await let_go.wait()
    return number


@workflow(name="announced.holding")
async def holding(number: int) -> int:
    """Run an activity that lasts."""
    return await hold(number)


@workflow(name="announced.waiting")
async def waiting() -> str:
    """Wait for a signal."""
    return await go.wait()


WORKFLOWS = (noting, waiting, holding)


async def announced(on: Stage, run: RunHandle[Any], text: str) -> AnnouncedRun:
    """Return what announces a run of `noting`."""
    row = await on.journal.get_run(RunId(run.id))
    assert row is not None
    input = noting.arguments.encode_call((text,), {})
    return AnnouncedRun(row.id, row.workflow, row.namespace, input, row.trace_context, row.started_at)


async def test_a_lone_run_is_executed_without_a_claim(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        await known(on, tree)
        hold_claims(tree)

        run = await on.client.start(noting, "lone")

        assert await run.result(RESULT_S) == "noted lone"
        assert noted["lone"] == 1


async def test_a_run_that_was_taken_receives_its_mail(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        await known(on, tree)
        run = await on.client.start(waiting)
        await on.until_state(run, "suspended")
        hold_claims(tree)

        await run.signal(go, "yes")

        assert await run.result(RESULT_S) == "yes"


async def test_a_signal_before_the_first_write_is_received(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        claims = hold_claims(tree)
        await known(on, tree)
        run = await on.client.start(waiting)
        early = await on.client.start(waiting)
        await early.signal(go, "early")
        await run.signal(go, "yes")

        claims.set()

        assert [await each.result(RESULT_S) for each in (run, early)] == ["yes", "early"]


async def test_a_forged_announcement_changes_nothing(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        claims = hold_claims(tree)
        run = await on.client.start(noting, "honest")
        forged = await announced(on, run, "forged")
        await known_tokens(tree)
        tree.host.dispatcher.begin(forged)
        tree.host.dispatcher.begin(forged._replace(id=RunId("00000000-0000-4000-8000-000000000000")))
        await eventually(lambda: not tree.host.live_runs(), "a forged run stays live")

        claims.set()

        assert await run.result(RESULT_S) == "noted honest"
        assert noted["forged"] == 0


async def test_a_run_that_two_hosts_begin_is_executed_by_one(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        trees = [await on.tree(*WORKFLOWS, node=node) for node in ("north", "south")]
        held = [hold_claims(tree) for tree in trees]
        runs = [await on.client.start(noting, f"both {number}") for number in range(20)]
        for tree in trees:
            await known_tokens(tree)
        for number, run in enumerate(runs):
            for tree in (*trees, *trees):
                tree.host.dispatcher.begin(await announced(on, run, f"both {number}"))

        results = [await run.result(RESULT_S) for run in runs]

        assert results == [f"noted both {number}" for number in range(20)]
        assert [noted[f"both {number}"] for number in range(20)] == [1] * 20
        for event in held:
            event.set()


async def test_a_host_without_room_leaves_the_run_to_others(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        full = await on.tree(
            *WORKFLOWS, node="north", settings=Settings(lease_ttl=LONG_LEASE_S, active_runs=1)
        )
        await known(on, full)
        full.host.runs.activated(full.actor("writer"))  # type: ignore[arg-type]
        free = await on.tree(*WORKFLOWS, node="south")
        hold_claims(full)

        run = await on.client.start(noting, "passed on")

        assert await run.result(RESULT_S) == "noted passed on"
        assert not full.host.live_runs()
        assert free.host.registered_worker() != full.host.registered_worker()


async def test_a_lone_run_does_not_wait_behind_a_backlog(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS, settings=Settings(lease_ttl=LONG_LEASE_S, active_runs=10))
        await known(on, tree)
        starts = [on.client.start(holding, number) for number in range(40)]
        held = await asyncio.gather(*starts)
        await eventually(lambda: tree.host.runs.room() <= 0, "the host is not full")

        run = await on.client.start(noting, "between")

        assert await run.result(RESULT_S) == "noted between"
        assert tree.host.runs.room() <= 0
        let_go.set()
        assert await results(held) == list(range(40))


@pytest.mark.parametrize("error", [ActorDied(NORMAL), RuntimeError("no room")], ids=["dead", "error"])
async def test_an_announced_run_that_cannot_be_started_is_claimed(
    dsn: str, schema: str, error: Exception
) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        await known(on, tree)
        dispatcher, runs = tree.actor("dispatcher"), tree.host.runs
        start_run = runs.start_run

        def failing(*given: Any) -> None:
            if given[3:]:
                raise error
            start_run(*given)

        setattr(runs, "start_run", failing)  # noqa: B010 - it replaces a method
        run = await on.client.start(noting, f"after {error!r}")

        assert await run.result(RESULT_S) == f"noted after {error!r}"
        assert tree.actor("dispatcher") is dispatcher


async def known_tokens(tree: Tree) -> None:
    """Give the dispatcher tokens while its claims are held."""
    dispatcher: Any = tree.host.dispatcher
    dispatcher._tokens += await tree.host.journal.draw_tokens(64)
