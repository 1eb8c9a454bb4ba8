"""Turns: the actors of one loop that have something to do, and the one callback that lets them do it.

A callback of the loop for every actor that wakes would cost as much as what a short handler does.
Who wakes while turns are given has its own in the next pass of the loop, as with callbacks.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from .mailbox import Mailbox


class Turns:
    """Who is next, in order."""

    __slots__ = ("_context", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[Mailbox] = []
        # Empty: whoever wakes an actor first lends it nothing.
        self._context = Context()

    def wait_for(self, mailbox: Mailbox, loop: asyncio.AbstractEventLoop) -> None:
        """Have the mailbox drained soon; RuntimeError when the loop is closed."""
        waiting = self._waiting
        waiting.append(mailbox)
        if len(waiting) == 1:
            try:
                loop.call_soon(self._give, loop, context=self._context)
            except RuntimeError:
                waiting.clear()
                raise

    def _give(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, []
        turns = iter(waiting)
        try:
            for mailbox in turns:
                context = mailbox._context
                if context is not None:  # it has ended since it woke
                    context.run(mailbox._drain)
        finally:
            # Nobody, unless somebody's turn has ended the loop.
            for mailbox in turns:
                self.wait_for(mailbox, loop)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


def turns_of(loop: asyncio.AbstractEventLoop) -> Turns:
    """Return the turns of a loop's actors."""
    turns = _turns.get(loop)
    if turns is None:
        turns = _turns[loop] = Turns()
    return turns
