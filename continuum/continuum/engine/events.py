"""Events: the entries of a run's history.

An event has a position in the run, a type, the time when it was journaled (microseconds
since the epoch on the database clock) and a body of primitives whose shape depends on the
type. Bodies carry user values as encoded bytes, so this module needs no codec, and replay
decodes only what it uses.

Command events are written when workflow code issues a command, in that order. All others
come from outside: results, signals, fired timers. Replay matches the commands against the
code and passes it the rest.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from itertools import product
from typing import Any, NamedTuple


class EventType(IntEnum):
    """The type of an event. The numbers are stored: never reuse or change one."""

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
    CHILD_STARTED = 16
    CHILD_COMPLETED = 17
    CHILD_FAILED = 18
    CHILD_CANCELLED = 19
    CHILD_CANCEL_REQUESTED = 20
    RUN_CONTINUED_AS_NEW = 21
    STATE_PUBLISHED = 22
    VERSION_CHANGED = 23
    ATTRIBUTES_SET = 24
    RUN_FORKED = 25


class Forking(StrEnum):
    """How a run came to begin with the events of another: the name of the call."""

    RESTART = "restart"
    RESET = "reset"
    FORK = "fork"


class Event(NamedTuple):
    """One entry of a run's history.

    Bodies by type, where ``caller`` is the qualified name of the function that issued the
    command, and ``where`` its file and line, for messages only:

    - activity scheduled: name, caller, where, arguments, options; with a summary also None, summary
    - compensation scheduled: the same, but with the seq before which nothing was that it undoes for None
    - activity or compensation completed: scheduled seq, result
    - activity or compensation failed: scheduled seq, type, message, traceback, attempt
    - activity retried: scheduled seq, type, message, attempt, due (microseconds)
    - activity crashed: scheduled seq, crashes so far
    - activity restarted (its backoff is over): scheduled seq
    - timer started: due (microseconds), caller, where, mark (see `TIMER_MARK`)
    - timer fired: started seq
    - signal received: name, value, delivery id or None
    - side effect: kind, caller, where, value; or kind, caller, where, None, type, message when it raised
    - patched: name, caller, where
    - cancel requested: (empty), or "parent" when the end of the run's parent caused it
    - child started: workflow, caller, where, child run id, digest of its input, close policy
    - child completed: started seq, result
    - child failed: started seq, type, message, traceback
    - child cancelled: started seq
    - child cancel requested (by the parent's code): child run id, caller, where
    - run continued as new: workflow, caller, where, successor's run id, digest of its input
    - state published: name, caller, where
    - attributes set: their names, caller, where
    - version changed: version before, version from here on
    - run forked (the events before are those of another run): id of that run, how (see `Forking`), own id
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
        EventType.CHILD_STARTED,
        EventType.CHILD_CANCEL_REQUESTED,
        EventType.RUN_CONTINUED_AS_NEW,
        EventType.STATE_PUBLISHED,
        EventType.ATTRIBUTES_SET,
    }
)
"""The types that workflow code causes; every other type comes from outside."""

ANSWERS = frozenset(
    {
        EventType.ACTIVITY_COMPLETED,
        EventType.ACTIVITY_FAILED,
        EventType.COMPENSATION_COMPLETED,
        EventType.COMPENSATION_FAILED,
    }
)
"""The types that end an activity or a compensation."""

SCHEDULES = frozenset({EventType.ACTIVITY_SCHEDULED, EventType.COMPENSATION_SCHEDULED})
"""The types that begin an activity or a compensation."""

ABOUT_THE_HISTORY = frozenset({EventType.VERSION_CHANGED, EventType.RUN_FORKED})
"""The types that describe the history: code neither causes them nor waits for them."""

CHILD_ENDS = frozenset({EventType.CHILD_COMPLETED, EventType.CHILD_FAILED, EventType.CHILD_CANCELLED})
"""The types that report the end of a child."""

