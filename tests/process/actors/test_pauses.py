"""Paused runs leave their owners; what runs ends, and nothing of them begins until they are resumed."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, LiteralString

import pytest

import continuum
from continuum import Retry, RunHandle, Signal, activity, saga, workflow
from continuum.engine.ids import RunId
from continuum.errors import RunCancelled, RunTerminal
from continuum.settings.settings import Settings
from continuum_actors.host.messages import FindRun
from tests.process.actors.hosting import (
    DEADLINE_S,
    LONG_LEASE_S,
    Stage,
    Tree,
    eventually,
    hold_claims,
    stage,
)

go = Signal("go", str)
begun: Counter[str] = Counter()
ended: Counter[str] = Counter()
gates: dict[str, asyncio.Event] = {}


@pytest.fixture(autouse=True)
def closed_gates() -> None:
    """Let every activity wait until the test lets it end."""
    for counted in (begun, ended, gates):
        counted.clear()


def gate(name: str) -> asyncio.Event:
    return gates.setdefault(name, asyncio.Event())


async def pass_gate(name: str) -> str:
    begun[name] += 1
    await gate(name).wait()
    ended[name] += 1
    return name


@activity(name="pauses.near")
async def near(name: str) -> str:
    """Run in the loop of the owner."""
    return await pass_gate(name)


@activity(name="pauses.fails", retry=Retry(max_attempts=2, base=0.01))
async def fails(name: str) -> str:
    """Fail once."""
    await pass_gate(name)
    if begun[name] == 1:
        raise ConnectionError("the first attempt")
    return name


@activity(name="pauses.once", at_most_once=True)
async def once(name: str) -> str:
    """Run at most once."""
    return await pass_gate(name)


@activity(name="pauses.short", total_timeout=2)
async def short(name: str) -> str:
    """Run for some time at most."""
    return await pass_gate(name)


@activity(name="pauses.far", queue="far")
async def far(name: str) -> str:
    """Run as a task."""
    return await pass_gate(name)


@activity(name="pauses.refund")
async def refund(name: str) -> None:
    """Undo."""
    begun[name] += 1


@workflow(name="pauses.steps")
async def steps() -> list[str]:
    """Run one activity after the other."""
    return [await near("first"), await near("second")]


@workflow(name="pauses.beside")
async def beside() -> list[str]:
    """Run two activities beside each other, then another."""
    both = await asyncio.gather(near("left"), once("right"))
    return [*both, await near("last")]


@workflow(name="pauses.retried")
async def retried() -> str:
    """Run an activity that fails at first."""
    return await fails("fails")


@workflow(name="pauses.queued")
async def queued() -> list[str]:
    """Run tasks."""
    return [await far("task"), await far("next task")]


@workflow(name="pauses.waits")
async def waits() -> str:
    """Wait for a signal, then run an activity."""
    return await near(await go.wait())


@workflow(name="pauses.sleeps")
async def sleeps(seconds: float) -> str:
    """Sleep, then run an activity."""
    await continuum.sleep(seconds)
    return await near("rested")


@workflow(name="pauses.timed")
async def timed() -> str:
    """Run an activity beside a timer that is due before the activity's time is over."""
    task = asyncio.create_task(short("short"))
    await continuum.sleep(0.5)
    try:
        return await task
    except continuum.ActivityError as error:
        return error.type


@workflow(name="pauses.undoes")
async def undoes() -> str:
    """Wait for a signal, and compensate when asked to stop."""
    async with saga() as undo:
        undo.add(refund, "refund")
        return await go.wait()


ALL = (steps, beside, retried, queued, waits, sleeps, timed, undoes)
TOGETHER = pytest.mark.parametrize("together", [False, True])


async def pause(on: Stage, run: RunHandle[Any], name: str, *, together: bool) -> None:
    if together:
        await on.client.pause(workflow=name)
    else:
        await run.pause()


async def resume(on: Stage, run: RunHandle[Any], name: str, *, together: bool) -> None:
    assert await (on.client.resume(workflow=name) if together else run.resume())


async def left(on: Stage, run: RunHandle[Any]) -> None:
    """Wait until nobody owns the run."""

    async def is_free() -> bool:
        return await run.owner() is None

    await on.until(is_free, "the run has an owner")


async def has_begun(name: str, times: int = 1) -> None:
    await eventually(lambda: begun[name] >= times, f"{name} has not begun")


async def heard(tree: Tree, *, paused: bool = True) -> None:
    """Wait until a live run knows that it is paused, or that it may continue."""
    pauses: Any = tree.host.pauses
    await eventually(lambda: bool(pauses._told) is paused, "the run has not received it")


