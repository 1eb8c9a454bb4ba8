"""Notifications: messages that something may have changed. Data only."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Topic(IntEnum):
    """The subject of a notification."""

    WAKE = 1  # inbox rows arrived for these run ids
    WORK = 2  # runs became claimable
    TASKS = 3  # tasks became claimable
    DONE = 4  # these run ids reached a terminal state
    PUBLISHED = 5  # published values of these runs' chains (ids of their first runs) changed
    LOST = 6  # these runs were ended from outside, and their owners have lost them
    STARTED = 7  # a run was started and is announced to this process alone: an announcement instead of ids


class Notification(NamedTuple):
    """Something may have changed: for these ids, or for any if there are none."""

    topic: Topic
    ids: tuple[str, ...]