_SEQ, _CALLER, _TEXT = (int,), (str,), (str,)
_COMMAND = (_TEXT, _CALLER, _TEXT)
_MAYBE = type(None)
# The types that the parts of a body may have, as far as replay reads them; later releases may add parts.
_PARTS: dict[int, tuple[tuple[type, ...], ...]] = {
    EventType.ACTIVITY_SCHEDULED: (*_COMMAND, (bytes,), (dict, _MAYBE)),
    EventType.ACTIVITY_COMPLETED: (_SEQ, (bytes,)),
    EventType.ACTIVITY_FAILED: (_SEQ, _TEXT, _TEXT, _TEXT, (int,)),
    EventType.ACTIVITY_RETRIED: (_SEQ, _TEXT, _TEXT, (int,), (int,)),
    EventType.ACTIVITY_CRASHED: (_SEQ, (int,)),
    EventType.ACTIVITY_RESTARTED: (_SEQ,),
    EventType.TIMER_STARTED: ((int,), _CALLER, _TEXT),
    EventType.TIMER_FIRED: (_SEQ,),
    EventType.SIGNAL_RECEIVED: (_TEXT, (bytes,), (str, _MAYBE)),
    EventType.SIDE_EFFECT: (*_COMMAND, (bytes, int, _MAYBE)),
    EventType.PATCHED: _COMMAND,
    EventType.CANCEL_REQUESTED: (),
    EventType.COMPENSATION_SCHEDULED: (*_COMMAND, (bytes,), (dict, _MAYBE)),
    EventType.COMPENSATION_COMPLETED: (_SEQ, (bytes,)),
    EventType.COMPENSATION_FAILED: (_SEQ, _TEXT, _TEXT, _TEXT, (int,)),
    EventType.CHILD_STARTED: (*_COMMAND, _TEXT, (bytes,), (int,)),
    EventType.CHILD_COMPLETED: (_SEQ, (bytes,)),
    EventType.CHILD_FAILED: (_SEQ, _TEXT, _TEXT, _TEXT),
    EventType.CHILD_CANCELLED: (_SEQ,),
    EventType.CHILD_CANCEL_REQUESTED: _COMMAND,
    EventType.RUN_CONTINUED_AS_NEW: (*_COMMAND, _TEXT, (bytes,)),
    EventType.STATE_PUBLISHED: _COMMAND,
    EventType.ATTRIBUTES_SET: _COMMAND,
    EventType.VERSION_CHANGED: (_TEXT, _TEXT),
    EventType.RUN_FORKED: (_TEXT, _TEXT),
}
VALUE_PLACES = {
    type: place for type, parts in _PARTS.items() for place, kinds in enumerate(parts) if bytes in kinds
}
"""Where in a body its encoded value is, by type; the value of some side effects is no bytes."""
_SUMMARY = 6
_LEAST_LENGTH = {type: len(parts) for type, parts in _PARTS.items()}
# All types of a body looked up at once: that costs less than a look at each part.
_ALLOWED = {type: frozenset(product(*parts)) for type, parts in _PARTS.items()}
_WHOLE = {type: allowed for type, allowed in _ALLOWED.items() if type != EventType.SIDE_EFFECT}
_FAILED_SIDE_EFFECT = (type(None), str, str)
_UUID_BYTES = 16
# What a datetime holds, in microseconds since the epoch.
FIRST_MOMENT, LAST_MOMENT = -62_135_596_800_000_000, 253_402_300_799_999_999


# A wait with a timeout for a signal that is there already starts no timer. Earlier releases started one; the
# timers that they wrote have no mark.
TIMER_MARK = 1


def is_timer_of_earlier_release(event: Event) -> bool:
    """Whether an earlier release wrote this timer; a wait may have started it for a signal that was there."""
    return event.type == EventType.TIMER_STARTED and len(event.body) == _LEAST_LENGTH[event.type]


def is_whole(event: Event) -> bool:
    """Whether this version knows the event's type and the body has all that replay reads, as it reads it."""
    kinds = tuple(map(type, event.body))
    if kinds in _WHOLE.get(event.type, ()):
        return True
    least = _LEAST_LENGTH.get(event.type)
    if least is None or kinds[:least] not in _ALLOWED[event.type]:
        return False
    return event.type != EventType.SIDE_EFFECT or _is_whole_read(event.body[0], event.body[3:])


def _is_whole_read(kind: str, recorded: tuple[Any, ...]) -> bool:
    """Whether the rest of a side effect's body is a value of its kind, or what it raised."""
    value = recorded[0]
    if len(recorded) > 1:
        return tuple(map(type, recorded)) == _FAILED_SIDE_EFFECT
    if kind == "now":
        return type(value) is int and FIRST_MOMENT <= value <= LAST_MOMENT
    return type(value) is bytes and (kind != "uuid4" or len(value) == _UUID_BYTES)


def summary_of(event: Event) -> str | None:
    """Return the line for people that was written with a call, None without one."""
    found = event.body[_SUMMARY] if event.type in SCHEDULES and len(event.body) > _SUMMARY else None
    return found if isinstance(found, str) else None


def event_name(type: int) -> str:
    """Return the public name of an event type, e.g. ``activity_scheduled``."""
    return EventType(type).name.lower()
