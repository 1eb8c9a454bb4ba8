"""How the end of one actor reaches others: exit reasons, links, monitors.

A **link** joins two actors for better and worse: an abnormal end of one ends the
other, unless that one traps exits and is told with an `Exit` message instead. A
**monitor** looks one way and only tells: a `Down` message.

What lives here is the vocabulary and the bookkeeping. Who ends when is decided in
`mailbox.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING, NewType, TypeAlias

if TYPE_CHECKING:
    from .mailbox import Mailbox
    from .ref import ActorRef


class Ending(Enum):
    """The ends that are nobody's bug."""

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    KILLED = "killed"

    def __repr__(self) -> str:
        return self.name


NORMAL = Ending.NORMAL
SHUTDOWN = Ending.SHUTDOWN
KILLED = Ending.KILLED


@dataclass(frozen=True, slots=True)
class Crash:
    """An end by an exception that nobody handled."""

    exception: BaseException


ExitReason: TypeAlias = Ending | Crash
MonitorId = NewType("MonitorId", int)


@dataclass(frozen=True, slots=True)
class Exit:
    """Tells an actor that traps exits how a linked one ended."""

    ref: ActorRef
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class Down:
    """Tells a watcher how the actor it monitors ended."""

    ref: ActorRef
    reason: ExitReason
    monitor: MonitorId


class ActorDied(Exception):
    """The actor that was called is dead, or died before it answered."""

    def __init__(self, reason: ExitReason):
        super().__init__(f"the actor ended: {describe(reason)}")
        self.reason = reason
        if isinstance(reason, Crash):
            self.__cause__ = reason.exception


def is_abnormal(reason: ExitReason) -> bool:
    """Whether links propagate this end and a transient child is restarted after it."""
    return reason is not NORMAL and reason is not SHUTDOWN


def describe(reason: ExitReason) -> str:
    """Say a reason in a few words."""
    if isinstance(reason, Ending):
        return reason.value
    return f"crashed with {type(reason.exception).__name__}: {reason.exception}"


class Bonds:
    """The links and monitors of one actor; most actors never have any."""

    __slots__ = ("links", "watchers", "watching")

    def __init__(self) -> None:
        # Dicts for their order: the first that was linked is the first to hear.
        self.links: dict[Mailbox, None] = {}
        self.watchers: dict[MonitorId, Mailbox] = {}
        self.watching: dict[MonitorId, Mailbox] = {}

    def __bool__(self) -> bool:
        return bool(self.links or self.watchers)


_monitor_numbers = count(1)


def new_monitor_id() -> MonitorId:
    """A number no other monitor in this process has."""
    return MonitorId(next(_monitor_numbers))
