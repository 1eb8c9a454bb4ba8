"""The signals of one run: first in, first out by name, to the code that has waited longest."""

from __future__ import annotations

import asyncio
from collections import deque


class SignalBuffer:
    """Signals that no code has taken, and code that waits for one; never both for one name."""

    __slots__ = ("_kept", "_waiting")

    def __init__(self) -> None:
        self._kept: dict[str, deque[bytes]] = {}
        # Lists, because nearly all have one entry, and an empty deque weighs as much as six of them.
        self._waiting: dict[str, list[asyncio.Future[bytes]]] = {}

    def deliver(self, name: str, value: bytes) -> None:
        """Give a signal to the first waiter for its name, or keep it behind the earlier ones."""
        if not self._give(name, value):
            self._kept.setdefault(name, deque()).append(value)

    async def take(self, name: str, loop: asyncio.AbstractEventLoop) -> bytes:
        """Return the next signal of that name, waiting for it when there is none."""
        if kept := self._kept.get(name):
            value = kept.popleft()
            if not kept:
                del self._kept[name]
            return value
        future: asyncio.Future[bytes] = asyncio.Future(loop=loop)
        self._waiting.setdefault(name, []).append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._put_back(name, future.result())
            else:
                self._forget(name, future)
            raise

    def has(self, name: str) -> bool:
        """Whether a signal of that name has arrived that no code has taken."""
        return name in self._kept

    def kept(self) -> list[tuple[str, bytes]]:
        """Return the signals that no code has taken, oldest first within a name."""
        return [(name, value) for name, values in self._kept.items() for value in values]

    def waited_for(self) -> list[str]:
        """Return the names that code waits for."""
        return sorted(name for name, waiting in self._waiting.items() if waiting)

    def _put_back(self, name: str, value: bytes) -> None:
        """Keep the signal of a waiter that was cancelled in the same step, before any later one."""
        if not self._give(name, value):
            self._kept.setdefault(name, deque()).appendleft(value)

    def _give(self, name: str, value: bytes) -> bool:
        waiting = self._waiting.get(name)
        while waiting:
            future = waiting.pop(0)
            if not future.done():
                future.set_result(value)
                return True
        self._waiting.pop(name, None)
        return False

    def _forget(self, name: str, future: asyncio.Future[bytes]) -> None:
        waiting = self._waiting.get(name)
        if waiting is not None and future in waiting:
            waiting.remove(future)
            if not waiting:
                del self._waiting[name]
