"""Notifications inside one process: who listens, and what waits for each listener.

What waits is merged by topic, so a listener that is slow costs one entry a
topic and never a queue that grows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from weakref import WeakSet

from continuum.journal.limits import NOTIFICATION_IDS
from continuum.journal.port import Notification, Topic


class Notifications:
    """Tells every listener of a topic."""

    def __init__(self) -> None:
        # Weak: a listener that nobody iterates any more has nobody to end it.
        self._listeners: WeakSet[Listener] = WeakSet()

    def listen(self, topics: Sequence[Topic]) -> AsyncIterator[Notification]:
        """Return what is told about `topics` from this call on."""
        listener = Listener(topics)
        self._listeners.add(listener)
        return listener

    def send(self, topic: Topic, ids: Iterable[str] = ()) -> None:
        """Leave a hint with every listener; without ids it means: look for yourself."""
        told = tuple(ids)
        for listener in self._listeners:
            listener.hear(topic, told)

    def close(self) -> None:
        """End every iteration once it has yielded what is waiting."""
        for listener in self._listeners:
            listener.end()


class Listener:
    """One iteration over notifications."""

    def __init__(self, topics: Sequence[Topic]) -> None:
        self._topics = frozenset(topics)
        self._waiting: dict[Topic, frozenset[str]] = {}
        self._news = asyncio.Event()
        self._ended = False

    def hear(self, topic: Topic, ids: Sequence[str]) -> None:
        """Merge a hint into what is waiting."""
        if topic not in self._topics:
            return
        before = self._waiting.get(topic)
        vague = not ids or before == frozenset()
        merged = frozenset() if vague else (before or frozenset()).union(ids)
        self._waiting[topic] = merged if len(merged) <= NOTIFICATION_IDS else frozenset()
        self._news.set()

    def end(self) -> None:
        """Stop after what is waiting."""
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
