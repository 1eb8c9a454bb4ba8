"""A client that knows how a run has ended in its process forgets that when the run continues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from continuum import Client
from continuum.client.run_handle import RunHandle
from continuum.journal.ended_run import EndedRun
from continuum.journal.facts import RunState
from tests.unit.client.working import Ending, greeting, memory_client


@asynccontextmanager
async def failed_here() -> AsyncIterator[tuple[Client, Ending, RunHandle[Any]]]:
    """Yield a client that a node in its process told how a run has failed."""
    async with memory_client() as (client, ending):
        other = await client.start(greeting, "bob")
        await ending.complete(other.id, "hello bob")
        # The client keeps ends once it listens.
        assert await other.result() == "hello bob"
        run = await client.start(greeting, "ann")
        await ending.fail(run.id, "OSError", "no bank")
        error = (await client._lookup.row(run.id)).error
        client._completions.ended(EndedRun(run.id, RunState.FAILED, None, error, None, run.id, None))
        assert run.id in client._completions._known_ends
        yield client, ending, run


def test_a_restarted_run_is_awaited_anew() -> None:
    async def restarting() -> None:
        async with failed_here() as (_, ending, run):
            new = await run.restart()
            await ending.complete(new.id, "hello")
            assert await run.result() == "hello"

    asyncio.run(restarting())


def test_a_run_that_another_client_restarts_is_awaited_anew() -> None:
    async def restarting() -> None:
        async with failed_here() as (client, ending, run), Client(ending.journal) as another:
            new = await another.restart(run.id)
            await ending.complete(new.id, "hello")
            for _ in range(10):
                # The notification reaches the client.
                await asyncio.sleep(0)
            assert run.id not in client._completions._known_ends
            assert await run.result() == "hello"

    asyncio.run(restarting())
