"""The journal keeper: opens a node's journal before its actors start, closes it after they have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from continuum.journal.port import Journal
from continuum_supervision import Actor, ActorRef, ExitReason

JournalOpening = Callable[[], AbstractAsyncContextManager[Journal]]


class JournalKeeper(Actor):
    """Keeps a journal open for as long as this actor lives, and passes it to `opened`.

    `closing` outlives the actor: a killed keeper closes its journal there, and its successor waits for that.
    """

    def __init__(
        self,
        opening: JournalOpening,
        opened: Callable[[Journal], None],
        closing: set[asyncio.Task[None]],
    ) -> None:
        self._opening = opening
        self._opened = opened
        self._closing = closing
        self._exits = AsyncExitStack()

    async def init(self) -> None:
        if self._closing:
            await asyncio.wait(self._closing)
        async with AsyncExitStack() as exits:
            self._opened(await exits.enter_async_context(self._opening()))
            self._exits = exits.pop_all()
        self.ref.on_exit(self._close_after_a_kill)

    async def terminate(self, reason: ExitReason) -> None:
        """Close the journal; everything that used it has ended."""
        await self._exits.aclose()

    def _close_after_a_kill(self, ref: ActorRef, reason: ExitReason) -> None:
        """Close after a kill, which does not call `terminate`; otherwise the journal is closed already."""
        task = asyncio.get_running_loop().create_task(self._exits.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
