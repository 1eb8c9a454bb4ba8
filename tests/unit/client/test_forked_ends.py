"""A client that knows how a run has ended in its process forgets that when the run continues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from continuum import Client, RunHandle
from continuum.client import completions
from continuum.client.in_process_port import InProcessPort
from continuum.journal.ended_run import EndedRun
from continuum.journal.facts import RunState
from continuum.journal.memory.journal import MemoryJournal
from tests.unit.client.working import Ending, greeting


@asynccontextmanager
async def failed_here() -> AsyncIterator[tuple[InProcessPort, Ending, RunHandle[Any]]]:
    """Yield a run whose failure a node has reported to its client, which has not asked for it yet."""
    journal, port = MemoryJournal(), InProcessPort()
    async with Client(journal, port=port) as client:
        ending = Ending(journal)
        run = await client.start(greeting, "ann")
        await ending.fail(run.id, "OSError", "no bank")
        error = (await client._lookup.row(run.id)).error
        port.ended(EndedRun(run.id, RunState.FAILED, None, error, None, run.id, None))
        yield port, ending, run


def in_a_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    return lambda: asyncio.run(test())  # type: ignore[arg-type]


@in_a_loop
async def test_a_restarted_run_is_awaited_anew() -> None:
    async with failed_here() as (_, ending, run):
        new = await run.restart()
        await ending.complete(new.id, "hello")
        assert await run.result() == "hello"


@in_a_loop
async def test_a_run_that_another_client_restarts_is_awaited_anew_once_the_node_is_notified() -> None:
    async with failed_here() as (port, ending, run), Client(ending.journal) as other:
        new = await other.restart(run.id)
        await ending.complete(new.id, "hello")
        port.lost([run.id])
        assert await run.result() == "hello"


def test_an_end_that_is_not_recent_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The node may miss the notification."""
    monkeypatch.setattr(completions, "KNOWN_END_SECONDS", 0.0)

    @in_a_loop
    async def restarting() -> None:
        async with failed_here() as (_, ending, run), Client(ending.journal) as other:
            new = await other.restart(run.id)
            await ending.complete(new.id, "hello")
            assert await run.result() == "hello"

    restarting()
