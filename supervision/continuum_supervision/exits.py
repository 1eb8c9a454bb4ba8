"""How an actor can end: exit reasons, and the error that callers of a dead actor get."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from .limits import REASON_CHARACTERS


class Ending(Enum):
    """The ends that are not caused by a bug."""

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
    """An end by an exception that no handler caught."""

    exception: BaseException


ExitReason: TypeAlias = Ending | Crash


class ExpectedExit(Exception):
    """Raise it in an actor that is to start again for a known cause; it is logged without a traceback."""


class ActorDied(Exception):
    """The actor that was called is dead, or died before it replied."""

    def __init__(self, reason: ExitReason):
        super().__init__(f"the actor ended: {describe(reason)}")
        self.reason = reason
        if isinstance(reason, Crash):
            self.__cause__ = reason.exception


def is_abnormal(reason: ExitReason) -> bool:
    """Whether links propagate this end and a transient child is restarted after it."""
    return reason is not NORMAL and reason is not SHUTDOWN


def describe(reason: ExitReason) -> str:
    """Return a few words for people."""
    if isinstance(reason, Ending):
        return reason.value
    name = type(reason.exception).__name__
    try:
        return f"crashed with {name}: {reason.exception}"
    except Exception as error:  # noqa: BLE001  # the exception of a user may raise anything when it is shown
        return f"crashed with {name}, whose text raises {type(error).__name__}"


def describe_in_a_line(reason: ExitReason) -> str:
    """Return a few printable words, at most `REASON_CHARACTERS`."""
    text = describe(reason)[: 2 * REASON_CHARACTERS]
    words = "".join(each if each.isprintable() else " " for each in text).split()
    return " ".join(words)[:REASON_CHARACTERS]
