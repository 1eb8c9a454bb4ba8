"""The content of a snapshot: a history rewritten for replay alone.

Most of a long history consists of calls that completed before the code did anything else:
scheduled, perhaps retried, completed. Replay needs only the result of such a call, and it
may return it without suspending the code, because nothing happened in between. `compact`
finds those calls. It keeps only what replay reads of everything else: it drops the
arguments of completed calls, attempts, and places in the source.

A snapshot is only a short cut. When the code does not match it, the events themselves are
replayed, which also explain better what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from types import CodeType
from typing import Any, NamedTuple

from continuum.engine.events import (
    ABOUT_THE_HISTORY,
    COMMANDS,
    FIRST_MOMENT,
    LAST_MOMENT,
    SCHEDULES,
    Event,
    EventType,
    is_whole,
)

_COMPLETES: dict[int, EventType] = {
    EventType.ACTIVITY_SCHEDULED: EventType.ACTIVITY_COMPLETED,
    EventType.COMPENSATION_SCHEDULED: EventType.COMPENSATION_COMPLETED,
}
_ATTEMPTS = frozenset((EventType.ACTIVITY_RETRIED, EventType.ACTIVITY_CRASHED, EventType.ACTIVITY_RESTARTED))
_RESULTS = frozenset(
    (
        EventType.ACTIVITY_COMPLETED,
        EventType.ACTIVITY_FAILED,
        EventType.COMPENSATION_COMPLETED,
        EventType.COMPENSATION_FAILED,
    )
)


# Stands in for the arguments and options of a call that has its result and will not start again.
_COMPLETED_CALL = (b"", None)


class Form(IntEnum):
    """What one step of a compact history represents. The numbers are stored."""

    COMMAND = 0  # one command; its value is the rest of the body
    COMPLETED_CALL = 1  # a call and everything up to its result, which is the value
    OUTSIDE = 2  # one event from outside; its value is the body


class Kind(NamedTuple):
    """What many steps have in common. `width` is how many events each of them represents."""

    form: int
    type: int
    target: Any
    author: str
    width: int


@dataclass(slots=True)
class CompactHistory:
    """A part of a history as steps, which are taken one after the other while it is replayed.

    `steps` are indexes into `kinds`. `values` has a value for each step; `delays` has the microseconds
    since the step before, and for the first step those since the epoch. Results of completed calls are
    plain decoded values; `repack` returns the stored form of one. `first` is the seq of the first event,
    `events` how many events the part represents, and `following` the next part, if there is one.
    """

    kinds: Sequence[Kind]
    steps: Sequence[int]
    values: Sequence[Any]
    delays: Sequence[int]
    first: int
    events: int
    repack: Callable[[Any], bytes]
    following: CompactHistory | None = None
    count: int = field(init=False)
    # How far replay has come: the next step, the seq of its first event and its time, and a result
    # that is due before that step because the code could not get it at once.
    position: int = field(init=False, default=0)
    seq: int = field(init=False)
    time: int = field(init=False)
    due: Event | None = field(init=False, default=None)
    # The code object last seen as the author of each kind, so that names are compared only once.
    authors: list[CodeType | None] = field(init=False)

    def __post_init__(self) -> None:
        self.count = len(self.steps)
        self.seq = self.first
        self.time = self.delays[0] if self.count else 0
        self.authors = [None] * len(self.kinds)

    @property
    def end(self) -> int:
        """The seq of the first event after this part and all that follow."""
        return self.following.end if self.following is not None else self.first + self.events

    @property
    def ended(self) -> bool:
        """Whether every step has been replayed."""
        return self.position == self.count and self.due is None

    def next_recorded(self) -> Event:
        """Return what comes next as an event; for a completed call it has only the target."""
        if self.due is not None:
            return self.due
        kind = self.kinds[self.steps[self.position]]
        target: Any = kind.target
        rest: tuple[Any, ...] = self.values[self.position] if kind.form == Form.COMMAND else ()
        if kind.type == EventType.TIMER_STARTED:
            target, rest = rest[0], rest[1:]
        return Event(self.seq, kind.type, self.time, (target, kind.author, "", *rest))

    def advance(self, width: int) -> None:
        """Move past a step that represents `width` events."""
        self.seq += width
        self.position += 1
        if self.position < self.count:
            self.time += self.delays[self.position]

    def take_command(self, type: int, target: object, author: str) -> Event | None:
        """Take the next step as the event of this command; None when it is another command."""
        if self.due is not None or self.position == self.count:
            return None
        form, expected, name, expected_author, width = self.kinds[self.steps[self.position]]
        if form == Form.OUTSIDE or expected != type or expected_author != author:
            return None
        value, at, seq = self.values[self.position], self.time, self.seq
        rest: tuple[Any, ...] = value
        if type == EventType.TIMER_STARTED:
            target, rest = value[0], ()
        elif target != name:
            return None
        self.advance(width)
        if form == Form.COMPLETED_CALL:
            self.due = Event(seq + 1, _COMPLETES[type], at, (seq, self.repack(value)))
            rest = _COMPLETED_CALL
        return Event(seq, type, at, (target, author, "", *rest))

    def take_outside(self) -> Event | None:
        """Take the next step as an event from outside; None when it is a command."""
        if self.due is not None:
            event, self.due = self.due, None
            return event
        if self.position == self.count:
            return None
        kind = self.kinds[self.steps[self.position]]
        if kind.form != Form.OUTSIDE:
            return None
        event = Event(self.seq, kind.type, self.time, self.values[self.position])
        self.advance(kind.width)
        return event


class Steps(NamedTuple):
    """The output of `compact`, before it is encoded: results are still payloads.

    `skipped` events come before the first step and do not matter to replay.
    """

    kinds: list[Kind]
    steps: list[int]
    values: list[Any]
    times: list[int]
    skipped: int


def compact(events: Sequence[Event]) -> Steps:
    """Rewrite a part of a history."""
    completed_calls = {event.body[0] for event in events if event.type in _RESULTS}
    kinds: dict[Kind, int] = {}
    place, end = _descriptions(events, 0), len(events)
    found = Steps([], [], [], [], place)
    while place < end:
        event = events[place]
        last = _result_of(events, place)
        if last is not None:
            kind = Kind(Form.COMPLETED_CALL, event.type, event.body[0], event.body[1], last - place + 1)
            value, event = events[last].body[1], events[last]
        elif event.type in COMMANDS:
            # The journal decides the due time, so it is a value and not part of the command's identity.
            timer = event.type == EventType.TIMER_STARTED
            kind = Kind(Form.COMMAND, event.type, None if timer else event.body[0], event.body[1], 1)
            value = (event.body[0], *event.body[3:]) if timer else _rest(event, completed_calls)
        else:
            kind = Kind(Form.OUTSIDE, event.type, None, "", 1)
            value = event.body
        # What describes the history is neither caused by the code nor waited for. It is counted with
        # the step before it.
        kind = kind._replace(width=kind.width + _descriptions(events, place + kind.width))
        found.steps.append(kinds.setdefault(kind, len(kinds)))
        found.values.append(value)
        found.times.append(event.at)
        place += kind.width
    found.kinds.extend(kinds)
    return found


def can_be_compacted(events: Sequence[Event]) -> bool:
    """Whether no call that was pending where the history was cut is pending still.

    A replay begins such a call again, and the steps do not say where.
    """
    forked = max((event.seq for event in events if event.type == EventType.RUN_FORKED), default=-1)
    if forked < 0:
        return True
    answered = {event.body[0] for event in events if event.type in _RESULTS}
    calls = (event.seq for event in events if event.type in SCHEDULES and event.seq < forked)
    return events[0].seq == 0 and all(seq in answered for seq in calls)


def is_readable(
    kinds: Sequence[Kind], steps: Sequence[int], values: Sequence[Any], delays: Sequence[int]
) -> bool:
    """Whether replay can read every step: the types are those that `compact` writes."""
    if not (type(steps) is type(delays) is tuple and set(map(type, (*steps, *delays))) <= {int}):
        return False
    if min(steps, default=0) < 0 or not all(map(_is_readable_kind, kinds)):
        return False
    # Many values have the same types: one of each combination is checked, unless its content matters too.
    checked = [kind.form != Form.COMPLETED_CALL for kind in kinds]
    by_content = [kind.type == EventType.SIDE_EFFECT and kind.target == "uuid4" for kind in kinds]
    seen: dict[tuple[Any, ...], Any] = {}
    for step, value in zip(steps, values, strict=True):
        if checked[step]:
            if type(value) is not tuple:
                return False
            seen[(step, *value) if by_content[step] else (step, *map(type, value))] = value
    return all(_is_readable_value(kinds[step], value) for (step, *_), value in seen.items()) and (
        _are_moments(kinds, steps, values)
    )


def _are_moments(kinds: Sequence[Kind], steps: Sequence[int], values: Sequence[Any]) -> bool:
    """Whether a datetime holds every reading of the time."""
    of_time = [kind.type == EventType.SIDE_EFFECT and kind.target == "now" for kind in kinds]
    if not any(of_time):
        return True
    read = [value[0] for step, value in zip(steps, values, strict=True) if of_time[step]]
    moments = [moment for moment in read if moment is not None]
    return not moments or (min(moments) >= FIRST_MOMENT and max(moments) <= LAST_MOMENT)


def _is_readable_kind(kind: Kind) -> bool:
    form, type_, target, author, width = kind
    if set(map(type, (form, type_, width))) != {int} or type(author) is not str or width < 1:
        return False
    match form:
        case Form.COMPLETED_CALL:
            return type_ in _COMPLETES and type(target) is str
        case Form.COMMAND:
            return type_ in COMMANDS and (type(target) is str or type_ == EventType.TIMER_STARTED)
        case _:
            return form == Form.OUTSIDE and type_ not in COMMANDS


def _is_readable_value(kind: Kind, value: Any) -> bool:
    """Whether the value makes the event of its kind whole."""
    if kind.form == Form.OUTSIDE:
        return is_whole(Event(0, kind.type, 0, value))
    if kind.type == EventType.TIMER_STARTED:
        return bool(value) and is_whole(Event(0, kind.type, 0, (value[0], kind.author, "", *value[1:])))
    return is_whole(Event(0, kind.type, 0, (kind.target, kind.author, "", *value)))


def _descriptions(events: Sequence[Event], place: int) -> int:
    end = place
    while end < len(events) and events[end].type in ABOUT_THE_HISTORY:
        end += 1
    return end - place


def _result_of(events: Sequence[Event], place: int) -> int | None:
    """Return the position of the result of the call at `place`, if nothing else happened before it."""
    call = events[place]
    completed = _COMPLETES.get(call.type)
    if completed is None:
        return None
    place += 1
    while place < len(events) and events[place].type in _ATTEMPTS and events[place].body[0] == call.seq:
        place += 1
    if place < len(events) and events[place].type == completed and events[place].body[0] == call.seq:
        return place
    return None


def _rest(event: Event, completed_calls: set[int]) -> tuple[Any, ...]:
    if event.type in _COMPLETES and event.seq in completed_calls:
        return _COMPLETED_CALL
    return event.body[3:]
