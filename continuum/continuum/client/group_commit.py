"""Group commit: what is waiting goes in one call while the call before is in flight.

There is no timer: an item that comes alone is written at once. A call that is
refused because of one item (not because the journal is unavailable) is made again
item by item, so that nobody pays for a neighbour.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

from continuum.client.limits import GROUP_ITEMS
from continuum.client.retrying import persist
from continuum.errors import JournalUnavailable, NotReady

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """A queue of writes; `write` takes several and answers each, in order, and may be repeated."""

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> None:
        self._write = write
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._closed = False

    async def add(self, item: T) -> R:
        """Return the answer to `item` once it is durable."""
        if self._closed:
            raise NotReady("the client is closed; open another with continuum.connect()")
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        return await future

    async def close(self) -> None:
        """Take nothing more, and return once everyone who waits has an answer."""
        self._closed = True
        if self._writer is not None:
            await asyncio.shield(self._writer)

    async def _write_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in islice(range(len(self._waiting)), GROUP_ITEMS)]
            await self._write_batch(batch)
        self._writer = None

    async def _write_batch(self, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        items = [item for item, _ in batch]
        try:
            answers = await persist(lambda: self._write(items))
        except asyncio.CancelledError:
            # The loop is being shut down: nobody is left to take another answer.
            for _, future in (*batch, *self._waiting):
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is handed to whoever asked
            if len(batch) > 1 and not isinstance(error, JournalUnavailable):
                for entry in batch:
                    await self._write_batch([entry])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)


async def in_order(
    items: Sequence[T], key: Callable[[T], str], write: Callable[[Sequence[T]], Any]
) -> list[Any]:
    """Write items ordered by `key` and return the answers in the order of the items."""
    order = sorted(range(len(items)), key=lambda index: key(items[index]))
    answers = await write([items[index] for index in order])
    return [answer for _, answer in sorted(zip(order, answers, strict=True), key=lambda pair: pair[0])]
