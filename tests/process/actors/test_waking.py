"""What wakes a waiting run, what that leaves in the journal, and which timers a cancelled run has."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

import continuum
from continuum import RunCancelled, RunHandle, Signal, activity, workflow
from continuum.errors import JournalUnavailable
from continuum.journal.port import Committed, RunState, RunWrite, Worker
from continuum.journal.postgres.connections import Database
from continuum.settings.settings import Settings
from tests.process.actors.hosting import (
    DEADLINE_S,
    LONG_LEASE_S,
    Stage,
    Tree,
    armed_timers,
    eventually,
    replace_call,
    stage,
)
from tests.process.actors.test_leases import steal_the_lease

go = Signal("go", str)
# So rarely that no poll can be the cause.
RARELY_S = 600.0


@workflow(name="waking.waiting")
async def waiting(timeout: float | None = None) -> str:
    """Wait for a signal."""
    return await go.wait(timeout=timeout, default="no signal came")


@workflow(name="waking.resting")
async def resting(seconds: float) -> str:
    """Sleep, and then wait for a signal."""
    await continuum.sleep(seconds)
    return await go.wait()


@activity(name="waking.number", queue="numbers")
async def number(which: int) -> int:
    """Return the number, through a queue."""
    return which


@workflow(name="waking.crowd")
async def crowd(size: int) -> int:
    """Run many queued activities at once."""
    return sum(await asyncio.gather(*(number(which) for which in range(size))))


@workflow(name="waking.late")
async def late(timeout: float) -> str:
    """Run an activity before waiting."""
    await number(1)
    return await go.wait(timeout=timeout)


@workflow(name="waking.tracing")
async def tracing() -> str | None:
    """Return the trace context after having waited."""
    await go.wait()
    return continuum.info().trace_context


async def types_of(run: RunHandle[Any]) -> list[str]:
    """Return the types of the run's events."""
    return [event.type for event in await run.history()]


async def disarmed(tree: Tree) -> None:
    """Return once no timer is armed: a client may learn that a run ended before its owner does."""
    await eventually(lambda: not armed_timers(tree), "a timer is armed")


async def due_at(on: Stage, run: RunHandle[Any]) -> object:
    """Return the due time in the run's row."""
    return (await on.sql("select due_at from {schema}.runs where id = %s", run.id))[0][0]


async def test_a_signal_to_a_waiting_run_is_journaled_and_leaves_the_inbox(dsn: str, schema: str) -> None:
    """SRT1, PGJ9, MSB6"""
    async with stage(dsn, schema) as on:
        await on.tree(waiting)
        run = await on.client.start(waiting)
        await on.until_state(run, "suspended")
        await run.signal(go, "now", delivery_id="d")
        assert await run.result(DEADLINE_S) == "now"
        (received,) = await run.history()
        assert (received.type, received.name) == ("signal_received", "go")
        assert received.payload == {"value": "now", "delivery_id": "d"}
        assert await on.count("select count(*) from {schema}.inbox") == 0


async def test_a_signal_sent_before_the_run_began_is_all_that_is_journaled(dsn: str, schema: str) -> None:
    """SRT12, B38"""
    async with stage(dsn, schema) as on:
        run = await on.client.start(waiting)
        await run.signal(go, "early")
        await on.tree(waiting)
        assert await run.result(DEADLINE_S) == "early"
        assert await types_of(run) == ["signal_received"]


async def test_a_wait_for_a_signal_that_has_arrived_leaves_no_timer(dsn: str, schema: str) -> None:
    """SRT13, B44: a timer is an event of its run and never a row of its own."""
    async with stage(dsn, schema) as on:
        tree = await on.tree(late)
        run = await on.client.start(late, 3600.0)
        await run.signal(go, "early")
        assert await run.result(DEADLINE_S) == "early"
        assert "timer_fired" not in await types_of(run)
        assert await due_at(on, run) is None
        await disarmed(tree)


async def test_a_signal_in_time_removes_the_timer(dsn: str, schema: str) -> None:
    """SRT17"""
    async with stage(dsn, schema) as on:
        tree = await on.tree(waiting)
        run = await on.client.start(waiting, 3600.0)
        await on.until_state(run, "suspended")
        assert await due_at(on, run) is not None
        await run.signal(go, "in time")
        assert await run.result(DEADLINE_S) == "in time"
        assert await types_of(run) == ["timer_started", "signal_received"]
        assert await due_at(on, run) is None
        await disarmed(tree)


async def test_a_timeout_that_is_due_first_ends_the_wait(dsn: str, schema: str) -> None:
    """SRT16"""
    async with stage(dsn, schema) as on:
        await on.tree(waiting)
        run = await on.client.start(waiting, 0.05)
        assert await run.result(DEADLINE_S) == "no signal came"
        assert await types_of(run) == ["timer_started", "timer_fired"]


async def test_signals_and_timers_wake_a_run_without_any_poll(dsn: str, schema: str) -> None:
    """SRT15, TMW9: a notification for the signal, the run's own alarm for the timer."""
    async with stage(dsn, schema) as on:
        await on.tree(resting, settings=Settings(lease_ttl=LONG_LEASE_S, poll=RARELY_S))
        run = await on.client.start(resting, 0.05)

        async def rested() -> bool:
            return "timer_fired" in await types_of(run)

        await on.until(rested, "the timer does not fire")
        await run.signal(go, "on")
        assert await run.result(DEADLINE_S) == "on"


