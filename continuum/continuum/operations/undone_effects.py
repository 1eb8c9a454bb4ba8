"""What compensations have undone, or may have undone, of what a history says was done. Pure.

Only a compensation that has completed has undone anything for sure. One that failed, or that did not end, may
have undone what it was to undo, or may not have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from continuum.engine.events import SCHEDULES, Event, EventType, is_whole
from continuum.operations.call_ends import answers_of, has_failed, pending_calls
from continuum.operations.cut_facts import Bound, Relative

# What may have to be undone.
_EFFECTS = SCHEDULES | {EventType.CHILD_STARTED}
# Where the body of a compensation says since when what it undoes was done.
_SINCE = 5
# The place of a bound before which no cut is.
NOWHERE = -1


def undone(
    before: Sequence[Event],
    later: Sequence[Event],
    *,
    executed: bool,
    forked: bool = False,
    kept: Collection[int] = (),
    by: str | None = None,
    inherits: bool = False,
) -> Iterator[Bound]:
    """Yield what compensations after a cut have undone before it, or what two runs would undo.

    `executed` says that the run which is cut may execute what is pending, now or later. A pending
    compensation that has failed is tried again by a run that takes the place of this one, and so are those
    after it that have failed; one in `kept` has an end that stays. The events after the cut are those of the
    run `by`, without it those of the run that is cut. One that `inherits` began with what a run before it has
    done: what may have undone that leaves no cut.
    """
    ends, pending = answers_of(later), pending_calls(before)
    tried_again = not forked and is_tried_again(pending, ends)
    for seq, event in pending.items():
        if event.type != EventType.COMPENSATION_SCHEDULED or seq in kept:
            continue
        if tried_again and has_failed(ends.get(seq)):
            continue
        if executed or seq in ends:
            verb = verb_of(ends[seq]) if seq in ends else "undoes"
            yield from _bounds_of(event, before, verb, None, inherits=inherits)
    for event in later:
        if event.type == EventType.COMPENSATION_SCHEDULED:
            end = ends.get(event.seq)
            if not (tried_again and has_failed(end)):
                yield from _bounds_of(event, before, verb_of(end), by, inherits=inherits)


def is_tried_again(pending: Mapping[int, Event], ends: Mapping[int, Event]) -> bool:
    """Whether a compensation among these calls has failed since."""
    compensations = (seq for seq, event in pending.items() if event.type == EventType.COMPENSATION_SCHEDULED)
    return any(has_failed(ends.get(seq)) for seq in compensations)


def undone_by(
    other: Relative,
    before: Sequence[Event],
    *,
    executed: bool,
    forked: bool,
    kept: Collection[int] = (),
    inherits: bool = False,
) -> Iterator[Bound]:
    """Yield what the compensations of another run have undone of the events before a cut."""
    shared, by = before[: other.shared], other.run_id
    if not other.continues:
        yield from undone(
            shared, other.events, executed=executed, forked=forked, kept=kept, by=by, inherits=inherits
        )
        return
    ends = answers_of(other.events)
    for event in filter(reaches_back, other.events):
        yield from _bounds_of(event, shared, verb_of(ends.get(event.seq)), by, inherits=inherits)


def _bounds_of(
    compensation: Event, before: Sequence[Event], verb: str, by: str | None, *, inherits: bool
) -> Iterator[Bound]:
    if inherits and reaches_back(compensation):
        why = f"{_named(compensation, by)} {verb} what was done before the run began"
        yield Bound(NOWHERE, f"{why}, by those that it continues; fork one of these")
        return
    since = undoes_from(compensation)
    done = next((done for done in before if done.seq >= since and done.type in _EFFECTS), None)
    if done is not None:
        yield bound_of(compensation, done, verb, by)


def bound_of(compensation: Event, done: Event, verb: str, by: str | None) -> Bound:
    """Return that a compensation, of the run `by`, has undone what was done from an event on."""
    why = f"{_named(compensation, by)} {verb} what the run did from event"
    return Bound(done.seq, f"{why} {done.seq} on ({done.body[0]})")


def _named(compensation: Event, by: str | None) -> str:
    whose = f"event {compensation.seq}" if by is None else f"event {compensation.seq} of run {by}"
    return f"{compensation.body[0]} ({whose})"


def verb_of(end: Event | None) -> str:
    """Return what a compensation with this end has done to what it was to undo."""
    if end is None:
        return "has begun since, and may have undone"
    if end.type == EventType.COMPENSATION_COMPLETED:
        return "has undone since"
    return "failed, so it may or may not have undone"


def undoing(later: Sequence[Event], seq: int) -> Event | None:
    """Return the compensation among later events that may have undone what event `seq` has begun."""
    compensations = (event for event in later if event.type == EventType.COMPENSATION_SCHEDULED)
    return next((event for event in compensations if undoes_from(event) <= seq), None)


def starts_child(event: Event) -> bool:
    """Whether an event has started a child."""
    return event.type == EventType.CHILD_STARTED and is_whole(event)


def first_effect(events: Sequence[Event]) -> Event | None:
    """Return the first event that has begun something which may have to be undone."""
    return next((event for event in events if event.type in _EFFECTS), None)


def reaches_back(event: Event) -> bool:
    """Whether an event is a compensation that may undo what was done before its run began."""
    return event.type == EventType.COMPENSATION_SCHEDULED and not _says_since(event)


def _says_since(compensation: Event) -> bool:
    return len(compensation.body) > _SINCE and isinstance(compensation.body[_SINCE], int)


def undoes_from(compensation: Event) -> int:
    """Return the event before which a compensation has undone nothing."""
    return compensation.body[_SINCE] if _says_since(compensation) else 0
