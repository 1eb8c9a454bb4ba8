"""Reads and watches published values: the latest value of a name, and its changes.

All watchers of a client share one listener. A notification that a chain of runs changed a
value, or that a run ended, makes the watchers of that chain read again at once; without
notifications each watcher reads after a second, then less and less often. A value that is
replaced between two reads is not seen: a published value is a state, not a stream.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager

from continuum.client.limits import FIRST_POLL_SECONDS, LAST_POLL_SECONDS, POLL_GROWTH
from continuum.client.run_lookup import RunLookup, WatchedRuns
from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable, NotReady
from continuum.journal.facts import RunRow
from continuum.journal.notification import Notification, Topic
from continuum.journal.outages import outage_in
from continuum.journal.port import PublishedValue

log = logging.getLogger("continuum.client")


class PublishedValues:
    """Reads and watches published values. Without notifications it polls after `first_poll` seconds."""

    def __init__(
        self, journal: WatchedRuns, lookup: RunLookup, *, first_poll: float = FIRST_POLL_SECONDS
    ) -> None:
        self._journal = journal
        self._lookup = lookup
        self._first_poll = first_poll
        self._watching: dict[str, set[asyncio.Event]] = {}
        self._listener: asyncio.Task[None] | None = None
        self._closed = False
        self._outage = outage_in(journal)

    async def read(self, run_id: RunId, name: str) -> bytes | None:
        """Return the latest value published under a name, encoded; None if there is none yet."""
        stored = await self._stored(run_id, name)
        return None if stored is None else stored.value

    async def watch(self, run_id: RunId, name: str) -> AsyncGenerator[bytes, None]:
        """Yield the latest value and each later one that a read finds, until the run has ended."""
        row = await self._lookup.row(run_id)
        if self._listener is None and not self._closed:
            # Subscribe before the first read, so that no change falls between the two.
            notifications = self._journal.notifications([Topic.PUBLISHED, Topic.DONE])
            self._listener = asyncio.create_task(self._listen(notifications))
        news, seen, wait = asyncio.Event(), None, self._first_poll
        while not self._closed:
            with self._notified(news, {row.root or row.id, row.id}):
                news.clear()
                try:
                    # In this order: once the run has ended, the read finds the last value it published.
                    row = await self._latest(row)
                    stored = await self._stored(run_id, name)
                except JournalUnavailable as error:
                    self._outage.failed("reading published values", error)
                    stored = seen
                else:
                    self._outage.answered()
                if stored is not None and stored != seen:
                    seen, wait = stored, self._first_poll
                    yield stored.value
                if row.state.terminal:
                    return
                await _set_or_time(news, wait)
                wait = min(wait * POLL_GROWTH, max(LAST_POLL_SECONDS, self._first_poll))
        raise NotReady("the client was closed while watching; the run continues without it")

    async def close(self) -> None:
        """Stop; every watcher that is still open raises `NotReady`."""
        self._closed = True
        self._wake(tuple(self._watching))
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)

    async def _stored(self, run_id: RunId, name: str) -> PublishedValue | None:
        return (await self._lookup.read(lambda: self._journal.read_published(run_id, [name]))).get(name)

    async def _latest(self, row: RunRow) -> RunRow:
        return await self._lookup.latest_run(await self._lookup.row(row.id))

    @contextmanager
    def _notified(self, news: asyncio.Event, ids: set[RunId]) -> Iterator[None]:
        for run_id in ids:
            self._watching.setdefault(run_id, set()).add(news)
        try:
            yield
        finally:
            for run_id in ids:
                self._watching[run_id].discard(news)
                if not self._watching[run_id]:
                    del self._watching[run_id]

    async def _listen(self, notifications: AsyncIterator[Notification]) -> None:
        try:
            async for notification in notifications:
                self._wake(notification.ids or tuple(self._watching))
        except Exception:
            # Notifications only make it faster: polling continues.
            log.exception("listening for published values stopped; they arrive by polling alone")

    def _wake(self, run_ids: tuple[str, ...]) -> None:
        for run_id in run_ids:
            for news in self._watching.get(run_id, ()):
                news.set()


async def _set_or_time(news: asyncio.Event, longest: float) -> None:
    try:
        async with asyncio.timeout(longest):
            await news.wait()
    except TimeoutError:
        # Time to read again without a notification.
        return
