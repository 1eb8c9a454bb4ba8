"""Former bugs of runs: owners that change at a bad moment, steps that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from continuum import Retry, RunCancelled, RunFailed, Signal, activity, workflow
from continuum.engine.loop.event_loop import WorkflowLoop
from continuum.errors import JournalUnavailable
from continuum.journal.port import ClaimedRun, LeaseLost, Loaded, Worker
from continuum.settings.settings import Settings
from tests.process.actors.hosting import (
    DEADLINE_S,
    LONG_LEASE_S,
    Stage,
    Tree,
    eventually,
    replace_call,
    stage,
)

attempts: list[int] = []
gates: dict[str, asyncio.Event] = {}
tick = Signal("tick", str)
# A run that spins is found out at once, on a slow machine too.
FEW_CALLBACKS = 10_000


@activity(name="review.charge", at_most_once=True, retry=Retry(max_attempts=2, base=0.0, max_backoff=0.0))
async def charge() -> str:
    """Fail once, then wait for the test."""
    attempts.append(len(attempts) + 1)
    if len(attempts) == 1:
        raise ValueError("first")
    await gates["charge"].wait()
    return "charged"


@workflow(name="review.paying")
async def paying() -> str:
    """Charge once."""
    return await charge()


@activity(name="review.step")
async def step(number: int) -> int:
    """Return the number."""
    return number


@workflow(name="review.counting")
async def counting() -> int:
    """Take a step for each tick; after the last one loop without waiting."""
    done = 0
    while True:
        word = await tick.wait()
        if word == "end":
            return done
        while word == "spin" and gates["spin"].is_set():  # noqa: ASYNC110 - a loop that never waits; continuum: allow CT302
            await asyncio.sleep(0)
        done += await step(1)


async def steal_the_lease(on: Stage, tree: Tree) -> None:
    worker = tree.host.registered_worker()
    await on.journal.retire_worker(worker.id, executing=None, poison_after=3)
    tree.host.lease.lost(LeaseLost(worker.id))
    await eventually(lambda: tree.host.registered_worker().id != worker.id, "no new lease")


async def test_a_running_second_attempt_is_adopted_by_the_runs_next_actor(dsn: str, schema: str) -> None:
    attempts.clear()
    gates["charge"] = asyncio.Event()
    async with stage(dsn, schema) as on:
        tree = await on.tree(paying)
        run = await on.client.start(paying)
        await eventually(lambda: len(attempts) == 2, "no second attempt")
        await steal_the_lease(on, tree)
        await eventually(lambda: tree.host.runs.whereis(run.id) is not None, "not claimed again")
        gates["charge"].set()
        assert await run.result(DEADLINE_S) == "charged"
        assert len(attempts) == 2


async def test_a_result_that_comes_between_two_actors_reaches_the_second(dsn: str, schema: str) -> None:
    """DSP5"""
    attempts.clear()
    gates["charge"] = asyncio.Event()
    async with stage(dsn, schema) as on:
        tree = await on.tree(paying)
        run = await on.client.start(paying)
        await eventually(lambda: len(attempts) == 2, "no second attempt")
        actor = tree.host.runs.whereis(run.id)
        assert actor is not None
        # It ends between the death of one actor and the start of the next.
        actor.kill()
        gates["charge"].set()
        assert await run.result(DEADLINE_S) == "charged"
        assert len(attempts) == 2


async def test_a_crash_of_a_second_attempt_counts(dsn: str, schema: str) -> None:
    attempts.clear()
    gates["charge"] = asyncio.Event()
    async with stage(dsn, schema) as on:
        async with on.alone(paying) as dying:
            run = await on.client.start(paying)
            await eventually(lambda: len(attempts) == 2, "no second attempt")
            dying.host.settings = replace(dying.host.settings, drain=0.0)
        await on.tree(paying)
        with pytest.raises(RunFailed, match="ProcessCrashed"):
            await run.result(DEADLINE_S)
        assert len(attempts) == 2


async def test_runs_of_a_claim_whose_response_was_lost_continue(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(counting, settings=Settings(lease_ttl=LONG_LEASE_S, poll=0.1))
        claim, lost = tree.host.journal.once.claim, asyncio.Event()

        async def losing(
            worker: Worker,
            code: Sequence[Loaded],
            limit: int,
            *,
            namespaces: Sequence[str] | None = None,
        ) -> list[ClaimedRun]:
            claimed = await claim(worker, code, limit, namespaces=namespaces)
            if claimed and not lost.is_set():
                lost.set()
                raise JournalUnavailable("the connection died before the response came")
            return claimed

        replace_call(tree.host, "claim", losing)
        gates["spin"] = asyncio.Event()
        runs = [await on.client.start(counting) for _ in range(5)]
        for run in runs:
            await run.signal(tick, "end")
        assert [await run.result(DEADLINE_S) for run in runs] == [0] * 5
        assert lost.is_set()


async def test_a_blocked_run_keeps_the_steps_before_the_fault(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WorkflowLoop, "callbacks_per_step", FEW_CALLBACKS)
    gates["spin"] = asyncio.Event()
    gates["spin"].set()
    async with stage(dsn, schema) as on:
        run = await on.client.start(counting)
        for word in ("one", "two", "spin"):
            await run.signal(tick, word)
        async with on.alone(counting):
            await on.until_state(run, "blocked")
        gates["spin"].clear()
        assert await on.journal.unblock([counting.name]) == 1
        await on.tree(counting)
        await run.signal(tick, "end")
        assert await run.result(DEADLINE_S) == 3


async def test_a_blocked_run_that_is_cancelled_stops_once_it_is_unblocked(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WorkflowLoop, "callbacks_per_step", FEW_CALLBACKS)
    gates["spin"] = asyncio.Event()
    gates["spin"].set()
    async with stage(dsn, schema) as on:
        run = await on.client.start(counting)
        await run.signal(tick, "spin")
        async with on.alone(counting):
            await on.until_state(run, "blocked")
        assert (await run.cancel()).state == "pending"
        assert await on.state_of(run) == "blocked"
        gates["spin"].clear()
        assert await run.unblock()
        await on.tree(counting)
        with pytest.raises(RunCancelled):
            await run.result(DEADLINE_S)
