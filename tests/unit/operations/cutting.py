"""Cuts the histories of runs everywhere, and checks what is stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from continuum import CutRefused, RunCancelled, RunFailed
from continuum.client import RunHandle
from continuum.journal.memory.stored_facts import MemoryFacts
from continuum.testing import Environment
from continuum.verify.verify import verify

LONG = timedelta(days=30)


async def nothing_is_found(env: Environment) -> None:
    """Whatever was cut, what is stored is whole."""
    facts = MemoryFacts(env._memory)
    # The lease of an environment lasts for ever.
    assert [found async for found in verify(facts, namespace="default")] == []


async def outcome(run: RunHandle[Any]) -> Any:
    """Return how a run ends."""
    try:
        return await run.result(timeout=LONG)
    except RunFailed as error:
        return error.type, error.message
    except RunCancelled:
        return "cancelled"


async def cut_everywhere(env: Environment, run_id: str) -> int:
    """Fork an ended run at each of its events, and expect the same end; return how many are refused."""
    expected = await outcome(env.handle(run_id))
    events = await env.history(run_id)
    refused = 0
    for at in range(len(events) + 1):
        place: int | None = at
        try:
            await env.cut(run_id, "fork", at=at)
        except CutRefused as error:
            refused, place = refused + 1, error.nearest
        if place is None:
            # A call that was undone has its result under a key.
            continue
        forked = await env.fork(run_id, at=place)
        assert await outcome(forked) == expected, at
    return refused


async def reset_everywhere(env: Environment, run_id: str) -> None:
    """Reset the latest run of a chain to each of its events in turn, and expect the same end."""
    expected = await outcome(env.handle(run_id))
    for at in range(len(await env.history(run_id)) + 1):
        latest = await env.reset(run_id, at=at)
        assert await outcome(env.handle(run_id)) == expected, at
        run_id = latest.id