@TOGETHER
async def test_a_running_activity_ends_its_result_is_kept_and_nothing_begins(
    dsn: str, schema: str, together: bool
) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*ALL)
        run = await on.client.start(steps)
        await has_begun("first")
        await pause(on, run, steps.name, together=together)
        await heard(tree)
        gate("first").set()
        gate("second").set()
        await left(on, run)
        assert (ended["first"], begun["second"]) == (1, 0)
        assert (await run.get()).pause is not None
        assert await on.count("select count(*) from {schema}.inbox where run_id = %s", run.id) == 1

        await resume(on, run, steps.name, together=together)
        assert await run.result(DEADLINE_S) == ["first", "second"]
        assert (begun["first"], begun["second"]) == (1, 1)


async def test_all_that_runs_ends_before_the_run_leaves(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*ALL)
        run = await on.client.start(beside)
        await has_begun("right")
        await has_begun("left")
        await run.pause()
        await heard(tree)
        gate("left").set()
        await eventually(lambda: ended["left"] == 1, "the first one does not end")
        assert await run.owner() is not None
        gate("right").set()
        gate("last").set()
        await left(on, run)
        assert begun["last"] == 0
        await run.resume()
        assert await run.result(DEADLINE_S) == ["left", "right", "last"]
        assert begun == {"left": 1, "right": 1, "last": 1}


async def test_a_run_that_is_resumed_while_its_activity_runs_goes_on_where_it_is(
    dsn: str, schema: str
) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*ALL)
        run = await on.client.start(beside)
        await has_begun("right")
        await run.pause()
        await heard(tree)
        gate("left").set()
        await eventually(lambda: ended["left"] == 1, "it does not end")
        await run.resume()
        await heard(tree, paused=False)
        gate("right").set()
        gate("last").set()
        assert await run.result(DEADLINE_S) == ["left", "right", "last"]
        assert begun == {"left": 1, "right": 1, "last": 1}
        stored = await on.journal.get_run(RunId(run.id))
        assert stored is not None
        assert await on.count("select attempt from {schema}.runs where id = %s", run.id) == 1


async def test_a_paused_run_tells_where_it_is(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*ALL)
        run = await on.client.start(steps)
        await has_begun("first")
        await run.pause()
        await heard(tree)
        actor = tree.host.registry.whereis(RunId(run.id))
        tree.host.locator.find(FindRun(RunId(run.id), "north"))
        gate("first").set()
        await left(on, run)
        assert actor is not None
        gate("second").set()
        await run.resume()
        assert await run.result(DEADLINE_S) == ["first", "second"]
        assert begun["first"] == 1
        assert await on.count("select attempt from {schema}.runs where id = %s", run.id) == 2


async def test_the_time_of_an_activity_ends_though_a_timer_of_its_paused_run_waits(
    dsn: str, schema: str
) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*ALL)
        run = await on.client.start(timed)
        await has_begun("short")
        await run.pause()
        await heard(tree)
        await left(on, run)
        assert ended["short"] == 0
        await run.resume()
        assert await run.result(DEADLINE_S) == "TimeoutError"


async def test_a_failed_attempt_is_kept_and_not_tried_again(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*ALL)
        run = await on.client.start(retried)
        await has_begun("fails")
        await run.pause()
        await heard(tree)
        gate("fails").set()
        await left(on, run)
        assert begun["fails"] == 1
        await run.resume()
        assert await run.result(DEADLINE_S) == "fails"
        assert begun["fails"] == 2


@pytest.mark.parametrize("scope", [None, "workflow", "namespace", "queue"])
async def test_tasks_that_wait_are_left_and_those_that_run_end(
    dsn: str, schema: str, scope: str | None
) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*ALL)
        run = await on.client.start(queued)
        await has_begun("task")
        name: Any = {"workflow": queued.name, "namespace": "default", "queue": "far"}
        wide: dict[str, str] = {} if scope is None else {scope: name[scope]}
        await (run.pause() if scope is None else on.client.pause(**wide))
        if scope != "queue":
            await left(on, run)
        gate("task").set()
        gate("next task").set()
        await eventually(lambda: ended["task"] == 1, "the task does not end")
        if scope == "queue":
            await on.until(
                lambda: on.holds("select count(*) = 1 from {schema}.tasks where owner is null"),
                "no task waits",
            )
        else:
            await left(on, run)
        tree.host.tasks.look_for_work()
        other = await on.client.start(waits)
        await other.signal(go, "other")
        if scope in (None, "workflow", "queue"):
            gate("other").set()
            assert await other.result(DEADLINE_S) == "other"
        assert begun["next task"] == 0
        assert await (run.resume() if scope is None else on.client.resume(**wide))
        assert await run.result(DEADLINE_S) == ["task", "next task"]
        assert begun["task"] == 1


