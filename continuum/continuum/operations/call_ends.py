"""Which calls of a history have ended, and how. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from continuum.engine.events import ANSWERS, SCHEDULES, Event, EventType

COMPLETED = (EventType.ACTIVITY_COMPLETED, EventType.COMPENSATION_COMPLETED)


def answers_of(events: Sequence[Event]) -> Mapping[int, Event]:
    """Return the ends of calls, by the seq of the call."""
    return {event.body[0]: event for event in events if event.type in ANSWERS}


def pending_calls(events: Sequence[Event]) -> Mapping[int, Event]:
    """Return the calls that are pending after these events, by seq."""
    pending: dict[int, Event] = {}
    for event in events:
        if event.type in SCHEDULES:
            pending[event.seq] = event
        elif event.type in ANSWERS:
            pending.pop(event.body[0], None)
    return pending


def has_failed(end: Event | None) -> bool:
    """Whether a call has this end, and that is a failure."""
    return end is not None and end.type not in COMPLETED


def has_result(end: Event | None) -> bool:
    """Whether a call has this end, and that is a result."""
    return end is not None and end.type in COMPLETED
