"""Follows the changes of the states of runs, in an order that a reader can continue in.

All readers of a client share one listener. Notifications only say when to look: without them a reader
looks after a second. A change is read once no open transaction may add an earlier one.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from continuum.client.limits import (
    CHANGES_PER_READ,
    CHANGES_POLL_SECONDS,
    FIRST_CHANGES_POLL_SECONDS,
    POLL_GROWTH,
)
from continuum.client.retrying import retry_read_once
from continuum.errors import InvalidOption, JournalUnavailable, NotReady
from continuum.journal.change_port import Position, StateChanged, StateChanges
from continuum.journal.notification import Notification, Topic
from continuum.journal.outages import outage_in
from continuum.journal.port import Notifications
from continuum.journal.untyped_values import at

log = logging.getLogger("continuum.client")

NOW = "now"
_CURSOR = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class StateChange:
    """A run entered `state`: ``started``, or a state of `Run`.

    A run that is claimed after a wait, or unblocked, enters ``running``. `cursor` is where a reader continues
    that has dealt with this change. `at` is aware and in UTC.
    """

    run_id: str
    workflow: str
    namespace: str
    state: str
    at: datetime
    cursor: str


class Followed(StateChanges, Notifications, Protocol):
    """State changes, and notifications that there may be some."""


class StateChangeFeed:
    """Reads state changes for any number of readers of one client."""

    def __init__(self, journal: Followed) -> None:
        self._journal = journal
        self._readers: set[asyncio.Event] = set()
        self._listener: asyncio.Task[None] | None = None
        self._closed = False
        self._outage = outage_in(journal)

    async def follow(
        self, after: str | None, *, namespace: str | None, workflow: str | None
    ) -> AsyncGenerator[StateChange, None]:
        """Yield the changes after a cursor for ever, those that there are first."""
        position = None if after in (None, NOW) else _position(after)
        if self._listener is None and not self._closed:
            # Subscribe before the first read, so that no change falls between the two.
            notifications = self._journal.notifications([Topic.WORK, Topic.WAKE, Topic.DONE])
            self._listener = asyncio.create_task(self._listen(notifications))
        if after == NOW:
            position = await retry_read_once(self._journal.latest_position)
        news, wait = asyncio.Event(), FIRST_CHANGES_POLL_SECONDS
        self._readers.add(news)
        try:
            while not self._closed:
                news.clear()
                try:
                    read = await self._journal.state_changes(
                        position, CHANGES_PER_READ, namespace=namespace, workflow=workflow
                    )
                except JournalUnavailable as error:
                    self._outage.failed("reading state changes", error)
                else:
                    self._outage.answered()
                    for changed in read.entries:
                        yield _public(changed)
                    if read.scanned != position:
                        position, wait = read.scanned, FIRST_CHANGES_POLL_SECONDS
                    if read.more:
                        continue
                # After a notification too it waits a moment: the transactions before that one end, and one
                # read answers many notifications.
                if await _set_within(news, wait):
                    wait = FIRST_CHANGES_POLL_SECONDS
                    await asyncio.sleep(wait)
                wait = min(wait * POLL_GROWTH, CHANGES_POLL_SECONDS)
        finally:
            self._readers.discard(news)
        raise NotReady("the client was closed while reading events; open another and continue at the cursor")

    async def close(self) -> None:
        """Stop; every reader that is still open raises `NotReady`."""
        self._closed = True
        self._wake()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)

    async def _listen(self, notifications: AsyncIterator[Notification]) -> None:
        try:
            async for _ in notifications:
                self._wake()
        except Exception:
            # Notifications only make it faster: polling continues.
            log.exception("listening for state changes stopped; they arrive by polling alone")

    def _wake(self) -> None:
        for news in self._readers:
            news.set()


def _position(cursor: object) -> Position:
    if not isinstance(cursor, str) or _CURSOR.fullmatch(cursor) is None:
        raise InvalidOption(
            f"events(cursor={cursor!r:.100}): allowed is the cursor of a StateChange, {NOW!r}, or None"
        )
    return int(cursor)


def _public(changed: StateChanged) -> StateChange:
    return StateChange(
        changed.run_id,
        changed.workflow,
        changed.namespace,
        "started" if changed.state is None else changed.state.name.lower(),
        at(changed.at),
        str(changed.position),
    )


async def _set_within(news: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await news.wait()
    except TimeoutError:
        # Time to read again without a notification.
        return False
