"""The links and monitors of an actor: which other actors its end concerns.

A **link** works both ways: an abnormal end of one actor ends the other, unless that one traps exits and
receives an `Exit` message instead. A **monitor** works one way and only reports: the watcher receives a
`Down` message.

This module keeps the books of both sides; `ref.py` acts on them when an actor ends.
"""

from __future__ import annotations

from itertools import count
from typing import Generic, NewType, TypeVar

MonitorId = NewType("MonitorId", int)
Owner = TypeVar("Owner")

_monitor_numbers = count(1)


class Bonds(Generic[Owner]):
    """The links and monitors of one actor, its owner; most actors never have any."""

    __slots__ = ("links", "owner", "watchers", "watching")

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        # Dicts, because they keep order: the actor that was linked first is notified first.
        self.links: dict[Bonds[Owner], None] = {}
        self.watchers: dict[MonitorId, Bonds[Owner]] = {}
        self.watching: dict[MonitorId, Bonds[Owner]] = {}

    def __bool__(self) -> bool:
        """Whether the end of the owner concerns anybody."""
        return bool(self.links or self.watchers)

    def link(self, other: Bonds[Owner]) -> None:
        self.links[other] = other.links[self] = None

    def unlink(self, other: Bonds[Owner]) -> None:
        """Remove a link; one that is gone is no error."""
        self.links.pop(other, None)
        other.links.pop(self, None)

    def add_watcher(self, monitor: MonitorId, watcher: Bonds[Owner]) -> None:
        self.watchers[monitor] = watcher
        watcher.watching[monitor] = self

    def remove_watcher(self, monitor: MonitorId) -> None:
        """Remove a monitor; one that is gone is no error."""
        watcher = self.watchers.pop(monitor, None)
        if watcher is not None:
            watcher.watching.pop(monitor, None)

    def unlink_all(self) -> tuple[Owner, ...]:
        """Remove all links; returns the actors that were linked, the first one first."""
        linked = tuple(self.links)
        for other in linked:
            self.unlink(other)
        return tuple(other.owner for other in linked)

    def unwatch_all(self) -> tuple[tuple[MonitorId, Owner], ...]:
        """Remove all monitors in both directions; returns the actors that watched the owner."""
        for monitor, watched in self.watching.items():
            watched.watchers.pop(monitor, None)
        self.watching.clear()
        watchers = tuple(self.watchers.items())
        for monitor, _ in watchers:
            self.remove_watcher(monitor)
        return tuple((monitor, watcher.owner) for monitor, watcher in watchers)


def new_monitor_id() -> MonitorId:
    """Return a number that no other monitor in this process has."""
    return MonitorId(next(_monitor_numbers))
