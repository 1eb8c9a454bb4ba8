"""The sentences an operator reads when a run cannot go on. Pure text."""

from __future__ import annotations

from continuum.engine.events import Event, EventType, event_name
from continuum.engine.outcome import Blocked

_DEPLOY = "deploy code that still does what the journal says, or guard the change with continuum.patched()"


def describe(event: Event) -> str:
    """Return an event as a person would name it, e.g. ``activity_scheduled charge from order_flow``."""
    name = event_name(event.type)
    match event.type:
        case EventType.ACTIVITY_SCHEDULED | EventType.COMPENSATION_SCHEDULED | EventType.SIDE_EFFECT:
            return f"{name} {event.body[0]} from {event.body[1]}"
        case EventType.PATCHED:
            return f"{name} {event.body[0]}"
        case EventType.TIMER_STARTED:
            return f"{name} from {event.body[1]}"
        case EventType.SIGNAL_RECEIVED:
            return f"{name} {event.body[0]}"
        case EventType.CANCEL_REQUESTED:
            return name
        case _:
            return f"{name} of event {event.body[0]}"


def drift(expected: Event, type: EventType, name: str | None, caller: str, where: str) -> Blocked:
    """The code asks for something else than the journal has at this place."""
    actual = f"{event_name(type)}{f' {name}' if name else ''} from {caller}"
    return Blocked(
        "drift",
        f"at event {expected.seq} the journal has {describe(expected)}, "
        f"the code at {where} asks for {actual}; {_DEPLOY}",
    )


def extra_event(event: Event) -> Blocked:
    """The journal has a command that the code did not ask for."""
    return Blocked(
        "drift",
        f"at event {event.seq} the journal has {describe(event)}, the code asks for nothing; {_DEPLOY}",
    )


def leftover(event: Event) -> Blocked:
    """The code returned although the journal goes on."""
    return Blocked(
        "drift",
        f"the code has ended, but the journal goes on at event {event.seq} with {describe(event)}; {_DEPLOY}",
    )


def unasked(event: Event) -> Blocked:
    """The journal answers something that the code never asked."""
    return Blocked(
        "drift",
        f"at event {event.seq} the journal has {describe(event)}, "
        f"which the code does not wait for; {_DEPLOY}",
    )


def corrupt_history(position: int, event: Event) -> Blocked:
    """An event is missing, out of place, of an unknown type or cut short."""
    if event.seq != position:
        what = f"event {position} is missing (found {event.seq})"
    else:
        what = f"event {position}, of type {event.type}, is unknown to this version or incomplete"
    return Blocked("corrupt", f"the history is broken: {what}; restore it from a backup or cancel the run")


def livelock(callbacks: int) -> Blocked:
    """The code keeps itself busy without waiting for anything."""
    return Blocked(
        "poison",
        f"the workflow ran {callbacks} callbacks without waiting for anything; "
        "look for a loop that never awaits an effect",
    )
