"""A client that knows how a run has ended in its process forgets that when the run continues."""

from __future__ import annotations

import asyncio

from continuum.journal.ended_run import EndedRun
from continuum.journal.facts import RunState
from tests.unit.client.working import greeting, memory_client


def test_a_restarted_run_is_awaited_anew() -> None:
    async def restarting() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.fail(run.id, "OSError", "no bank")
            error = (await client._lookup.row(run.id)).error
            # A node in this process reports the end before anyone asks for it.
            client._completions.ended(EndedRun(run.id, RunState.FAILED, None, error, None, run.id, None))

            new = await run.restart()
            await ending.complete(new.id, "hello")

            assert await run.result() == "hello"

    asyncio.run(restarting())
