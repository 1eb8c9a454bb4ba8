"""The ledger of the state machines, when the answers to commits are late."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from continuum.journal.facts import Committed, RunWrite, Worker
from continuum.journal.memory.journal import MemoryJournal
from continuum.testing.virtual_clock import VirtualClock
from tests.property.composed_programs import work_flow
from tests.property.composed_works import Node, Work
from tests.property.ledger import ledger
from tests.property.live_world import World
from tests.property.world_laws import check_now

# The loop turns that a claim and the execution of a task take, and more.
LATE_TURNS = 100


class LateAnswers(MemoryJournal):
    """Commits at once and answers late, as a server does whose other connections are faster."""

    async def commit(self, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        committed = await super().commit(worker, batch, writes)
        for _ in range(LATE_TURNS):
            await asyncio.sleep(0)
        return committed


async def execute_a_queued_activity() -> None:
    clock = VirtualClock()
    world = World(LateAnswers(clock.microseconds), clock, seed=1)
    await world.open()
    try:
        await world.client.start(work_flow, Work(1, ((Node("queued", 2),),), False, 1.0), [])
        await world.advance(20)
        assert ledger.executed == {("composed.act", 2): 1}
        await check_now(world, exact=True)
    finally:
        await world.close()


def test_a_task_may_be_executed_before_the_commit_that_asks_for_it_is_answered() -> None:
    asyncio.run(execute_a_queued_activity())
