"""How activities end, and with them their runs: errors, retries, timeouts, keys, crashes."""

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
    """Not worth another try."""


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
    """Raise without a word."""
    if how == "raise":
        raise LookupError
    async with asyncio.timeout(0.01):
        await asyncio.Event().wait()


@pytest.mark.parametrize(("how", "type", "line"), [("raise", "LookupError", 4), ("wait", "TimeoutError", 5)])
async def test_a_run_that_raises_without_a_word_says_where(
    how: str, type: str, line: int, dsn: str, schema: str
) -> None:
    """A timeout is told in the workflow's own line, not in that of asyncio."""
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
    """End with what no journal holds."""
    if how == "raises":
        raise ValueError("\udc80" * 100_000, object())
    return {"event": asyncio.Event()}


@pytest.mark.parametrize(
    ("how", "type"), [("returns", "continuum.DurableTermError"), ("raises", "ValueError")]
)
async def test_an_end_that_cannot_be_stored_is_a_failure_that_can(
    how: str, type: str, dsn: str, schema: str
) -> None:
    """C2: and is reached once, by the first who executes it."""
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
    """Do what fails twice."""
    return await flaky()


async def test_an_activity_is_tried_again_after_a_back_off(dsn: str, schema: str) -> None:
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
    """Outlast its time in the loop."""
    await asyncio.Event().wait()


released = threading.Event()


@activity(name="outcomes.slow_thread", timeout=0.05)
def slow_thread() -> None:
    """Outlast its time in a thread."""
    released.wait()


@workflow(name="outcomes.telling")
async def telling(which: str) -> tuple[str, str, int]:
    """Tell how an activity failed."""
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


async def test_an_exception_that_is_not_retryable_ends_it_at_once(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(telling)
        type, message, attempt = await (await on.client.start(telling, "declining")).result(DEADLINE_S)
        assert type.endswith("Declined")
        assert (message, attempt) == ("no", 1)


@pytest.mark.parametrize("which", ["slow", "slow_thread"])
async def test_an_attempt_that_outlasts_its_time_fails_with_a_timeout(
    which: str, dsn: str, schema: str
) -> None:
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
    """Leave progress behind and fail, then tell what is left."""
    context = activity_context()
    if context.attempt == 1:
        context.heartbeat({"page": 6})
        context.heartbeat({"page": 7})
        raise ConnectionError("gone")
    return context.last_heartbeat


@workflow(name="outcomes.resuming")
async def resuming() -> object:
    """Do what resumes."""
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


async def test_a_key_makes_two_runs_share_one_execution(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(charging)
        assert await (await on.client.start(charging, "o1")).result(DEADLINE_S) == 1
        assert await (await on.client.start(charging, "o1")).result(DEADLINE_S) == 1
        assert calls["o1"] == 1


@activity(name="outcomes.endless")
async def endless(name: str) -> None:
    """Note that it began, and never end."""
    calls[name] += 1
    await asyncio.Event().wait()


@workflow(name="outcomes.risking")
async def risking(name: str, once: bool) -> str:
    """Do something that its process does not survive."""
    try:
        await endless.options(at_most_once=once)(name)
    except ActivityError as error:
        return f"{error.type}: {error.message}"
    return "survived"


async def crash_while_it_runs(tree: Tree, name: str, call: int) -> None:
    """Lose what runs here, as a death of the process would."""
    await eventually(lambda: calls[name] >= call, f"{name} does not run for the {call}. time")
    await tree.kill("activities")


async def test_at_most_once_a_crash_fails_the_activity_instead_of_running_it_again(
    dsn: str, schema: str
) -> None:
    """ACT19"""
    async with stage(dsn, schema) as on:
        tree = await on.tree(risking)
        run = await on.client.start(risking, "once", True)
        await crash_while_it_runs(tree, "once", 1)
        assert (await run.result(DEADLINE_S)).startswith("ProcessCrashed")
        assert calls["once"] == 1


async def test_an_activity_that_its_process_never_survives_is_given_up_at_the_limit(
    dsn: str, schema: str
) -> None:
    """B19"""
    async with stage(dsn, schema) as on:
        tree = await on.tree(risking)
        run = await on.client.start(risking, "often", False)
        for call in range(1, CRASH_LIMIT + 2):
            await crash_while_it_runs(tree, "often", call)
        assert (await run.result(DEADLINE_S)).startswith("ProcessCrashed")
        assert calls["often"] == CRASH_LIMIT + 1
