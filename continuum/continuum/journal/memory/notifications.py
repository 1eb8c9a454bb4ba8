"""Notifications inside one process: the listeners, and the notifications that wait for each.

Waiting notifications are merged by topic, so a slow listener costs one entry a
topic and never a growing queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from weakref import WeakSet

from continuum.journal.limits import NOTIFICATION_IDS
from continuum.journal.port import Notification, Topic

# Every id counts: no listener can look for runs that it lost, and to look for all mail is dear.
_EACH_NAMED = frozenset({Topic.LOST, Topic.WAKE})


class Broadcast:
    """Sends notifications to every listener of their topic."""

    def __init__(self) -> None:
        # Weak references: nothing else removes a listener whose iteration was abandoned.
        self._listeners: WeakSet[Listener] = WeakSet()

    def listen(self, topics: Sequence[Topic], channel: str | None = None) -> AsyncIterator[Notification]:
        """Return the notifications about `topics` from this call on."""
        listener = Listener(topics, channel)
        self._listeners.add(listener)
        return listener

    def send(self, topic: Topic, ids: Iterable[str] = ()) -> None:
        """Send a notification to every listener; without ids it means that anything may have changed."""
        changed = tuple(ids)
        for listener in self._listeners:
            listener.receive(topic, changed)

    def announce(self, channel: str, announcement: str) -> None:
        """Send the announcement of a start to the listener of a channel."""
        for listener in self._listeners:
            if listener.channel == channel:
                listener.receive(Topic.STARTED, (announcement,))

    def close(self) -> None:
        """End every iteration once it has yielded the waiting notifications."""
        for listener in self._listeners:
            listener.end()


class Listener:
    """One iteration over notifications."""

    def __init__(self, topics: Sequence[Topic], channel: str | None = None) -> None:
        self.channel = channel
        self._topics = frozenset(topics)
        self._waiting: dict[Topic, frozenset[str]] = {}
        self._news = asyncio.Event()
        self._ended = False

    def receive(self, topic: Topic, ids: Sequence[str]) -> None:
        """Merge a notification into the waiting ones."""
        if topic not in self._topics:
            return
        before = self._waiting.get(topic)
        unnamed = not ids or before == frozenset()
        merged = frozenset() if unnamed else (before or frozenset()).union(ids)
        fits = len(merged) <= NOTIFICATION_IDS or topic in _EACH_NAMED
        self._waiting[topic] = merged if fits else frozenset()
        self._news.set()

    def end(self) -> None:
        """Stop after the waiting notifications."""
        self._ended = True
        self._news.set()

    def __aiter__(self) -> AsyncIterator[Notification]:
        return self

    async def __anext__(self) -> Notification:
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        topic = next(iter(self._waiting))
        return Notification(topic, tuple(sorted(self._waiting.pop(topic))))
