"""Events of a history as a page shows them, each command beside its answer. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from continuum.client.histories import Event
from continuum.observer.payloads import Payload, Payloads

# So much of a value stands in the list; the page of its event has the rest.
LISTED_CHARACTERS = 160
_VALUES = {
    "result": "result",
    "value": "value",
    "body": "value",
    "message": "error.message",
    "summary": "input.summary",
}
_BREAK = re.compile(r"\n\s*")
_COMMANDS = ("scheduled", "started")
# What a row says elsewhere, or what says nothing to people.
_ELSEWHERE = frozenset(("caller", "where", "traceback", "arguments", "keywords", *_VALUES, *_COMMANDS))


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """An event; `answers` is the command that it answers, and `answered` the event that answers it.

    `values` are what came from the user's code, by what they are; `facts` are the rest.
    """

    seq: int
    type: str
    name: str | None
    at: datetime
    caller: str | None
    where: str | None
    answers: int | None
    answered: int | None
    values: Mapping[str, Payload]
    facts: Mapping[str, Any]

    @property
    def failed(self) -> bool:
        """Whether it says that something went wrong."""
        return self.type.endswith(("_failed", "_retried", "_crashed")) or self.type == "corrupt"


def shown_events(events: Sequence[Event], payloads: Payloads) -> list[ShownEvent]:
    """Return events as a visitor sees them."""
    answers = {command: event.seq for event in events if (command := _command_of(event)) is not None}
    return [_shown(event, answers.get(event.seq), payloads) for event in events]


def found(events: Iterable[ShownEvent], text: str) -> list[ShownEvent]:
    """Return the events in which a text is, in any case, as far as the visitor sees them."""
    wanted = text.casefold()
    return [event for event in events if any(wanted in each.casefold() for each in _texts(event))]


def listed(event: ShownEvent) -> ShownEvent:
    """Return an event with the beginnings of its values."""
    return replace(event, values={name: _beginning(value) for name, value in event.values.items()})


def _beginning(value: Payload) -> Payload:
    if value.text is None:
        return value
    line = _BREAK.sub(" ", value.text[: 4 * LISTED_CHARACTERS])
    shown = line[:LISTED_CHARACTERS]
    return replace(value, text=shown, cut=value.cut + max(len(value.text) - LISTED_CHARACTERS, 0))


def _command_of(event: Event) -> int | None:
    found = next((event.payload[name] for name in _COMMANDS if name in event.payload), None)
    return found if type(found) is int else None


def _shown(event: Event, answered: int | None, payloads: Payloads) -> ShownEvent:
    payload = event.payload
    values: dict[str, Payload] = {}
    if "arguments" in payload:
        given = payload["arguments"]
        for place, value in enumerate(given if isinstance(given, list) else [given]):
            values[f"argument {place + 1}"] = payloads.shown(value, f"input.{place}")
        for name, value in (payload.get("keywords") or {}).items():
            values[str(name)] = payloads.shown(value, f"input.{name}")
    for name, under in _VALUES.items():
        if name in payload:
            is_text = name in ("message", "summary") and isinstance(payload[name], str)
            show = payloads.text if is_text else payloads.shown
            values[name] = show(payload[name], under)
    if isinstance(payload.get("traceback"), str) and payload["traceback"]:
        values["traceback"] = payloads.text(payload["traceback"], "error.traceback")
    facts = {
        name: value
        for name, value in payload.items()
        if name not in _ELSEWHERE and value is not None and value not in ({}, [])
    }
    return ShownEvent(
        event.seq,
        event.type,
        event.name,
        event.at,
        payload.get("caller"),
        payload.get("where"),
        _command_of(event),
        answered,
        values,
        facts,
    )


def _texts(event: ShownEvent) -> list[str]:
    texts = [event.type, event.name or "", event.where or "", event.caller or ""]
    return texts + [value.text for value in event.values.values() if value.text is not None]