async def test_a_cancelled_run_has_no_timer(dsn: str, schema: str) -> None:
    """CAN4"""
    async with stage(dsn, schema) as on:
        tree = await on.tree(resting)
        run = await on.client.start(resting, 3600.0)
        await on.until_state(run, "suspended")
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result(DEADLINE_S)
        assert await due_at(on, run) is None
        await disarmed(tree)
        assert await types_of(run) == ["timer_started", "cancel_requested"]


async def test_the_poll_finds_a_request_to_cancel(dsn: str, schema: str) -> None:
    """CAN9, SRT11, CLG1: a request whose notification is lost reaches the owner all the same."""
    async with stage(dsn, schema) as on:
        settings = Settings(lease_ttl=LONG_LEASE_S, poll=0.1)
        await on.tree(waiting, settings=settings, listen=False)
        stopped, woken = await on.client.start(waiting), await on.client.start(waiting)
        for run in (stopped, woken):
            await on.until_state(run, "suspended")
        await stopped.cancel()
        await woken.signal(go, "on")
        with pytest.raises(RunCancelled):
            await stopped.result(DEADLINE_S)
        assert await woken.result(DEADLINE_S) == "on"
        assert await on.count("select count(*) from {schema}.inbox") == 0


async def test_a_request_to_cancel_survives_the_loss_of_the_owners_lease(dsn: str, schema: str) -> None:
    """CAN1, CAN2, B54: the caller notices nothing of leases; the next owner cancels the run."""
    async with stage(dsn, schema) as on:
        tree = await on.tree(resting, settings=Settings(lease_ttl=LONG_LEASE_S, poll=0.3))
        run = await on.client.start(resting, 3600.0)
        await on.until_state(run, "suspended")
        await steal_the_lease(on, tree)
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result(DEADLINE_S)
        assert await types_of(run) == ["timer_started", "cancel_requested"]


async def test_a_resumed_run_knows_its_trace_context(dsn: str, schema: str) -> None:
    """DSP6"""
    async with stage(dsn, schema) as on:
        async with on.alone(tracing):
            run = await on.client.start(tracing, trace_context="00-trace")
            await on.until_state(run, "suspended")
        assert await on.count("select count(*) from {schema}.runs where owner is not null") == 0
        await on.tree(tracing)
        await run.signal(go, "on")
        assert await run.result(DEADLINE_S) == "00-trace"


async def test_many_results_at_once_leave_a_history_without_gaps(dsn: str, schema: str) -> None:
    """PGJ29: the owner numbers the events, wherever the results come from."""
    async with stage(dsn, schema) as on:
        await on.tree(crowd)
        run = await on.client.start(crowd, 20)
        assert await run.result(DEADLINE_S) == sum(range(20))
        assert [event.seq for event in await run.history()] == list(range(40))


async def test_an_end_that_cannot_be_written_during_an_outage_is_written_later(dsn: str, schema: str) -> None:
    """EFC1, B59: an outage of the database does not fail a run."""
    away, asked = asyncio.Event(), asyncio.Event()
    async with stage(dsn, schema) as on:
        tree = await on.tree(waiting)
        commit = tree.host.journal.once.commit

        async def failing(worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
            ends = [write.transition for write in writes if write.transition is not None]
            if not away.is_set() and any(end.state is RunState.COMPLETED for end in ends):
                asked.set()
                raise JournalUnavailable("the connection is gone")
            return await commit(worker, batch, writes)

        replace_call(tree.host, "commit", failing)
        run = await on.client.start(waiting)
        await run.signal(go, "done")
        async with asyncio.timeout(DEADLINE_S):
            await asked.wait()
        row = await run.get()
        assert (row.state in ("running", "suspended"), row.error, row.completed_at) == (True, None, None)
        away.set()
        assert await run.result(DEADLINE_S) == "done"


async def test_listening_begins_when_the_server_allows_it(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TMW1, B39: no actor dies of it, and what was missed meanwhile is found without a poll."""
    listen, listening, refused = Database.listen, asyncio.Event(), asyncio.Event()

    async def failing(database: Database, channels: list[str]) -> Any:
        if not listening.is_set() and any("wake" in channel for channel in channels):
            refused.set()
            raise JournalUnavailable("too many connections")
        return await listen(database, channels)

    monkeypatch.setattr(Database, "listen", failing)
    async with stage(dsn, schema) as on:
        before = await on.client.start(waiting)
        await before.signal(go, "on")
        tree = await on.tree(waiting, settings=Settings(lease_ttl=LONG_LEASE_S, poll=RARELY_S))
        router = tree.actor("router")
        # What was there is found; what comes now causes no notification.
        assert await before.result(DEADLINE_S) == "on"
        run = await on.client.start(waiting)
        await run.signal(go, "on")
        async with asyncio.timeout(DEADLINE_S):
            await refused.wait()
        listening.set()
        assert await run.result(DEADLINE_S) == "on"
        assert tree.actor("router") is router
