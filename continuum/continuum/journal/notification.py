"""Notifications: messages that something may have changed, and the part of the port that yields them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol


class Topic(IntEnum):
    """The subject of a notification."""

    WAKE = 1  # inbox rows arrived for these run ids
    WORK = 2  # runs became claimable
    TASKS = 3  # tasks became claimable
    DONE = 4  # these run ids reached a terminal state
    PUBLISHED = 5  # published values of these runs' chains (ids of their first runs) changed
    LOST = 6  # these runs were ended from outside, and their owners have lost them
    STARTED = 7  # a run was started and is announced to this process alone: an announcement instead of ids
    PAUSED = 8  # these runs, or any, were paused or may continue
    WATCHED = 9  # somebody begins to look at these nodes


class Notification(NamedTuple):
    """Something may have changed: for these ids, or for any if there are none."""

    topic: Topic
    ids: tuple[str, ...]


class Notifications(Protocol):
    """Messages that something may have changed (P11, see `port.py`)."""

    def notifications(
        self, topics: Sequence[Topic], *, channel: str | None = None
    ) -> AsyncIterator[Notification]:
        """Yield notifications for ever, and reconnect; after each reconnection comes one without ids.

        Those about STARTED arrive on `channel` only, and only if `topics` has it.
        """
        ...
