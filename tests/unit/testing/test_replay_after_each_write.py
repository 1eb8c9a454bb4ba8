"""The paranoid mode replays every run after each of its writes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import pytest

from continuum import ChildFailed, workflow
from continuum.testing import env, replay_after_each_write
from tests.unit.testing import flows

world: Iterator[int] = count()


@workflow(name="testing_fickle")
async def fickle() -> str:
    """Call another activity each time it is executed."""
    other = next(world) % 2  # continuum: allow CT302
    if other:
        return await flows.ship("o1")
    return await flows.charge("o1", 1)


@workflow(name="testing_moody")
async def moody() -> int:
    """Do the same each time, but return another result."""
    await flows.ship("o1")
    return next(world)  # continuum: allow CT302


@workflow(name="testing_hasty")
async def hasty() -> str:
    """Start a child and cancel it at once."""
    child = await flows.parent.start_child("o1")
    child.cancel()
    try:
        return await child
    except ChildFailed as error:
        return error.run_id


def test_runs_that_replay_pass() -> None:
    """PAR7: also children and continued runs (B13, CNT6)."""

    async def main() -> None:
        async with env(paranoid=True) as environment:
            child = await environment.start(flows.parent, "o1")
            chain = await environment.start(flows.countdown, 3)
            await environment.advance(timedelta(days=2))
            assert await child.result() == "child: track-o1 2"
            assert await chain.result() == "over"

    asyncio.run(main())


def test_a_run_that_would_drift_fails_at_once() -> None:
    async def main() -> None:
        async with env(paranoid=True) as environment:
            await environment.start(fickle)
            with pytest.raises(AssertionError, match="testing_fickle after one of its writes: at event 0"):
                await environment.settle()

    asyncio.run(main())


def test_a_run_with_another_result_fails() -> None:
    async def main() -> None:
        async with env(paranoid=True) as environment:
            await environment.start(moody)
            with pytest.raises(AssertionError, match=r"the run returned .*, and the code returns"):
                await environment.settle()

    asyncio.run(main())


def test_a_run_ended_from_outside_passes() -> None:
    """By force, and by a request to stop before its code began: neither leaves an event."""

    async def main() -> None:
        async with env(paranoid=True) as environment:
            forced = await environment.start(flows.stuck_flow)
            await environment.settle()
            await forced.cancel(force=True)
            asked = await (await environment.start(hasty)).result()
            assert await forced.state() == "cancelled"
            assert (await environment.get_run(asked)).state == "cancelled"
            assert await environment.history(asked) == []

    asyncio.run(main())


def test_a_mismatch_is_reported_when_the_environment_closes() -> None:
    async def main() -> None:
        async with env(paranoid=True) as environment:
            await environment.start(fickle)
            for _ in range(100):
                await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="testing_fickle"):
        asyncio.run(main())


def test_nothing_is_replayed_unless_paranoid() -> None:
    async def main() -> None:
        async with env(paranoid=False) as environment:
            run = await environment.start(fickle)
            assert await run.result()

    asyncio.run(main())


def test_the_environment_variable_turns_paranoid_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """PAR1."""
    monkeypatch.setenv(replay_after_each_write.VARIABLE, "yes")
    assert replay_after_each_write.paranoid_by_default()
    monkeypatch.setenv(replay_after_each_write.VARIABLE, "0")
    assert not replay_after_each_write.paranoid_by_default()
    monkeypatch.delenv(replay_after_each_write.VARIABLE)
    replay_after_each_write.turn_on()
    try:
        assert replay_after_each_write.paranoid_by_default()
    finally:
        replay_after_each_write.turn_off()
