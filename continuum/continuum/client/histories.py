"""A run's history for people: events by name, and payloads with named fields."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from continuum.engine import events as engine
from continuum.engine.children import ClosePolicy
from continuum.engine.events import EventType
from continuum.journal.untyped_values import Unreadable, at, readable, readable_call
from continuum.quoting import shortened

# The prefix of the delivery id that the client makes for a signal without one, so that a repeated post is
# deduplicated. Users' ids have no control characters, so the two cannot collide.
INTERNAL_DELIVERY = "\x1f"

_CORRUPT = Unreadable("the event cannot be read; restore it from a backup, or cancel the run with force")
_OF_CHILDREN = frozenset(type for type in EventType if type.name.startswith("CHILD_"))
_OF_ACTIVITIES = frozenset(type for type in EventType if type.name.startswith(("ACTIVITY_", "COMPENSATION_")))
_FAILED = ("scheduled", "type", "message", "traceback", "attempt")
_CHILD_FAILED = ("type", "message", "traceback")
# As `start_child` spells them.
_CLOSE_POLICIES = {ClosePolicy.CASCADE: None, ClosePolicy.CANCEL: "cancel", ClosePolicy.ABANDON: "abandon"}
_RETRIED = ("scheduled", "type", "message", "attempt")


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a history. `name` is that of its activity, signal, patch or child, if it has one.

    `payload` depends on the type: e.g. ``arguments`` of an ``activity_scheduled``,
    ``scheduled`` (the seq of that event) and ``result`` of an ``activity_completed``,
    ``child_run_id`` of every event about a child, ``continued_to`` of ``run_continued_as_new``,
    ``origin`` of ``run_forked`` (the run whose events come before it).
    """

    seq: int
    type: str
    name: str | None
    payload: dict[str, Any]
    at: datetime


def history_of(stored: Sequence[engine.Event]) -> list[Event]:
    """Return a stored history for people; an unreadable event is shown as `Unreadable`."""
    known = _Known({}, {})
    return [_event_of(event, known) for event in stored]


@dataclass(frozen=True, slots=True)
class _Known:
    """Facts from earlier events: the name of each command and child, and children by seq."""

    names: dict[int | str, str]
    children: dict[int, str]


def _event_of(event: engine.Event, known: _Known) -> Event:
    if event.seq < 0:
        return Event(event.seq, "corrupt", None, {"body": _CORRUPT}, at(event.at))
    try:
        name, payload = _read(event, known)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        name, payload = None, {"body": Unreadable(f"the event cannot be read: {shortened(error)}")}
    return Event(event.seq, _type_name(event.type), name, payload, at(event.at))


def _type_name(type: int) -> str:
    try:
        return engine.event_name(type)
    except ValueError:
        return f"type_{type}"


def _read(event: engine.Event, known: _Known) -> tuple[str | None, dict[str, Any]]:
    body, type = event.body, EventType(event.type)
    if type in _OF_ACTIVITIES:
        return _read_activity(event, known)
    if type in _OF_CHILDREN:
        return _read_child(event, known)
    match type:
        case EventType.TIMER_STARTED:
            return None, {"due": at(body[0]), "caller": body[1], "where": body[2]}
        case EventType.TIMER_FIRED:
            return None, {"started": body[0]}
        case EventType.SIGNAL_RECEIVED:
            return body[0], {"value": readable(body[1]), "delivery_id": _delivery_id(body[2])}
        case EventType.SIDE_EFFECT:
            return body[0], {"value": _side_effect(body[0], body[3]), "caller": body[1], "where": body[2]}
        case EventType.PATCHED | EventType.STATE_PUBLISHED | EventType.ATTRIBUTES_SET:
            return body[0], {"caller": body[1], "where": body[2]}
        case EventType.CANCEL_REQUESTED:
            return None, {"by": body[0]} if body else {}
        case EventType.RUN_CONTINUED_AS_NEW:
            return body[0], {"continued_to": body[3], "caller": body[1], "where": body[2]}
        case EventType.VERSION_CHANGED:
            return None, {"before": body[0], "after": body[1]}
        case EventType.RUN_FORKED:
            return None, {"origin": body[0], "how": body[1]}
        case _:
            return None, {"body": list(body)}


def _read_activity(event: engine.Event, known: _Known) -> tuple[str | None, dict[str, Any]]:
    body = event.body
    match EventType(event.type):
        case EventType.ACTIVITY_SCHEDULED | EventType.COMPENSATION_SCHEDULED:
            known.names[event.seq] = body[0]
            args, keywords = readable_call(body[3])
            called = {"arguments": args, "keywords": keywords, "options": body[4]}
            if (summary := engine.summary_of(event)) is not None:
                called["summary"] = summary
            return body[0], called | {"caller": body[1], "where": body[2]}
        case EventType.ACTIVITY_COMPLETED | EventType.COMPENSATION_COMPLETED:
            payload: dict[str, Any] = {"scheduled": body[0], "result": readable(body[1])}
        case EventType.ACTIVITY_FAILED | EventType.COMPENSATION_FAILED:
            payload = dict(zip(_FAILED, body, strict=False))
        case EventType.ACTIVITY_RETRIED:
            payload = dict(zip(_RETRIED, body, strict=False)) | {"due": at(body[4])}
        case _:
            payload = dict(zip(("scheduled", "crashes"), body, strict=False))
    return known.names.get(body[0]), payload


def _read_child(event: engine.Event, known: _Known) -> tuple[str | None, dict[str, Any]]:
    body = event.body
    match EventType(event.type):
        case EventType.CHILD_STARTED:
            known.names[event.seq] = known.names[body[3]] = body[0]
            known.children[event.seq] = body[3]
            policy = _CLOSE_POLICIES.get(body[5], body[5])
            child = {"child_run_id": body[3], "parent_close_policy": policy}
            return body[0], child | {"caller": body[1], "where": body[2]}
        case EventType.CHILD_CANCEL_REQUESTED:
            child = {"child_run_id": body[0], "caller": body[1], "where": body[2]}
            return known.names.get(body[0]), child
        case EventType.CHILD_COMPLETED:
            payload: dict[str, Any] = {"result": readable(body[1])}
        case EventType.CHILD_FAILED:
            payload = dict(zip(_CHILD_FAILED, body[1:], strict=False))
        case _:
            payload = {}
    child = {"started": body[0], "child_run_id": known.children.get(body[0])}
    return known.names.get(body[0]), child | payload


def _side_effect(kind: str, value: Any) -> Any:
    match kind:
        case "now":
            return at(value)
        case "uuid4":
            return uuid.UUID(bytes=value, version=4)
        case "random":
            return (int.from_bytes(value, "big") >> 3) / (1 << 53)
        case _:
            return readable(value) if isinstance(value, bytes) else value


def _delivery_id(key: str | None) -> str | None:
    return None if key is None or key.startswith(INTERNAL_DELIVERY) else key
