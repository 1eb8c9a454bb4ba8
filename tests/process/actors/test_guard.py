"""A run that reaches outside through code that no scan sees fails with a remedy; its activities may."""

from __future__ import annotations

import pytest

import continuum
from continuum import RunFailed, activity, workflow
from tests.process.actors.hosting import DEADLINE_S, stage
from tests.unit.guard import shop


@activity(name="guarded.reach_outside")
def reach_outside() -> list[str]:
    """Reach outside from a thread of the host."""
    return shop.try_everything()


@activity(name="guarded.reach_outside_in_the_loop")
async def reach_outside_in_the_loop() -> list[str]:
    """Reach outside from the host's loop."""
    return shop.try_everything()


@workflow(name="guarded.careful")
async def careful() -> list[str]:
    """Reach outside in every way that is allowed."""
    refusals = await reach_outside() + await reach_outside_in_the_loop()
    return refusals + continuum.side_effect(lambda: shop.try_everything())  # continuum: allow CT503 - guarded


@workflow(name="guarded.careless")
async def careless() -> int:
    """Reach outside in a helper, after a completed step."""
    await reach_outside()
    return shop.read_everything()  # continuum: allow CT503 - guarded


async def test_a_run_that_reaches_outside_fails_with_the_line_and_a_remedy(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(careless)
        with pytest.raises(RunFailed) as failed:
            await (await on.client.start(careless)).result(DEADLINE_S)
        assert failed.value.type == "continuum.DeterminismError"
        assert failed.value.message.startswith("time.time() at guard/shop.py:")
        assert "called from actors/test_guard.py:" in failed.value.message
        assert failed.value.message.endswith("use continuum.now()")


async def test_activities_and_side_effects_may_reach_outside(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(careful)
        assert await (await on.client.start(careful)).result(DEADLINE_S) == []
