"""A run's history for people: event names, and payloads with names instead of positions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from continuum.client.readable import Unreadable, at, readable, readable_call
from continuum.engine import events as engine
from continuum.engine.events import EventType

# What a signal without a delivery id is deduplicated by when its post is repeated. Users' ids
# have no control characters, so they cannot meet these.
INTERNAL_DELIVERY = "\x1f"

_CORRUPT = Unreadable("the event cannot be read; restore it from a backup, or cancel the run with force")
_FAILED = ("scheduled", "type", "message", "traceback", "attempt")
_RETRIED = ("scheduled", "type", "message", "attempt")


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a history. `name` is what it is about (an activity, a signal, a patch), if anything.

    `payload` depends on the type: e.g. ``arguments`` of an ``activity_scheduled``,
    ``scheduled`` (the seq it answers) and ``result`` of an ``activity_completed``.
    """

    seq: int
    type: str
    name: str | None
    payload: dict[str, Any]
    at: datetime


def history_of(stored: Sequence[engine.Event]) -> list[Event]:
    """Return a stored history for people; what cannot be read is shown as such."""
    names: dict[int, str] = {}
    return [_event_of(event, names) for event in stored]


def _event_of(event: engine.Event, names: dict[int, str]) -> Event:
    if event.seq < 0:
        return Event(event.seq, "corrupt", None, {"body": _CORRUPT}, at(event.at))
    try:
        name, payload = _read(event, names)
    except (ValueError, IndexError, TypeError) as error:
        name, payload = None, {"body": Unreadable(f"the event cannot be read: {error}")}
    return Event(event.seq, _type_name(event.type), name, payload, at(event.at))


def _type_name(type: int) -> str:
    try:
        return engine.event_name(type)
    except ValueError:
        return f"type_{type}"


def _read(event: engine.Event, names: dict[int, str]) -> tuple[str | None, dict[str, Any]]:
    body = event.body
    match EventType(event.type):
        case EventType.ACTIVITY_SCHEDULED | EventType.COMPENSATION_SCHEDULED:
            names[event.seq] = body[0]
            args, keywords = readable_call(body[3])
            called = {"arguments": args, "keywords": keywords, "options": body[4]}
            return body[0], called | {"caller": body[1], "where": body[2]}
        case EventType.ACTIVITY_COMPLETED | EventType.COMPENSATION_COMPLETED:
            return names.get(body[0]), {"scheduled": body[0], "result": readable(body[1])}
        case EventType.ACTIVITY_FAILED | EventType.COMPENSATION_FAILED:
            return names.get(body[0]), dict(zip(_FAILED, body, strict=False))
        case EventType.ACTIVITY_RETRIED:
            return names.get(body[0]), dict(zip(_RETRIED, body, strict=False)) | {"due": at(body[4])}
        case EventType.ACTIVITY_CRASHED | EventType.ACTIVITY_RESTARTED:
            return names.get(body[0]), dict(zip(("scheduled", "crashes"), body, strict=False))
        case EventType.TIMER_STARTED:
            return None, {"due": at(body[0]), "caller": body[1], "where": body[2]}
        case EventType.TIMER_FIRED:
            return None, {"started": body[0]}
        case EventType.SIGNAL_RECEIVED:
            return body[0], {"value": readable(body[1]), "delivery_id": _delivery_id(body[2])}
        case EventType.SIDE_EFFECT:
            return body[0], {"value": _side_effect(body[0], body[3]), "caller": body[1], "where": body[2]}
        case EventType.PATCHED:
            return body[0], {"caller": body[1], "where": body[2]}
        case EventType.CANCEL_REQUESTED:
            return None, {}
        case _:
            return None, {"body": list(body)}


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
