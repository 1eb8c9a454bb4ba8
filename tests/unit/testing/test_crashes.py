"""`crash_everywhere`: a test survives every crash of the engine, or the failure names the crash."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import pytest

from continuum import ActivityError, activity, workflow
from continuum.errors import InvalidOption
from continuum.testing import CrashFound, Environment, StillWaiting, crash_everywhere, env
from continuum.testing.crashes import SEED_VARIABLE
from tests.unit.testing import flows

charged: list[str] = []
executions: Iterator[int] = count()


@pytest.fixture(autouse=True)
def no_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SEED_VARIABLE, raising=False)


@activity(name="testing_charge_twice")
async def charge_carelessly(order: str) -> None:
    """Charge, without an idempotency key."""
    charged.append(order)


@activity(name="testing_charge_once", at_most_once=True)
async def charge_once(order: str) -> None:
    """Charge at most once."""
    charged.append(order)


@workflow(name="testing_careless")
async def careless(order: str) -> None:
    """Charge with an activity that is not idempotent."""
    await charge_carelessly(order)


@workflow(name="testing_careful")
async def careful(order: str) -> str:
    """Charge at most once, and return the error type if the outcome is unknown."""
    try:
        await charge_once(order)
    except ActivityError as error:
        return error.type
    return "charged"


@workflow(name="testing_unrepeatable")
async def unrepeatable() -> None:
    """Call another activity after a crash."""
    other = next(executions) % 2  # continuum: allow CT302
    await (flows.charge("o1", 1) if other else flows.ship("o1"))


def test_a_test_runs_undisturbed_and_then_once_per_crash() -> None:
    runs: list[Environment] = []

    @crash_everywhere
    async def scenario(continuum_env: Environment) -> None:
        runs.append(continuum_env)
        run = await continuum_env.start(flows.order_flow, "o1")
        await continuum_env.advance(timedelta(hours=1))
        await run.signal(flows.review, "fine")
        assert await run.result() == "track-o1 2"

    asyncio.run(scenario())
    points = len(runs[0].moments)
    assert points >= 10
    assert len(runs) > points
    assert len({id(run) for run in runs}) == len(runs)


def test_children_and_chains_survive_crashes() -> None:
    """CNT4: exactly one successor."""

    @crash_everywhere(seeds=2)
    async def scenario(env: Environment) -> None:
        child = await env.start(flows.parent, "o1")
        chain = await env.start(flows.countdown, 2)
        await env.advance(timedelta(days=2))
        assert await child.result() == "child: track-o1 2"
        assert await chain.result() == "over"
        assert len((await env.query(limit=50)).entries) == 5

    asyncio.run(scenario())


def test_crashes_find_an_activity_that_runs_twice() -> None:
    @crash_everywhere
    async def scenario(env: Environment) -> None:
        charged.clear()
        run = await env.start(careless, "o1")
        await run.result()
        assert charged == ["o1"]

    with pytest.raises(CrashFound) as found:
        asyncio.run(scenario())
    message = str(found.value)
    assert "fails with seed 0 when the engine is killed before a commit" in message
    assert "activity_completed" in message
    assert "AssertionError" in message
    assert f"{SEED_VARIABLE}=0:{found.value.crashes[0]}" in message


def test_a_found_crash_can_be_repeated_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []

    @crash_everywhere(seeds=[3, 4])
    async def scenario(env: Environment) -> None:
        runs.append(1)
        charged.clear()
        await (await env.start(careless, "o1")).result()
        assert charged == ["o1"]

    with pytest.raises(CrashFound) as found:
        asyncio.run(scenario())
    runs.clear()
    monkeypatch.setenv(SEED_VARIABLE, f"{found.value.seed}:{found.value.crashes[0]}")
    with pytest.raises(CrashFound) as again:
        asyncio.run(scenario())
    assert len(runs) == 1
    assert (again.value.seed, again.value.crashes) == (3, found.value.crashes)


def test_an_activity_with_at_most_once_runs_at_most_once() -> None:
    outcomes: set[str] = set()

    @crash_everywhere
    async def scenario(env: Environment) -> None:
        charged.clear()
        outcome = await (await env.start(careful, "o1")).result()
        assert len(charged) == 1 or (outcome == "ProcessCrashed" and not charged)
        outcomes.add(outcome)

    asyncio.run(scenario())
    assert outcomes == {"charged", "ProcessCrashed"}


def test_crashes_find_code_that_is_not_deterministic() -> None:
    @crash_everywhere
    async def scenario(env: Environment) -> None:
        global executions
        executions = count()
        await (await env.start(unrepeatable)).result()

    with pytest.raises(CrashFound, match=r"killed after a commit .* is blocked: drift") as found:
        asyncio.run(scenario())
    assert isinstance(found.value.__cause__, StillWaiting)


def test_a_failure_without_a_crash_is_reported_as_such() -> None:
    @crash_everywhere
    async def scenario(env: Environment) -> None:
        raise AssertionError("as it is")

    with pytest.raises(CrashFound, match="without any crash: AssertionError: as it is"):
        asyncio.run(scenario())


def test_a_hanging_test_ends_after_the_timeout() -> None:
    @crash_everywhere(timeout=0.05)
    async def scenario(env: Environment) -> None:
        await asyncio.Event().wait()

    with pytest.raises(CrashFound, match="TimeoutError"):
        asyncio.run(scenario())


def test_mocks_survive_crashes() -> None:
    @crash_everywhere
    async def scenario(env: Environment) -> None:
        with env.mock_activity(flows.ship, lambda order: "mocked") as shipped:
            run = await env.start(flows.order_flow, "o1")
            assert await run.result(timeout=timedelta(days=2)) == "mocked 2"
            assert shipped.calls

    asyncio.run(scenario())


def test_most_limits_the_number_of_runs() -> None:
    runs: list[int] = []

    @crash_everywhere(most=3)
    async def scenario(env: Environment) -> None:
        runs.append(1)
        await (await env.start(careful, "o1")).result()

    asyncio.run(scenario())
    assert len(runs) <= 1 + 3 + 5


def order_of_completions(seed: int) -> list[int]:
    """Run ten activities at once and return the order in which they completed."""

    async def main() -> list[int]:
        async with env(seed=seed) as environment:
            run = await environment.start(crowd)
            await run.result()
            history = await environment.history(run.id)
            return [e.payload["scheduled"] for e in history if e.type == "activity_completed"]

    return asyncio.run(main())


@workflow(name="testing_crowd")
async def crowd() -> None:
    """Call ten activities at once."""
    await asyncio.gather(*(flows.charge(f"o{number}", 1) for number in range(10)))


def test_a_seed_shuffles_completions_in_a_repeatable_way() -> None:
    orders = [order_of_completions(seed) for seed in range(3)]
    assert orders == [order_of_completions(seed) for seed in range(3)]
    assert len({tuple(order) for order in orders}) == 3


def test_crash_everywhere_refuses_a_test_without_an_environment() -> None:
    with pytest.raises(InvalidOption, match="takes continuum_env"):

        @crash_everywhere
        async def without() -> None: ...

    with pytest.raises(InvalidOption, match="async def"):
        crash_everywhere(lambda env: None)  # type: ignore[arg-type, return-value]


def test_an_invalid_seed_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    @crash_everywhere
    async def scenario(env: Environment) -> None: ...

    monkeypatch.setenv(SEED_VARIABLE, "seven")
    with pytest.raises(InvalidOption, match="seed:moment"):
        asyncio.run(scenario())
