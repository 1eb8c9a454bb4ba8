"""What a history is made of.

An event is a plain fact: its position in the run, its type, when it was
journaled (microseconds since the epoch on the database clock) and a body of
primitives whose shape depends on the type. Bodies carry user values as encoded
bytes, so this module needs no codec and replay decodes only what it uses.

Command events are written when workflow code asks for something, in the order
it asks; completion events are written when the outside answers. Replay matches
the first against the code and feeds it the second.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple


class EventType(IntEnum):
    """The numbers are stored: never reuse or renumber one."""

    ACTIVITY_SCHEDULED = 1
    ACTIVITY_COMPLETED = 2
    ACTIVITY_FAILED = 3
    ACTIVITY_RETRIED = 4
    ACTIVITY_CRASHED = 5
    TIMER_STARTED = 6
    TIMER_FIRED = 7
    SIGNAL_RECEIVED = 8
    SIDE_EFFECT = 9
    PATCHED = 10
    CANCEL_REQUESTED = 11
    COMPENSATION_SCHEDULED = 12
    COMPENSATION_COMPLETED = 13
    COMPENSATION_FAILED = 14
    ACTIVITY_RESTARTED = 15


class Event(NamedTuple):
    """One row of a run's history.

    Bodies, by type (``caller`` is the qualified name of the function that issued
    the command, ``where`` its file and line, kept for messages only):

    - activity or compensation scheduled: name, caller, where, arguments, options
    - activity or compensation completed: scheduled seq, result
    - activity or compensation failed: scheduled seq, type, message, traceback, attempt
    - activity retried: scheduled seq, type, message, attempt, due (microseconds)
    - activity crashed: scheduled seq, crashes so far
    - activity restarted (its back-off is over): scheduled seq
    - timer started: due (microseconds), caller, where
    - timer fired: started seq
    - signal received: name, value, delivery id or None
    - side effect: kind, caller, where, value; or kind, caller, where, None, type, message when it raised
    - patched: name, caller, where
    - cancel requested: (empty)
    """

    seq: int
    type: int
    at: int
    body: tuple[Any, ...]


COMMANDS = frozenset(
    {
        EventType.ACTIVITY_SCHEDULED,
        EventType.COMPENSATION_SCHEDULED,
        EventType.TIMER_STARTED,
        EventType.SIDE_EFFECT,
        EventType.PATCHED,
    }
)
"""Types that workflow code causes; every other type comes from outside."""

_LEAST_LENGTH: dict[int, int] = {
    EventType.ACTIVITY_SCHEDULED: 5,
    EventType.ACTIVITY_COMPLETED: 2,
    EventType.ACTIVITY_FAILED: 5,
    EventType.ACTIVITY_RETRIED: 5,
    EventType.ACTIVITY_CRASHED: 2,
    EventType.ACTIVITY_RESTARTED: 1,
    EventType.TIMER_STARTED: 3,
    EventType.TIMER_FIRED: 1,
    EventType.SIGNAL_RECEIVED: 3,
    EventType.SIDE_EFFECT: 4,
    EventType.PATCHED: 3,
    EventType.CANCEL_REQUESTED: 0,
    EventType.COMPENSATION_SCHEDULED: 5,
    EventType.COMPENSATION_COMPLETED: 2,
    EventType.COMPENSATION_FAILED: 5,
}


def is_whole(event: Event) -> bool:
    """Whether this version knows the event's type and its body has everything that replay reads."""
    least = _LEAST_LENGTH.get(event.type)
    return least is not None and len(event.body) >= least


def event_name(type: int) -> str:
    """Return the public name of an event type, e.g. ``activity_scheduled``."""
    return EventType(type).name.lower()
