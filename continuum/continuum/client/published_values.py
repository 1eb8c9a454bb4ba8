"""What runs have published: the latest value of a name, and its changes.

All who watch in a client share one listener. A hint that a chain of runs changed a
value, or that a run ended, makes those concerned look; without hints each looks after
a second, then less and less often. Values that came and went between two looks are
not seen: a cell is a state, not a stream.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager

from continuum.client.limits import FIRST_POLL_SECONDS, LAST_POLL_SECONDS, POLL_GROWTH
from continuum.client.run_lookup import Looking
from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable, NotReady
from continuum.journal.facts import Notification, RunRow, Topic
from continuum.journal.port import Cell, Journal

log = logging.getLogger("continuum.client")


class Cells:
    """Reads and watches published values. Without a hint they are looked at after `first_poll` seconds."""

    def __init__(self, journal: Journal, looking: Looking, *, first_poll: float = FIRST_POLL_SECONDS) -> None:
        self._journal = journal
        self._looking = looking
        self._first_poll = first_poll
        self._watching: dict[str, set[asyncio.Event]] = {}
        self._listener: asyncio.Task[None] | None = None
        self._closed = False

    async def read(self, run_id: RunId, name: str) -> Cell | None:
        """Return the latest value published under a name; None when there is none yet."""
        return (await self._looking.ask(lambda: self._journal.read_cells(run_id, [name]))).get(name)

    async def watch(self, run_id: RunId, name: str) -> AsyncGenerator[bytes, None]:
        """Yield the latest value and each later one that a look finds, until the run has ended."""
        row = await self._looking.row(run_id)
        if self._listener is None and not self._closed:
            # Listening begins with the call, before the first look.
            hints = self._journal.notifications([Topic.CELLS, Topic.DONE])
            self._listener = asyncio.create_task(self._listen(hints))
        news, seen, wait = asyncio.Event(), None, self._first_poll
        while not self._closed:
            with self._hearing(news, {row.root or row.id, row.id}):
                news.clear()
                try:
                    # In this order: what a run published last is there when it has ended.
                    row = await self._latest(row)
                    cell = await self.read(run_id, name)
                except JournalUnavailable as error:
                    log.warning("cannot look at what run %s published, will look again: %s", run_id, error)
                    cell = seen
                if cell is not None and cell != seen:
                    seen, wait = cell, self._first_poll
                    yield cell.value
                if row.state.terminal:
                    return
                await _set_or_time(news, wait)
                wait = min(wait * POLL_GROWTH, max(LAST_POLL_SECONDS, self._first_poll))
        raise NotReady("the client was closed while watching; the run goes on without it")

    async def close(self) -> None:
        """Stop; whoever still watches is told."""
        self._closed = True
        self._wake(tuple(self._watching))
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)

    async def _latest(self, row: RunRow) -> RunRow:
        return await self._looking.tip(await self._looking.row(row.id))

    @contextmanager
    def _hearing(self, news: asyncio.Event, ids: set[RunId]) -> Iterator[None]:
        for run_id in ids:
            self._watching.setdefault(run_id, set()).add(news)
        try:
            yield
        finally:
            for run_id in ids:
                self._watching[run_id].discard(news)
                if not self._watching[run_id]:
                    del self._watching[run_id]

    async def _listen(self, hints: AsyncIterator[Notification]) -> None:
        try:
            async for hint in hints:
                self._wake(hint.ids or tuple(self._watching))
        except Exception:
            # Hints only make it quicker: the polls go on.
            log.exception("listening for published values stopped; they come by polling alone")

    def _wake(self, run_ids: tuple[str, ...]) -> None:
        for run_id in run_ids:
            for news in self._watching.get(run_id, ()):
                news.set()


async def _set_or_time(news: asyncio.Event, longest: float) -> None:
    try:
        async with asyncio.timeout(longest):
            await news.wait()
    except TimeoutError:
        # Time to look without news.
        return
