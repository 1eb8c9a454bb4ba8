"""The sentences that tell an operator why a run is blocked. Pure text."""

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
        case EventType.CHILD_STARTED | EventType.RUN_CONTINUED_AS_NEW | EventType.STATE_PUBLISHED:
            return f"{name} {event.body[0]} from {event.body[1]}"
        case EventType.ATTRIBUTES_SET:
            return f"{name} {event.body[0]} from {event.body[1]}"
        case EventType.PATCHED:
            return f"{name} {event.body[0]}"
        case EventType.TIMER_STARTED | EventType.CHILD_CANCEL_REQUESTED:
            return f"{name} from {event.body[1]}"
        case EventType.SIGNAL_RECEIVED:
            return f"{name} {event.body[0]}"
        case EventType.CANCEL_REQUESTED:
            return name
        case _:
            return f"{name} of event {event.body[0]}"


def describe_command(type: EventType, target: object, caller: str) -> str:
    """Return a command of the code as a person would name it."""
    named = f" {target}" if isinstance(target, str) and type is not EventType.CHILD_CANCEL_REQUESTED else ""
    return f"{event_name(type)}{named} from {caller}"


def drift(expected: Event, type: EventType, target: object, caller: str, where: str) -> Blocked:
    """The code issues another command than the journal has at this position."""
    actual = describe_command(type, target, caller)
    return _drift(
        f"at event {expected.seq} the journal has {describe(expected)}, "
        f"the code at {where} asks for {actual}",
        expected,
        actual,
        where,
    )


def other_input(expected: Event, caller: str, where: str) -> Blocked:
    """The code starts the run that the journal has, but with another input."""
    actual = f"{event_name(expected.type)} {expected.body[0]} from {caller}, with another input"
    return _drift(
        f"at event {expected.seq} the journal has {describe(expected)}, "
        f"the code at {where} gives it another input",
        expected,
        actual,
        where,
    )


def extra_event(event: Event) -> Blocked:
    """The journal has a command that the code did not issue."""
    return _drift(
        f"at event {event.seq} the journal has {describe(event)}, the code asks for nothing",
        event,
        "nothing: the code waits",
    )


def leftover(event: Event) -> Blocked:
    """The code has returned, but the journal continues."""
    return _drift(
        f"the code has ended, but the journal goes on at event {event.seq} with {describe(event)}",
        event,
        "nothing: the code has ended",
    )


def unexpected(event: Event) -> Blocked:
    """The journal has an event from outside that the code does not wait for."""
    return _drift(
        f"at event {event.seq} the journal has {describe(event)}, which the code does not wait for",
        event,
        "nothing that waits for it",
    )


def continues_after_end(position: int, command: str | None) -> Blocked:
    """The run ended with the last event of the journal, but the code continues."""
    actual = command or "nothing: the code waits"
    reason = f"the run has ended after event {position - 1}, the code goes on: {actual}; {_DEPLOY}"
    return Blocked("drift", reason, position, "the end of the run", actual)


def unreadable(position: int | None, what: str) -> Blocked:
    """A value in the journal does not match the type that the code reads it as."""
    place = "" if position is None else f"event {position}: "
    reason = f"the code cannot read what the journal has: {place}{what}; deploy code whose types read it"
    return Blocked("drift", reason, position)


def _drift(what: str, expected: Event, actual: str, where: str | None = None) -> Blocked:
    return Blocked("drift", f"{what}; {_DEPLOY}", expected.seq, describe(expected), actual, where)


def corrupt_history(position: int, event: Event) -> Blocked:
    """An event is missing, out of place, of an unknown type or incomplete."""
    if event.seq < 0:
        # As a journal marks what it cannot read.
        what = f"event {position} is missing or cannot be read"
    elif event.seq != position:
        what = f"event {position} is missing (found {event.seq})"
    else:
        what = f"event {position}, of type {event.type}, is unknown to this version or incomplete"
    return Blocked("corrupt", f"the history is broken: {what}; restore it from a backup or cancel the run")


def unreadable_options(position: int, name: str, why: str) -> Blocked:
    """A call that the run waits for has options that this release does not know or would refuse."""
    reason = (
        f"event {position}: the options of {name} are not what this release writes: {why}; update this node "
        "to the release that wrote them, then `continuum runs unblock`, or cancel the run"
    )
    return Blocked("corrupt", reason, position, actual=why)


def livelock(callbacks: int) -> Blocked:
    """The code runs on and on without waiting for anything."""
    return Blocked(
        "poison",
        f"the workflow ran {callbacks} callbacks without waiting for anything; "
        "look for a loop that never awaits an effect",
    )
