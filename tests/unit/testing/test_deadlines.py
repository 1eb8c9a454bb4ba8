"""Deadlines on the clock of an environment: of an attempt, of its silence, and of all attempts together."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from continuum import ActivityError, Retry, activity, activity_context, workflow
from continuum.testing import Environment, env

OFTEN = Retry(max_attempts=100, base=10.0, backoff="constant")
attempts: list[int] = []


@activity(name="limits.waits", heartbeat_timeout=5)
async def waits() -> None:
    """Wait for ever without a heartbeat."""
    attempts.append(activity_context().attempt)
    await asyncio.get_running_loop().create_future()


@activity(name="limits.queued", heartbeat_timeout=5, queue="limits")
async def queued() -> None:
    """Wait for ever without a heartbeat, as a task."""
    attempts.append(activity_context().attempt)
    await asyncio.get_running_loop().create_future()


@activity(name="limits.fails", retry=OFTEN, total_timeout=35)
async def fails() -> None:
    """Fail."""
    attempts.append(activity_context().attempt)
    raise ConnectionError("no answer")


@activity(name="limits.patient", total_timeout=timedelta(minutes=1), retry=OFTEN)
async def patient() -> None:
    """Wait for ever."""
    attempts.append(activity_context().attempt)
    await asyncio.get_running_loop().create_future()


@activity(name="limits.deaf", total_timeout=60)
async def deaf(gate: list[int]) -> None:
    """Swallow the first cancellation."""
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        attempts.append(-1)
    await asyncio.get_running_loop().create_future()


CALLED: dict[str, Any] = {
    "waits": waits,
    "queued": queued,
    "fails": fails,
    "patient": patient,
    "patient for a second": patient.options(total_timeout=1),
    "silent for a second": waits.options(heartbeat_timeout=1),
    "waits twice": waits.options(retry=Retry(max_attempts=2, base=10.0)),
}


@workflow(name="limits.calls")
async def calls(which: str) -> list[Any]:
    """Return the failure of an activity."""
    try:
        return [await CALLED[which]()]
    except ActivityError as error:
        return [error.type, error.message, error.attempt]


@workflow(name="limits.ignored")
async def ignored() -> str:
    """Call an activity that swallows its cancellation."""
    try:
        await deaf([])
    except ActivityError as error:
        return error.message
    return "no failure"


@pytest.fixture(autouse=True)
def no_attempts() -> None:
    """Forget the attempts of other tests."""
    attempts.clear()


async def passed(environment: Environment, which: str) -> tuple[list[Any], float]:
    """Return the result of a call, and the seconds that it took."""
    began = environment.now
    run = await environment.start(calls, which)
    result = await run.result(timeout=3600)
    return result, (environment.now - began).total_seconds()


@pytest.mark.parametrize(
    ("which", "failure", "seconds"),
    [
        ("waits", "no heartbeat within its heartbeat_timeout of 5 s", 5),
        ("queued", "no heartbeat within its heartbeat_timeout of 5 s", 5),
        ("silent for a second", "no heartbeat within its heartbeat_timeout of 1 s", 1),
        ("patient", "not done within its total_timeout of 60 s", 60),
        ("patient for a second", "not done within its total_timeout of 1 s", 1),
    ],
)
async def test_an_attempt_ends_at_its_deadline(which: str, failure: str, seconds: float) -> None:
    async with env() as environment:
        assert await passed(environment, which) == (["TimeoutError", failure, 1], seconds)


async def test_an_attempt_without_heartbeats_is_retried() -> None:
    async with env() as environment:
        result, seconds = await passed(environment, "waits twice")
    assert result == ["TimeoutError", "no heartbeat within its heartbeat_timeout of 5 s", 2]
    assert seconds == 20
    assert attempts == [1, 2]


async def test_a_retry_that_would_begin_after_the_total_timeout_is_not_waited_for() -> None:
    async with env() as environment:
        result, seconds = await passed(environment, "fails")
    assert result == [
        "TimeoutError",
        (
            "the next attempt would begin after its total_timeout of 35 s; "
            "the last attempt failed with ConnectionError: no answer"
        ),
        4,
    ]
    assert seconds == 30
    assert attempts == [1, 2, 3, 4]


async def test_a_heartbeat_puts_the_deadline_off() -> None:
    steps: asyncio.Queue[None] = asyncio.Queue()

    async def beats() -> None:
        while True:
            await steps.get()
            activity_context().heartbeat()

    async with env() as environment:
        with environment.mock_activity(waits, beats):
            began = environment.now
            run = await environment.start(calls, "waits")
            for _ in range(3):
                await environment.advance(4)
                steps.put_nowait(None)
                await environment.settle()
            await run.result(timeout=3600)
            assert environment.now - began == timedelta(seconds=17)


async def test_the_total_timeout_covers_the_waits_between_attempts() -> None:
    async with env() as environment:
        run = await environment.start(calls, "fails")
        await environment.advance(25)
        assert await run.state() == "suspended"
        await environment.advance(10)
        assert await run.state() == "completed"


async def test_the_total_timeout_is_answered_although_the_code_swallows_its_cancellation() -> None:
    async with env() as environment:
        run = await environment.start(ignored)
        assert await run.result(timeout=3600) == "not done within its total_timeout of 60 s"
        assert attempts == [-1]
