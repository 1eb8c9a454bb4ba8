"""What the journal stores of an activity, however it ends: its task, its events, its shared result."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from continuum import ActivityError, Event, Retry, RunCancelled, RunHandle, Signal, activity, workflow
from continuum import activity_context as context
from continuum.settings.settings import Settings
from continuum_actors.host import limits
from tests.process.actors.hosting import DEADLINE_S, LONG_LEASE_S, Stage, eventually, results, stage

go = Signal("go", str)
calls: Counter[str] = Counter()
gates: dict[str, asyncio.Event] = {}
# The size of a whole error, so that neither a history nor a reader is flooded.
ERROR_BYTES = 64 * 1024


class Declined(Exception):
    """An exception with fields."""

    def __init__(self, card: str, balance: int) -> None:
        super().__init__(f"card {card} has {balance}")


class Unspeakable(Exception):
    """An exception whose message cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@activity(name="tasks.routed", queue="slow", priority=1)
async def routed() -> None:
    """Go through a queue."""


@workflow(name="tasks.routing")
async def routing() -> None:
    """Use the queue of the activity, and one that the call names."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_routed_as_declared())
        group.create_task(_routed_as_called())


async def _routed_as_declared() -> None:
    await routed()


async def _routed_as_called() -> None:
    await routed.options(queue="urgent", priority=7)()


async def test_a_call_overrides_the_queue_and_priority_of_its_activity(dsn: str, schema: str) -> None:
    """ACT2"""
    async with stage(dsn, schema) as on:
        tree = await on.tree(routing, settings=Settings(lease_ttl=LONG_LEASE_S, claimed_tasks=0))
        run = await on.client.start(routing)
        await on.until(lambda: on.holds("select count(*) = 2 from {schema}.tasks"), "no tasks")
        stored = await on.sql("select queue, priority from {schema}.tasks order by seq")
        assert stored == [("slow", 1), ("urgent", 7)]
        plain, called = [event.payload for event in await run.history()]
        assert (plain["options"], called["options"]) == (None, {"queue": "urgent", "priority": 7})
        assert tree.host.runs.whereis(run.id) is not None


FAILURES: dict[str, Callable[[], BaseException]] = {
    "raise": lambda: ValueError(object()),
    "exit": lambda: SystemExit(3),
    "interrupt": lambda: KeyboardInterrupt(),
    "oversize": lambda: ValueError("\udc80\0" * 1_000_000),
    "unspeakable": lambda: Unspeakable(),
}


def failure(how: str) -> BaseException:
    """Return a new exception."""
    return FAILURES[how]()


@activity(name="tasks.failing")
async def failing(how: str) -> None:
    """Fail."""
    raise failure(how)


@activity(name="tasks.failing_apart", queue="apart")
def failing_apart(how: str) -> None:
    """Fail in a thread, through a queue."""
    raise failure(how)


@workflow(name="tasks.telling")
async def telling(how: str, queued: bool) -> tuple[str, str, str, int]:
    """Return how an activity failed."""
    try:
        await (failing_apart(how) if queued else failing(how))
    except ActivityError as error:
        return error.type, error.message, error.traceback, error.attempt
    raise AssertionError("it did not fail")


async def failure_of(run: RunHandle[Any]) -> Event:
    """Return the event of the one failure of a run."""
    (failed,) = [event for event in await run.history() if event.type == "activity_failed"]
    return failed


@pytest.mark.parametrize("queued", [False, True], ids=["own", "queued"])
@pytest.mark.parametrize(
    ("how", "type", "message"),
    [
        ("raise", "ValueError", "<object object at"),
        ("exit", "SystemExit", "3"),
        ("interrupt", "KeyboardInterrupt", ""),
        ("oversize", "ValueError", "\\udc80\\x00\\udc80"),
        ("unspeakable", "Unspeakable", "<its message cannot be read: RuntimeError>"),
    ],
)
async def test_any_exception_of_an_activity_is_stored_as_a_bounded_failure(
    how: str, type: str, message: str, queued: bool, dsn: str, schema: str
) -> None:
    """ACT4, B23: any exception, with any content; the process survives."""
    async with stage(dsn, schema) as on:
        await on.tree(telling)
        run = await on.client.start(telling, how, queued)
        reported = await run.result(DEADLINE_S)
        assert reported[0].endswith(type)
        assert reported[1].startswith(message)
        assert len(reported[1]) <= limits.ERROR_TEXT_CHARACTERS
        assert len(reported[2]) <= limits.TRACEBACK_CHARACTERS
        assert await on.count("select max(octet_length(payload)) from {schema}.events") < ERROR_BYTES


@activity(name="tasks.declining", queue="apart", retry=Retry(max_attempts=2, base=0.0, max_backoff=0.0))
def declining() -> None:
    """Fail with an exception that has fields."""
    raise Declined("4711", 5)


@workflow(name="tasks.paying")
async def paying() -> tuple[str, str, str, int]:
    """Return how it was declined."""
    try:
        await declining()
    except ActivityError as error:
        return error.type, error.message, error.traceback, error.attempt
    raise AssertionError("it was not declined")


async def test_the_journal_and_the_code_see_the_same_facts_of_an_exception(dsn: str, schema: str) -> None:
    """ACT12: facts only; no exception object is ever stored."""
    async with stage(dsn, schema) as on:
        await on.tree(paying)
        run = await on.client.start(paying)
        type, message, traceback, attempt = await run.result(DEADLINE_S)
        assert (type.rpartition(".")[2], message, attempt) == ("Declined", "card 4711 has 5", 2)
        assert 'raise Declined("4711", 5)' in traceback
        payload = (await failure_of(run)).payload
        assert [payload[fact] for fact in ("type", "message", "traceback", "attempt")] == [
            type,
            message,
            traceback,
            attempt,
        ]


@activity(name="tasks.leaking", retry=Retry(max_attempts=5, base=0.0, max_backoff=0.0))
async def leaking(name: str) -> Any:
    """Return a value that cannot be stored."""
    calls[name] += 1
    return {"open": [asyncio.Event()]}


@activity(name="tasks.leaking_apart", queue="apart", retry=Retry(max_attempts=5, base=0.0, max_backoff=0.0))
async def leaking_apart(name: str) -> Any:
    """Return a value that cannot be stored, through a queue."""
    return await leaking.fn(name)


@workflow(name="tasks.receiving")
async def receiving(name: str, queued: bool) -> tuple[str, str, int]:
    """Return how an activity failed that had done its work."""
    try:
        await (leaking_apart(name) if queued else leaking(name))
    except ActivityError as error:
        return error.type, error.message, error.attempt
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("queued", [False, True], ids=["own", "queued"])
async def test_a_result_that_cannot_be_stored_fails_the_activity_without_a_retry(
    queued: bool, dsn: str, schema: str
) -> None:
    """ACT3, B24"""
    name = f"leaking {queued}"
    async with stage(dsn, schema) as on:
        await on.tree(receiving)
        run = await on.client.start(receiving, name, queued)
        type, message, attempt = await run.result(DEADLINE_S)
        assert type == "continuum.DurableTermError"
        assert ".open[0]: a value of type asyncio.locks.Event cannot be stored" in message
        assert (attempt, calls[name]) == (1, 1)
        assert [event.type for event in await run.history()] == ["activity_scheduled", "activity_failed"]
        assert await on.count("select count(*) from {schema}.tasks") == 0


@activity(name="tasks.charge", idempotency_key="charge:{order}")
async def charge(order: str, mark: str) -> str:
    """Charge, and end when the test allows it."""
    calls[mark] += 1
    await gates[mark].wait()
    return mark


@activity(name="tasks.plain")
async def plain() -> str:
    """Do something without a key."""
    return "done"


@workflow(name="tasks.charging")
async def charging(order: str, mark: str) -> str:
    """Charge, wait, and return whose charge it was."""
    charged = await charge(order, mark)
    await go.wait()
    return charged


@workflow(name="tasks.without_key")
async def without_key() -> str:
    """Do something without a key."""
    return await plain()


async def test_two_concurrent_calls_with_one_key_journal_the_first_result(dsn: str, schema: str) -> None:
    """ACT6"""
    for mark in ("first", "second"):
        gates[mark] = asyncio.Event()
    async with stage(dsn, schema) as on:
        await on.tree(charging)
        runs = [await on.client.start(charging, "o1", mark) for mark in ("first", "second")]
        await eventually(lambda: calls["first"] == calls["second"] == 1, "they do not run at once")
        gates["first"].set()
        await on.until_state(runs[0], "suspended")
        gates["second"].set()
        await on.until_state(runs[1], "suspended")
        for run in runs:
            assert [event.payload.get("result") for event in await run.history()] == [None, "first"]
            await run.signal(go, "on")
        assert await results(runs) == ["first", "first"]


async def test_a_stored_result_is_journaled_without_another_call(dsn: str, schema: str) -> None:
    """ACT5, ACT10, PGJ8: a result in the history holds even when the shared result is gone."""
    gates["only"] = asyncio.Event()
    gates["only"].set()
    async with stage(dsn, schema) as on:
        async with on.alone(charging):
            one = await on.client.start(charging, "o2", "only")
            await on.until_state(one, "suspended")
            other = await on.client.start(charging, "o2", "never called")
            await on.until_state(other, "suspended")
        assert [event.payload.get("result") for event in await other.history()] == [None, "only"]
        await on.sql("delete from {schema}.activity_results")
        await on.tree(charging)
        for run in (one, other):
            await run.signal(go, "on")
        assert await results([one, other]) == ["only", "only"]
        assert (calls["only"], calls["never called"]) == (1, 0)


async def test_a_result_without_a_key_is_not_shared(dsn: str, schema: str) -> None:
    """ACT9"""
    async with stage(dsn, schema) as on:
        await on.tree(without_key)
        assert await (await on.client.start(without_key)).result(DEADLINE_S) == "done"
        assert await on.count("select count(*) from {schema}.activity_results") == 0


async def completed_without_notifications(on: Stage, how: str) -> RunHandle[Any]:
    """Run a queued activity whose result causes no notification."""
    settings = Settings(lease_ttl=LONG_LEASE_S, poll=0.1)
    await on.tree(telling, settings=settings, listen=False)
    return await on.client.start(telling, how, True)


async def test_a_failure_whose_notification_is_lost_is_found(dsn: str, schema: str) -> None:
    """ACT8: the result is in the inbox, and the notification about it is lost."""
    async with stage(dsn, schema) as on:
        run = await completed_without_notifications(on, "raise")
        assert (await run.result(DEADLINE_S))[0] == "ValueError"


@activity(name="tasks.polling")
async def polling(name: str) -> str:
    """Poll until the run no longer waits."""
    calls[f"{name} began"] += 1
    here = context()
    while not here.cancelled:  # noqa: ASYNC110 - it polls, as user code does
        await asyncio.sleep(0)
    calls[f"{name} noticed"] += 1
    return "too late"


@workflow(name="tasks.cancelled")
async def cancelled(name: str) -> str:
    """Run one long activity."""
    return await polling(name)


@activity(name="tasks.beating", queue="mail")
async def beating(name: str) -> str:
    """Poll until the run no longer waits, and send heartbeats."""
    calls[f"{name} began"] += 1
    here = context()
    while not here.cancelled:
        here.heartbeat("still at it")
        await asyncio.sleep(0)
    calls[f"{name} noticed"] += 1
    return "too late"


@workflow(name="tasks.queued_and_cancelled")
async def queued_and_cancelled(name: str) -> str:
    """Run one long activity through a queue."""
    return await beating(name)


@pytest.mark.parametrize("force", [False, True], ids=["asked", "forced"])
async def test_a_heartbeat_tells_a_queued_activity_that_its_run_was_cancelled(
    force: bool, dsn: str, schema: str
) -> None:
    name = f"queued and cancelled {force}"
    async with stage(dsn, schema) as on:
        await on.tree(queued_and_cancelled)
        run = await on.client.start(queued_and_cancelled, name)
        await eventually(lambda: calls[f"{name} began"] == 1, "it does not begin")
        await run.cancel(force=force)
        with pytest.raises(RunCancelled):
            await run.result(DEADLINE_S)
        await eventually(lambda: calls[f"{name} noticed"] == 1, "it does not notice")


@pytest.mark.parametrize("force", [False, True], ids=["asked", "forced"])
async def test_an_activity_can_see_that_its_run_was_cancelled(force: bool, dsn: str, schema: str) -> None:
    """ACT24: its result is then ignored."""
    name = f"cancelled {force}"
    async with stage(dsn, schema) as on:
        await on.tree(cancelled)
        run = await on.client.start(cancelled, name)
        await eventually(lambda: calls[f"{name} began"] == 1, "it does not begin")
        await run.cancel(force=force)
        with pytest.raises(RunCancelled):
            await run.result(DEADLINE_S)
        await eventually(lambda: calls[f"{name} noticed"] == 1, "it does not notice")
        assert await on.state_of(run) == "cancelled"
        assert "activity_completed" not in [event.type for event in await run.history()]
