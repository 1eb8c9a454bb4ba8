"""Waiting until a loop has nothing to do, and telling whether anything could still wake it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

# A loop that does not show what is ready (uvloop's) is given this many turns instead.
BLIND_TURNS = 200
# The second quiet turn in a row has polled sockets and pipes as well.
QUIET_TURNS = 2


async def quiet(patience: float) -> None:
    """Return once nothing in the running loop is ready; `TimeoutError` after `patience` real seconds."""
    loop = asyncio.get_running_loop()
    ready: Sequence[Any] | None = getattr(loop, "_ready", None)
    if ready is None:
        for _ in range(BLIND_TURNS):
            await asyncio.sleep(0)
        return
    deadline = loop.time() + patience
    turns = 0
    while turns < QUIET_TURNS:
        await asyncio.sleep(0)
        turns = 0 if ready else turns + 1
        if loop.time() > deadline:
            raise TimeoutError(
                f"the loop has been busy for {patience:g} s: something in the test, or in an activity, "
                "keeps calling itself"
            )


def may_wake(patience: float) -> bool:
    """Whether a timer or a socket may wake the running loop within `patience` real seconds."""
    loop = asyncio.get_running_loop()
    timers: Collection[Any] | None = getattr(loop, "_scheduled", None)
    selector = getattr(loop, "_selector", None)
    if timers is None or selector is None:
        return True
    soon = loop.time() + patience
    if any(not timer.cancelled() and timer.when() <= soon for timer in list(timers)):
        return True
    # One is the loop's own pipe, by which threads wake it.
    watched = selector.get_map()
    return watched is None or len(watched) > 1
