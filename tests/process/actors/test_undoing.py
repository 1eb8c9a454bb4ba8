"""Compensation that is cut in the middle by a crash goes on where it was."""

from __future__ import annotations

import asyncio

from continuum.engine.events import EventType
from tests.process.actors.families import trip, undoing, undone
from tests.process.actors.hosting import DEADLINE_S, stage


async def test_a_crash_amid_compensations_repeats_only_the_one_it_cut(dsn: str, schema: str) -> None:
    """ISG1, PCM3: newest first, each once but for the one that was under way."""
    undone.clear()
    undoing.clear()
    async with stage(dsn, schema) as on:
        tree = await on.tree(trip)
        run = await on.client.start(trip)
        async with asyncio.timeout(DEADLINE_S):
            await undoing.wait()
        victim = tree.host.registry.whereis(run.id)
        assert victim is not None
        await tree.kill("runs")
        await tree.kill("activities")
        assert await run.result(DEADLINE_S) == "undid abc"
        assert undone == {"c": 1, "b": 2, "a": 1}
        types = [event.type for event in await on.client.history(run.id)]
        scheduled, completed = EventType.COMPENSATION_SCHEDULED, EventType.COMPENSATION_COMPLETED
        assert [types.count(kind.name.lower()) for kind in (scheduled, completed)] == [3, 3]
