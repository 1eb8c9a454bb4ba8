"""Group commit: while one call is in flight new items gather, and the next call writes them together.

There is no timer: a single item is written at once. A call that is refused because of one
item (not because the journal is unavailable) is repeated item by item, so that a bad item
fails alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from continuum.client.limits import CLOSE_SECONDS, GROUP_ITEMS
from continuum.client.retrying import retry_write
from continuum.errors import JournalUnavailable, NotReady

NOT_KNOWN = (
    "the client was closed while the database did not answer; the write may have taken effect: look, or "
    "repeat it with the same id or delivery_id"
)

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """A queue of writes; `write` takes several items, returns their results in order, and may be repeated.

    `again` returns an item as it is written once more, after an attempt whose outcome is unknown.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        again: Callable[[T], T] = lambda item: item,
    ) -> None:
        self._write = write
        self._again = again
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._closed = False

    async def add(self, item: T) -> R:
        """Write `item` and return its result once it is durable."""
        if self._closed:
            raise NotReady("the client is closed; open another with continuum.connect()")
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        return await future

    async def close(self) -> None:
        """Accept no more items, and return once every waiting caller has its result, or an error."""
        self._closed = True
        if self._writer is not None:
            await asyncio.wait([self._writer], timeout=CLOSE_SECONDS)
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])

    async def _write_all(self) -> None:
        while self._waiting:
            size = min(len(self._waiting), GROUP_ITEMS)
            await self._write_batch([self._waiting.popleft() for _ in range(size)])
        self._writer = None

    async def _write_batch(self, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        items = [item for item, _ in batch]

        async def attempt() -> Sequence[R]:
            attempted = tuple(items)
            items[:] = map(self._again, items)
            return await self._write(attempted)

        try:
            results = await retry_write(attempt)
        except asyncio.CancelledError:
            # The client closes while the journal is silent, or the loop is shutting down: no other task
            # will complete these futures.
            for _, future in (*batch, *self._waiting):
                if self._closed and not future.done():
                    future.set_exception(JournalUnavailable(NOT_KNOWN))
                else:
                    future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - every caller of the batch receives it
            if len(batch) > 1 and not isinstance(error, JournalUnavailable):
                for item, (_, future) in zip(items, batch, strict=True):
                    await self._write_batch([(item, future)])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
