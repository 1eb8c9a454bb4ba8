"""Compensation continues after a crash where it was interrupted."""

from __future__ import annotations

import asyncio

from continuum.engine.events import EventType
from tests.process.actors.families import leasing, trip, undoing, undone
from tests.process.actors.hosting import DEADLINE_S, stage


async def test_a_crash_repeats_only_the_compensation_that_was_running(dsn: str, schema: str) -> None:
    """ISG1, PCM3: newest first, each once except the one that was running."""
    undone.clear()
    undoing.clear()
    async with stage(dsn, schema) as on:
        tree = await on.tree(trip)
        run = await on.client.start(trip)
        async with asyncio.timeout(DEADLINE_S):
            await undoing.wait()
        victim = tree.host.registry.whereis(run.id)
        assert victim is not None
        await tree.lose_activities()
        assert await run.result(DEADLINE_S) == "undid abc"
        assert undone == {"c": 1, "b": 2, "a": 1}
        types = [event.type for event in await on.client.history(run.id)]
        scheduled, completed = EventType.COMPENSATION_SCHEDULED, EventType.COMPENSATION_COMPLETED
        assert [types.count(kind.name.lower()) for kind in (scheduled, completed)] == [3, 3]


async def test_a_waiting_run_without_a_history_cleans_up_when_cancelled_after_a_restart(
    dsn: str, schema: str
) -> None:
    """B53: a request to cancel ends a run without its code only if that code has never run."""
    undone.clear()
    async with stage(dsn, schema) as on:
        async with on.alone(leasing):
            run = await on.client.start(leasing, "room")
            await on.until_state(run, "suspended")
        await run.cancel()
        await on.tree(leasing)
        await on.until_state(run, "cancelled")
        assert undone == {"room": 1}
