"""The loop sentinel: tells an attempt that was cancelled from a loop that ends.

`asyncio.run` cancels every task when its main function has ended, also those of a node that nobody has
stopped. The attempts that this cancels have not failed, and nothing that they say may be journaled.
"""

from __future__ import annotations

import asyncio


class LoopSentinel:
    """A task that nobody cancels but the end of its loop."""

    __slots__ = ("_over", "_task")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._over = loop.create_future()
        self._task = loop.create_task(self._wait())

    def cancelled_by_the_loop(self) -> bool:
        """Whether the loop has cancelled its tasks: all of them, before any of them continues."""
        return self._task.cancelling() > 0 or self._task.cancelled()

    def end(self) -> None:
        """Stop waiting."""
        if not self._over.done():
            self._over.set_result(None)

    async def _wait(self) -> None:
        await self._over
