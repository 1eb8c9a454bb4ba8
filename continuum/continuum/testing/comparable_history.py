"""A history without times, places and random values, so that runs that did the same compare equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from continuum.engine.events import ABOUT_THE_HISTORY, Event, EventType, event_name

# These values differ from run to run. Versions differ from deploy to deploy.
_RANDOM = frozenset({"now", "today", "uuid4", "random"})


def comparable_history(events: Sequence[Event]) -> list[tuple[Any, ...]]:
    """Return the comparable part of each event; events refer to each other by their place in this list."""
    places = {event.seq: place for place, event in enumerate(events)}
    return [_comparable(event, places) for event in events if event.type not in ABOUT_THE_HISTORY]


def _comparable(event: Event, places: dict[int, int]) -> tuple[Any, ...]:
    name, body = event_name(event.type), event.body
    match event.type:
        case EventType.ACTIVITY_SCHEDULED | EventType.COMPENSATION_SCHEDULED:
            return name, body[0], body[1], body[3], body[4]
        case EventType.TIMER_STARTED:
            return name, body[1]
        case EventType.SIGNAL_RECEIVED:
            return name, body[0], body[1]
        case EventType.SIDE_EFFECT:
            return name, body[0], body[1], *(() if body[0] in _RANDOM else body[3:])
        case EventType.PATCHED | EventType.STATE_PUBLISHED | EventType.ATTRIBUTES_SET:
            return name, body[0], body[1]
        case EventType.CHILD_STARTED | EventType.RUN_CONTINUED_AS_NEW:
            return name, body[0], body[1], *body[4:]
        case EventType.CHILD_CANCEL_REQUESTED:
            return name, body[1]
        case EventType.CANCEL_REQUESTED:
            return (name,)
        case (
            EventType.ACTIVITY_FAILED
            | EventType.COMPENSATION_FAILED
            | EventType.CHILD_FAILED
            | EventType.ACTIVITY_RETRIED
        ):
            # Neither the traceback nor the time of the next attempt.
            return name, places.get(body[0]), body[1], body[2]
        case _:
            return name, places.get(body[0]), *body[1:]
