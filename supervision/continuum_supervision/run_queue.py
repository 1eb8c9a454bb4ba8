"""The actors of one loop that have messages, and the one loop callback that runs them all.

One loop callback per waking actor would cost as much as a short handler itself. An actor that wakes while
the queue is being run is served in the next pass of the loop, exactly as with loop callbacks.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import Protocol
from weakref import WeakKeyDictionary


class Runnable(Protocol):
    """What the queue needs of an actor's address. Private to this package, hence the underscores."""

    @property
    def _context(self) -> Context | None:
        """The actor's own context, None once the actor has ended."""

    def _drain(self) -> None:
        """Handle what waits; called inside the actor's context."""


class RunQueue:
    """Actors in the order in which they woke."""

    __slots__ = ("_context", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[Runnable] = []
        # Empty, so that the context of the code that wakes the first actor does not leak into the others.
        self._context = Context()

    def add(self, actor: Runnable, loop: asyncio.AbstractEventLoop) -> None:
        """Drain the actor in the next pass of the loop.

        A closed loop never runs it again: that is a dead actor, and what is delivered to one is dropped.
        """
        waiting = self._waiting
        waiting.append(actor)
        if len(waiting) == 1:
            try:
                loop.call_soon(self._run_all, loop, context=self._context)
            except RuntimeError:
                waiting.clear()
                if not loop.is_closed():
                    raise

    def _run_all(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, []
        actors = iter(waiting)
        try:
            for actor in actors:
                context = actor._context
                if context is not None:  # else it has ended since it woke
                    context.run(actor._drain)
        finally:
            # Empty, unless a handler raised KeyboardInterrupt or SystemExit and so left the loop: keep the
            # rest for the case that the loop runs again.
            for actor in actors:
                self.add(actor, loop)


_run_queues: WeakKeyDictionary[asyncio.AbstractEventLoop, RunQueue] = WeakKeyDictionary()


def run_queue_of(loop: asyncio.AbstractEventLoop) -> RunQueue:
    """Return the run queue of a loop."""
    run_queue = _run_queues.get(loop)
    if run_queue is None:
        run_queue = _run_queues[loop] = RunQueue()
    return run_queue
