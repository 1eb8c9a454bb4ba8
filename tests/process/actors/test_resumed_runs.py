"""Mail for a run without an owner is announced to one host, which resumes the run before it owns it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from continuum import RunCancelled, RunHandle, Signal, activity, workflow
from continuum.engine.ids import RunId
from continuum.journal.parked_run import ParkedRun
from continuum.settings.settings import Settings
from continuum_supervision import NORMAL, ActorDied
from tests.process.actors.hosting import (
    LONG_LEASE_S,
    Stage,
    Tree,
    eventually,
    hold_claims,
    known,
    replace_call,
    stage,
)

RESULT_S = 60.0
go = Signal("go", str)
noted: Counter[str] = Counter()
let_go = asyncio.Event()


@activity(name="resumed.note")
async def note(text: str) -> str:
    """Record that it ran."""
    noted[text] += 1
    return f"noted {text}"


@activity(name="resumed.hold")
async def hold(text: str) -> str:
    """Last until the test lets it end."""
    noted[text] += 1
    await let_go.wait()
    return text


@workflow(name="resumed.twice")
async def twice() -> list[str]:
    """Wait for two signals, and run an activity after each."""
    return [await note(await go.wait()), await note(await go.wait())]


@workflow(name="resumed.once")
async def once() -> str:
    """Wait for a signal."""
    return await go.wait()


@workflow(name="resumed.holding")
async def holding(text: str) -> str:
    """Run an activity that lasts, and wait for a signal beside it."""
    held, said = await asyncio.gather(hold(text), go.wait())
    return f"{held} {said}"


WORKFLOWS = (once, twice, holding)


async def parked(on: Stage, tree: Tree, flow: Any = once, *given: Any) -> RunHandle[Any]:
    """Start a run, and let the tree release it once it waits."""
    run: RunHandle[Any] = await on.client.start(flow, *given)
    await on.until_state(run, "suspended")
    tree.host.runs.release_all()
    await eventually(lambda: not tree.host.live_runs(), "the run is not released")
    return run


def after_reading(tree: Tree, then: Callable[[], Awaitable[object]]) -> None:
    """Let something happen once after this host has read a parked run, and before it resumes it."""
    read = tree.host.journal.once.parked
    happened = False

    async def reading(run_ids: Sequence[RunId]) -> list[ParkedRun]:
        nonlocal happened
        found = await read(run_ids)
        if found and not happened:
            happened = True
            await then()
        return found

    replace_call(tree.host, "parked", reading)


async def test_a_signal_resumes_a_parked_run_without_a_claim(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        await known(on, tree)
        run = await parked(on, tree)
        hold_claims(tree)

        await run.signal(go, "on")

        assert await run.result(RESULT_S) == "on"


async def test_a_run_that_was_resumed_goes_on_here(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        await known(on, tree)
        run = await parked(on, tree, twice)
        hold_claims(tree)

        await run.signal(go, "resumed")
        await eventually(lambda: noted["resumed"] == 1, "the first signal is not received")
        await on.until_state(run, "suspended")
        await run.signal(go, "again")

        assert await run.result(RESULT_S) == ["noted resumed", "noted again"]
        assert (noted["resumed"], noted["again"]) == (1, 1)


async def test_a_signal_that_comes_meanwhile_is_received(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS, settings=Settings(lease_ttl=LONG_LEASE_S, poll=3600))
        await known(on, tree)
        run = await parked(on, tree, twice)
        hold_claims(tree)
        after_reading(tree, lambda: run.signal(go, "meanwhile"))

        await run.signal(go, "first")

        assert await run.result(RESULT_S) == ["noted first", "noted meanwhile"]


async def test_a_cancel_that_comes_meanwhile_cancels_the_run(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        await known(on, tree)
        run = await parked(on, tree, twice)
        hold_claims(tree)
        after_reading(tree, run.cancel)

        await run.signal(go, "before the cancel")

        with pytest.raises(RunCancelled):
            await run.result(RESULT_S)


async def test_a_run_that_is_cancelled_by_force_meanwhile_stays_cancelled(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        await known(on, tree)
        run = await parked(on, tree, twice)
        hold_claims(tree)
        after_reading(tree, lambda: on.journal.force_cancel(RunId(run.id)))

        await run.signal(go, "too late")

        with pytest.raises(RunCancelled):
            await run.result(RESULT_S)
        await eventually(lambda: not tree.host.live_runs(), "the run stays live")
        assert noted["too late"] == 0


async def test_a_run_that_two_hosts_resume_is_executed_by_one(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        trees = [await on.tree(*WORKFLOWS, node=node) for node in ("north", "south")]
        runs = [await on.client.start(twice) for _ in range(20)]
        for run in runs:
            await on.until_state(run, "suspended")
        for tree in trees:
            tree.host.runs.release_all()
            hold_claims(tree)
        await eventually(lambda: not any(tree.host.live_runs() for tree in trees), "runs are not released")
        for number, run in enumerate(runs):
            await run.signal(go, f"both {number}")
            await run.signal(go, f"both {number} again")
            for tree in trees:
                tree.host.dispatcher.resume(RunId(run.id))

        for number, run in enumerate(runs):
            expected = [f"both {number}", f"both {number} again"]
            assert await run.result(RESULT_S) == [f"noted {text}" for text in expected]
            assert [noted[text] for text in expected] == [1, 1]


async def test_a_host_whose_lease_is_lost_meanwhile_loses_the_run(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        await known(on, tree)
        run = await parked(on, tree, twice)
        lost = tree.host.registered_worker()
        claims = hold_claims(tree)

        async def lose() -> None:
            await on.journal.retire_worker(lost.id, executing=None, poison_after=3)
            claims.set()

        after_reading(tree, lose)

        await run.signal(go, "after the loss")
        await run.signal(go, "and once more")

        assert await run.result(RESULT_S) == ["noted after the loss", "noted and once more"]
        assert noted["after the loss"] == 1
        assert tree.host.registered_worker() != lost


async def test_code_that_is_not_loaded_leaves_the_run_to_others(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        run = await parked(on, tree)
        other = await on.tree(holding, node="south")
        claims = hold_claims(tree)
        await run.signal(go, "for the other")
        claims.set()

        other.host.dispatcher.resume(RunId(run.id))

        assert await run.result(RESULT_S) == "for the other"


async def test_a_forged_hint_changes_nothing(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree, other = await on.tree(*WORKFLOWS), await on.tree(*WORKFLOWS, node="south")
        hold_claims(other)
        live = await on.client.start(twice)
        await on.until_state(live, "suspended")
        ended = await on.client.start(once)
        await ended.signal(go, "ended")
        await ended.result(RESULT_S)

        for each in (tree, other):
            for run_id in (live.id, ended.id, "00000000-0000-4000-8000-000000000000"):
                each.host.dispatcher.resume(RunId(run_id))
        await live.signal(go, "forged")
        await live.signal(go, "hint")

        assert await live.result(RESULT_S) == ["noted forged", "noted hint"]
        assert not other.host.live_runs()


async def test_a_host_without_room_leaves_the_run_to_others(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        free = await on.tree(*WORKFLOWS, node="south")
        run = await parked(on, free)
        full = await on.tree(
            *WORKFLOWS, node="north", settings=Settings(lease_ttl=LONG_LEASE_S, active_runs=1)
        )
        await known(on, full)
        full.host.runs.activated(full.actor("writer"))  # type: ignore[arg-type]
        hold_claims(full)

        await run.signal(go, "passed on")

        assert await run.result(RESULT_S) == "passed on"


async def test_an_attempt_that_still_runs_here_is_left_to_a_claim(dsn: str, schema: str) -> None:
    """Only an owner may adopt it."""
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        run = await on.client.start(holding, "held")
        await eventually(lambda: noted["held"] == 1, "the activity does not run")
        claims, read = hold_claims(tree), asyncio.Event()
        await tree.kill("lease")
        await known(on, tree)
        free = "select owner is null from {schema}.runs"
        await on.until(lambda: on.holds(free), "the run has an owner")
        await on.sql("update {schema}.runs set state = 2, due_at = null")

        async def note_reading() -> None:
            read.set()

        after_reading(tree, note_reading)
        await run.signal(go, "over")
        await read.wait()
        await eventually(lambda: not tree.host.live_runs(), "the run is resumed")
        claims.set()
        let_go.set()

        assert await run.result(RESULT_S) == "held over"
        assert noted["held"] == 1


@pytest.mark.parametrize("error", [ActorDied(NORMAL), RuntimeError("no room")], ids=["dead", "error"])
async def test_a_parked_run_that_cannot_be_started_is_claimed(
    dsn: str, schema: str, error: Exception
) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        await known(on, tree)
        run = await parked(on, tree)
        dispatcher, runs = tree.actor("dispatcher"), tree.host.runs
        start_run = runs.start_run

        def failing(*given: Any) -> None:
            if given[3:]:
                raise error
            start_run(*given)

        setattr(runs, "start_run", failing)  # noqa: B010 - it replaces a method
        await run.signal(go, "claimed")

        assert await run.result(RESULT_S) == "claimed"
        assert tree.actor("dispatcher") is dispatcher
