"""A timeout or duration that is none is refused wherever one is taken."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

import continuum
from continuum import InvalidDefinition, InvalidOption, Retry, RunFailed, Signal, activity, workflow
from continuum.engine.retry import backoff_delay, seconds
from continuum.testing import Environment, env
from tests.unit.client.working import greeting, memory_client

NEGATIVE = [-1, -0.5, timedelta(seconds=-1)]
NO_NUMBERS = ["0.1", float("nan"), True, b"1", [1]]
NONE_OF_THEM = [*NEGATIVE, *NO_NUMBERS]

go = Signal("go", int)


@workflow(name="durations.sleeps")
async def sleeps(duration: Any) -> None:
    await continuum.sleep(duration)


@workflow(name="durations.waits", signals=[go])
async def waits(duration: Any) -> int:
    return await go.wait(duration)


async def _result_of_client(duration: Any) -> None:
    async with memory_client() as (client, _):
        run = await client.start(greeting, "ann")
        await run.result(timeout=duration)


async def _awaited_by_client(duration: Any) -> None:
    async with memory_client() as (client, _):
        await client.await_run((await client.start(greeting, "ann")).id, duration)


async def _result_in_environment(environment: Environment, duration: Any) -> None:
    run = await environment.start(waits, 5)
    await run.result(timeout=duration)


@pytest.mark.parametrize("duration", NONE_OF_THEM, ids=repr)
@pytest.mark.parametrize("call", [_result_of_client, _awaited_by_client])
def test_a_client_refuses_an_invalid_timeout(call: Any, duration: Any) -> None:
    with pytest.raises(InvalidOption, match="a duration is"):
        asyncio.run(call(duration))


@pytest.mark.parametrize("duration", NONE_OF_THEM, ids=repr)
def test_an_environment_refuses_an_invalid_duration(duration: Any) -> None:
    async def main() -> None:
        async with env() as environment:
            with pytest.raises((InvalidOption, ValueError), match=r"a duration is|does not go back"):
                await environment.advance(duration)
            with pytest.raises(InvalidOption, match="a duration is"):
                await _result_in_environment(environment, duration)

    asyncio.run(main())


@pytest.mark.parametrize("duration", NEGATIVE, ids=repr)
def test_a_sleep_of_less_than_nothing_returns_at_once(duration: Any) -> None:
    """The rest of a deadline is negative once the deadline has passed."""

    async def main() -> None:
        async with env() as environment:
            run = await environment.start(sleeps, duration)
            before = environment.now
            await run.result()
            assert environment.now == before

    asyncio.run(main())


@pytest.mark.parametrize(
    ("flow", "duration"),
    [*((sleeps, each) for each in NO_NUMBERS), *((waits, each) for each in NONE_OF_THEM)],
    ids=repr,
)
def test_a_run_that_waits_for_an_invalid_duration_fails(flow: Any, duration: Any) -> None:
    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flow, duration)
            with pytest.raises(RunFailed, match="a duration is"):
                await run.result()

    asyncio.run(main())


@pytest.mark.parametrize("name", ["timeout", "heartbeat_timeout", "total_timeout"])
@pytest.mark.parametrize("duration", [*NONE_OF_THEM, 0, float("inf"), 10.0**9], ids=repr)
def test_an_activity_refuses_an_invalid_timeout(name: str, duration: Any) -> None:
    with pytest.raises(InvalidDefinition, match=f"^{name} must be from 0"):
        activity(**{name: duration})


@pytest.mark.parametrize("name", ["base", "max_backoff"])
@pytest.mark.parametrize("duration", NONE_OF_THEM, ids=repr)
def test_a_retry_refuses_an_invalid_delay(name: str, duration: Any) -> None:
    with pytest.raises(InvalidDefinition, match=f"^Retry.{name}: a duration is"):
        Retry(**{name: duration})


def test_a_retry_takes_every_form_of_a_duration() -> None:
    policy = Retry(max_attempts=3, base=timedelta(seconds=2), max_backoff=Decimal(60))  # type: ignore[arg-type]
    assert policy == Retry(max_attempts=3, base=2.0, max_backoff=60.0)
    assert backoff_delay(policy, 2, 0.0) == 4.0


@pytest.mark.parametrize("attempts", [0, -1, 1.5, True, 10**12, "3"], ids=repr)
def test_a_retry_refuses_an_absurd_number_of_attempts(attempts: Any) -> None:
    with pytest.raises(InvalidDefinition, match="max_attempts must be a whole number from 1 to"):
        Retry(max_attempts=attempts)


@pytest.mark.parametrize("duration", [0, 2, 2.5, Decimal(2), timedelta(0), float("inf")], ids=repr)
def test_numbers_and_timedeltas_from_zero_are_durations(duration: Any) -> None:
    expected = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    assert seconds(duration) == expected
