"""Waits until an asyncio loop is idle, and checks whether anything could still wake it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

# A loop that does not expose its ready queue (uvloop's) gets this many turns instead.
BLIND_TURNS = 200
# After the second idle turn in a row the loop has polled sockets and pipes as well.
IDLE_TURNS = 2


async def wait_until_idle(patience: float) -> None:
    """Return once nothing in the running loop is ready; `TimeoutError` after `patience` real seconds."""
    loop = asyncio.get_running_loop()
    ready: Sequence[Any] | None = getattr(loop, "_ready", None)
    if ready is None:
        for _ in range(BLIND_TURNS):
            await asyncio.sleep(0)
        return
    deadline = loop.time() + patience
    turns = 0
    while turns < IDLE_TURNS:
        await asyncio.sleep(0)
        turns = 0 if ready else turns + 1
        if loop.time() > deadline:
            raise TimeoutError(
                f"the loop has been busy for {patience:g} s: something in the test, or in an activity, "
                "keeps calling itself"
            )


def may_wake(patience: float) -> bool:
    """Return whether a timer or a socket may wake the running loop within `patience` real seconds."""
    loop = asyncio.get_running_loop()
    timers: Collection[Any] | None = getattr(loop, "_scheduled", None)
    selector = getattr(loop, "_selector", None)
    if timers is None or selector is None:
        return True
    soon = loop.time() + patience
    if any(not timer.cancelled() and timer.when() <= soon for timer in list(timers)):
        return True
    # One of them is the loop's own pipe, through which threads wake it.
    watched = selector.get_map()
    return watched is None or len(watched) > 1
