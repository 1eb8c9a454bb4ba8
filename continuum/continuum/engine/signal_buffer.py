"""The signals of one run: first in, first out by name, to the code that has waited longest."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from continuum.engine.call_site import Site

NO_TIMER = -1


class Awaited(NamedTuple):
    """A signal that code waits for, and where; `timer` is the seq of the timer that ends the wait, or -1."""

    name: str
    site: Site
    timer: int = NO_TIMER


class _Waiter(NamedTuple):
    future: asyncio.Future[bytes]
    awaited: Awaited
    since: int


class SignalBuffer:
    """Signals that no code has taken, and code that waits for one; never both for one name."""

    __slots__ = ("_kept", "_waiting")

    def __init__(self) -> None:
        self._kept: dict[str, deque[bytes]] = {}
        # Lists, because nearly all have one entry, and an empty deque weighs as much as six of them.
        self._waiting: dict[str, list[_Waiter]] = {}

    def deliver(self, name: str, value: bytes) -> None:
        """Give a signal to the first waiter for its name, or keep it behind the earlier ones."""
        if not self._give(name, value):
            self._kept.setdefault(name, deque()).append(value)

    async def take(self, awaited: Awaited, since: int, loop: asyncio.AbstractEventLoop) -> bytes:
        """Return the next signal of that name, waiting for it `since` now when there is none."""
        name = awaited.name
        if kept := self._kept.get(name):
            value = kept.popleft()
            if not kept:
                del self._kept[name]
            return value
        waiter = _Waiter(asyncio.Future(loop=loop), awaited, since)
        self._waiting.setdefault(name, []).append(waiter)
        future = waiter.future
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._put_back(name, future.result())
            else:
                self._forget(waiter)
            raise

    def has(self, name: str) -> bool:
        """Whether a signal of that name has arrived that no code has taken."""
        return name in self._kept

    def kept(self) -> list[tuple[str, bytes]]:
        """Return the signals that no code has taken, oldest first within a name."""
        return [(name, value) for name, values in self._kept.items() for value in values]

    def names_kept(self) -> list[str]:
        """Return the names of the signals that no code has taken."""
        return list(self._kept)

    def awaited(self) -> Iterator[tuple[Awaited, int]]:
        """Yield what code waits for, and since when, those who have waited longest first within a name."""
        return ((each.awaited, each.since) for waiting in self._waiting.values() for each in waiting)

    def _put_back(self, name: str, value: bytes) -> None:
        """Keep the signal of a waiter that was cancelled in the same step, before any later one."""
        if not self._give(name, value):
            self._kept.setdefault(name, deque()).appendleft(value)

    def _give(self, name: str, value: bytes) -> bool:
        waiting = self._waiting.get(name)
        while waiting:
            future = waiting.pop(0).future
            if not future.done():
                future.set_result(value)
                return True
        self._waiting.pop(name, None)
        return False

    def _forget(self, waiter: _Waiter) -> None:
        waiting = self._waiting.get(waiter.awaited.name)
        if waiting is not None and waiter in waiting:
            waiting.remove(waiter)
            if not waiting:
                del self._waiting[waiter.awaited.name]
