"""How activities and their runs end: errors, retries, timeouts, keys, crashes."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest

from continuum import ActivityError, Retry, RunFailed, activity, activity_context, workflow
from continuum.definitions.activity_options import CRASH_LIMIT
from tests.process.actors.hosting import DEADLINE_S, Tree, eventually, stage

calls: Counter[str] = Counter()


class Declined(Exception):
    """Not retryable."""


@workflow(name="outcomes.failing")
async def failing() -> None:
    """Raise."""
    raise ValueError("this order is wrong")


async def test_a_run_that_raises_fails_with_type_message_and_traceback(dsn: str, schema: str) -> None:
    """PGJ14"""
    async with stage(dsn, schema) as on:
        await on.tree(failing)
        with pytest.raises(RunFailed) as failed:
            await (await on.client.start(failing)).result(DEADLINE_S)
        assert (failed.value.type, failed.value.message) == ("ValueError", "this order is wrong")
        assert 'raise ValueError("this order is wrong")' in failed.value.traceback


@workflow(name="outcomes.wordless")
async def wordless(how: str) -> None:
    """Raise without a message."""
    if how == "raise":
        raise LookupError
    async with asyncio.timeout(0.01):
        await asyncio.Event().wait()


@pytest.mark.parametrize(("how", "type", "line"), [("raise", "LookupError", 4), ("wait", "TimeoutError", 5)])
async def test_a_run_that_raises_without_a_message_says_where(
    how: str, type: str, line: int, dsn: str, schema: str
) -> None:
    """A timeout names the line of the workflow, not that of asyncio."""
    async with stage(dsn, schema) as on:
        await on.tree(wordless)
        with pytest.raises(RunFailed) as failed:
            await (await on.client.start(wordless, how)).result(DEADLINE_S)
        place = f"{__file__}:{wordless.fn.__code__.co_firstlineno + line}"
        assert (failed.value.type, failed.value.message) == (
            type,
            f"no message, raised in wordless at {place}",
        )


@workflow(name="outcomes.unstorable")
async def unstorable(how: str) -> object:
    """End with something that cannot be stored."""
    if how == "raises":
        raise ValueError("\udc80" * 100_000, object())
    return {"event": asyncio.Event()}


@pytest.mark.parametrize(
    ("how", "type"), [("returns", "continuum.DurableTermError"), ("raises", "ValueError")]
)
async def test_a_result_or_error_that_cannot_be_stored_fails_the_run(
    how: str, type: str, dsn: str, schema: str
) -> None:
    """C2: and the run ends on its first execution."""
    async with stage(dsn, schema) as on:
        await on.tree(unstorable)
        run = await on.client.start(unstorable, how)
        with pytest.raises(RunFailed) as failed:
            await run.result(DEADLINE_S)
        assert failed.value.type == type
        assert (await on.sql("select attempt from {schema}.runs"))[0] == (1,)


@activity(name="outcomes.flaky", retry=Retry(max_attempts=3, base=0.05))
async def flaky() -> int:
    """Succeed the third time."""
    attempt = activity_context().attempt
    if attempt < 3:
        raise ConnectionError(f"attempt {attempt}")
    return attempt


@workflow(name="outcomes.patient")
async def patient() -> int:
    """Run an activity that fails twice."""
    return await flaky()


async def test_an_activity_is_retried_after_a_back_off(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(patient)
        run = await on.client.start(patient)
        assert await run.result(DEADLINE_S) == 3
        scheduled, *_, completed = await run.history()
        assert (completed.at - scheduled.at).total_seconds() >= 0.05 + 0.1


@activity(name="outcomes.declining", retry=Retry(max_attempts=9, base=60.0, non_retryable=(Declined,)))
async def declining() -> None:
    """Fail for good."""
    raise Declined("no")


@activity(name="outcomes.slow", timeout=0.05)
async def slow() -> None:
    """Exceed the timeout in the loop."""
    await asyncio.Event().wait()


released = threading.Event()


@activity(name="outcomes.slow_thread", timeout=0.05)
def slow_thread() -> None:
    """Exceed the timeout in a thread."""
    released.wait()


@workflow(name="outcomes.telling")
async def telling(which: str) -> tuple[str, str, int]:
    """Return how an activity failed."""
    try:
        if which == "declining":
            await declining()
        elif which == "slow":
            await slow()
        else:
            await slow_thread()
    except ActivityError as error:
        return error.type, error.message, error.attempt
    raise AssertionError("it did not fail")


async def test_a_non_retryable_exception_fails_the_activity_at_once(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(telling)
        type, message, attempt = await (await on.client.start(telling, "declining")).result(DEADLINE_S)
        assert type.endswith("Declined")
        assert (message, attempt) == ("no", 1)


@pytest.mark.parametrize("which", ["slow", "slow_thread"])
async def test_an_attempt_that_exceeds_its_timeout_fails(which: str, dsn: str, schema: str) -> None:
    released.clear()
    try:
        async with stage(dsn, schema) as on:
            await on.tree(telling)
            type, message, _ = await (await on.client.start(telling, which)).result(DEADLINE_S)
            assert (type, message) == ("TimeoutError", "not done within its timeout of 0.05 s")
    finally:
        released.set()


@activity(name="outcomes.progressing", retry=Retry(max_attempts=2, base=0.0))
async def progressing() -> object:
    """Send a heartbeat and fail, then return the last heartbeat."""
    context = activity_context()
    if context.attempt == 1:
        context.heartbeat({"page": 6})
        context.heartbeat({"page": 7})
        raise ConnectionError("gone")
    return context.last_heartbeat


@workflow(name="outcomes.resuming")
async def resuming() -> object:
    """Run an activity that resumes."""
    return await progressing()


async def test_the_next_attempt_sees_the_latest_heartbeat(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(resuming)
        assert await (await on.client.start(resuming)).result(DEADLINE_S) == {"page": 7}


@activity(name="outcomes.keyed", idempotency_key="charge:{order}")
async def keyed(order: str) -> int:
    """Count the calls."""
    calls[order] += 1
    return calls[order]


@workflow(name="outcomes.charging")
async def charging(order: str) -> int:
    """Charge once."""
    return await keyed(order)


async def test_two_runs_with_one_key_share_one_execution(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(charging)
        assert await (await on.client.start(charging, "o1")).result(DEADLINE_S) == 1
        assert await (await on.client.start(charging, "o1")).result(DEADLINE_S) == 1
        assert calls["o1"] == 1


@activity(name="outcomes.endless")
async def endless(name: str) -> None:
    """Record that it began, and never end."""
    calls[name] += 1
    await asyncio.Event().wait()


@workflow(name="outcomes.risking")
async def risking(name: str, once: bool) -> str:
    """Run an activity that its process does not survive."""
    try:
        await endless.options(at_most_once=once)(name)
    except ActivityError as error:
        return f"{error.type}: {error.message}"
    return "survived"


async def crash_while_it_runs(tree: Tree, name: str, call: int) -> None:
    """Lose the running activities, as the death of the process would."""
    await eventually(lambda: calls[name] >= call, f"{name} does not run for the {call}. time")
    await tree.lose_activities()


async def test_a_crash_fails_an_activity_that_runs_at_most_once(dsn: str, schema: str) -> None:
    """ACT19"""
    async with stage(dsn, schema) as on:
        tree = await on.tree(risking)
        run = await on.client.start(risking, "once", True)
        await crash_while_it_runs(tree, "once", 1)
        assert (await run.result(DEADLINE_S)).startswith("ProcessCrashed")
        assert calls["once"] == 1


async def test_an_activity_is_started_again_for_ever_when_others_kill_its_process(
    dsn: str, schema: str
) -> None:
    """B19"""
    async with stage(dsn, schema) as on:
        tree = await on.tree(risking)
        run = await on.client.start(risking, "often", False)
        for call in range(1, CRASH_LIMIT + 2):
            await crash_while_it_runs(tree, "often", call)
        await eventually(lambda: calls["often"] == CRASH_LIMIT + 2, "it was not started again")
        assert "activity_crashed" not in [event.type for event in await run.history()]