@TOGETHER
async def test_signals_and_timers_wait(dsn: str, schema: str, together: bool) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(*ALL)
        waiting, sleeping = await on.client.start(waits), await on.client.start(sleeps, 2.0)
        for name in ("signalled", "rested"):
            gate(name).set()
        for run, name in ((waiting, waits.name), (sleeping, sleeps.name)):
            await on.until_state(run, "suspended")
            await pause(on, run, name, together=together)
            await left(on, run)
        await waiting.signal(go, "signalled")
        is_past: LiteralString = "select due_at < clock_timestamp() from {schema}.runs where id = %s"
        await on.until(lambda: on.holds(is_past, sleeping.id), "the timer is not due")
        assert (begun["signalled"], begun["rested"]) == (0, 0)
        await resume(on, waiting, waits.name, together=together)
        await resume(on, sleeping, sleeps.name, together=together)
        assert await waiting.result(DEADLINE_S) == "signalled"
        assert await sleeping.result(DEADLINE_S) == "rested"
        assert begun == {"signalled": 1, "rested": 1}


@pytest.mark.parametrize("scope", [None, "workflow", "namespace"])
async def test_a_paused_run_that_is_asked_to_stop_compensates(
    dsn: str, schema: str, scope: str | None
) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(*ALL)
        run, other = await on.client.start(undoes), await on.client.start(undoes)
        await on.until_state(run, "suspended")
        await on.until_state(other, "suspended")
        if scope is None:
            await run.pause()
            await other.pause()
        elif scope == "workflow":
            await on.client.pause(workflow=undoes)
        else:
            await on.client.pause(namespace="default")
        await left(on, run)
        await left(on, other)
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result(DEADLINE_S)
        assert begun["refund"] == 1
        assert await other.state() == "suspended"
        with pytest.raises(RunTerminal):
            await run.pause()


async def test_a_run_that_is_asked_to_stop_while_an_activity_ends_compensates(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*ALL)
        run = await on.client.start(steps)
        await has_begun("first")
        await run.pause()
        await heard(tree)
        await run.cancel()
        gate("first").set()
        with pytest.raises(RunCancelled):
            await run.result(DEADLINE_S)


async def test_starts_of_a_paused_workflow_wait(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(*ALL)
        await on.client.pause(workflow=steps)
        for name in ("first", "second"):
            gate(name).set()
        runs = [await on.client.start(steps) for _ in range(3)]
        other = await on.client.start(sleeps, 0.0)
        gate("rested").set()
        assert await other.result(DEADLINE_S) == "rested"
        assert [await run.owner() for run in runs] == [None] * 3
        assert begun["first"] == 0
        assert "is with workflow pauses.steps paused since" in str((await runs[0].get()).reason)
        await on.client.resume(workflow=steps)
        assert [await run.result(DEADLINE_S) for run in runs] == [["first", "second"]] * 3


async def test_a_claim_that_was_under_way_brings_no_run_past_the_pause(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*ALL)
        claim = hold_claims(tree)
        run = await on.client.start(steps)
        worker = tree.host.registered_worker()
        # As the journal has it: owned, and the claim has not returned.
        (claimed,) = await on.journal.claim(worker, tree.host.code.loaded, 1)
        assert claimed.id == run.id
        await run.pause()
        await tree.host.dispatcher.start_all([claimed])
        await heard(tree)
        gate("first").set()
        gate("second").set()
        await left(on, run)
        assert begun["second"] == 0
        claim.set()
        await run.resume()
        assert await run.result(DEADLINE_S) == ["first", "second"]


async def test_the_successor_of_the_actor_knows_who_is_told(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*ALL)
        run = await on.client.start(steps)
        await has_begun("first")
        await run.pause()
        await heard(tree)
        await tree.kill("pauses")
        await run.resume()
        gate("first").set()
        gate("second").set()
        assert await run.result(DEADLINE_S) == ["first", "second"]
        assert begun["first"] == 1


async def test_without_listen_a_frozen_run_hears_that_it_may_go_on(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        settings = Settings(lease_ttl=LONG_LEASE_S, listen=False, poll=600.0)
        tree = await on.tree(*ALL, settings=settings, listen=False)
        run = await on.client.start(steps)
        await has_begun("first")
        await run.pause()
        tree.host.pauses.look()
        await heard(tree)
        await run.resume()
        await heard(tree, paused=False)
        gate("first").set()
        gate("second").set()
        assert await run.result(DEADLINE_S) == ["first", "second"]
