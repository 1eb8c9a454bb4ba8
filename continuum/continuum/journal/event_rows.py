"""The stored form of histories: a row holds the events of one write of a run.

`seq` and `at` of a row are those of its first event. A row whose `type` is positive is that one event, and
its payload the event's body. A row of several events has their number, negated, as its `type`. Their seqs
follow one another; the payload is one array of type, microseconds since the event before, and body of each.
An array has no version in front of it: its first byte is 0x90 or more, and another layout begins with a
smaller one.

That no two rows have the same event is guarded by the fence of writes: the table refuses only a second row
with the same first event. `continuum verify` checks the numbering across rows, and so does every replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from continuum.engine.events import Event
from continuum.journal.event_codec import CorruptBody, pack_body, pack_parts, unpack_body, unpack_parts
from continuum.journal.limits import EVENT_ROW_BYTES, READ_EVENT_ROW_BYTES

# First seq, type or negated number of events, time of the first event, payload.
EventRow: TypeAlias = tuple[int, int, int, bytes]

_FIRST_BYTE_OF_AN_ARRAY = 0x90
_FIELDS = 3
# What the journal takes for a time: from 1970 to 9999, in microseconds.
_LATEST = 253_402_214_400_000_000


def rows_of(events: Sequence[Event]) -> Iterable[EventRow]:
    """Return the rows that store consecutive events of a run."""
    number = len(events)
    first, type, start, body = events[0]
    # Plus zero: a plain integer costs less to look up and to pack than a member of an enum.
    if number == 1:
        return ((first, type + 0, start, pack_body(body)),)
    if number == 2:
        # The result of a step and the call of the next one: what is written most.
        second, next_type, at, next_body = events[1]
        dense = second == first + 1
        parts: Sequence[Any] = (type + 0, 0, body, next_type + 0, at - start, next_body)
    else:
        dense = all(seq == expected for expected, (seq, *_) in enumerate(events, first))
        parts = _parts_of(events)
    if not dense:
        # No engine writes that. Each is stored as it is, so that a check of the run sees it.
        return [(event.seq, event.type, event.at, pack_body(event.body)) for event in events]
    payload = pack_parts(parts)
    if len(payload) <= EVENT_ROW_BYTES:
        return ((first, -number, start, payload),)
    return _several_rows(events)


def _parts_of(events: Sequence[Event]) -> list[Any]:
    parts: list[Any] = []
    before = events[0].at
    for _, type, at, body in events:
        parts += (type + 0, at - before, body)
        before = at
    return parts


def _several_rows(events: Sequence[Event]) -> Iterator[EventRow]:
    """Yield as few rows as hold events of which one row would be too long."""
    row: list[Event] = []
    size = 0
    for event in events:
        delay = event.at - row[-1].at if row else 0
        added = len(pack_parts((event.type, delay, event.body)))
        if row and size + added > EVENT_ROW_BYTES:
            yield from rows_of(row)
            row, size = [], 0
        row.append(event)
        size += added
    yield from rows_of(row)


def length_of(type: int) -> int:
    """Return how many events a row of this type has."""
    return -type if type < 0 else 1


def events_of(seq: int, type: int, at: int, payload: bytes) -> list[Event]:
    """Return the events of a row. Raises `CorruptBody`."""
    if type >= 0:
        return [Event(seq, type, at, unpack_body(payload))]
    if len(payload) > READ_EVENT_ROW_BYTES:
        raise CorruptBody(f"{len(payload)} bytes in a row of several events; none is written with so many")
    if payload[:1] < bytes([_FIRST_BYTE_OF_AN_ARRAY]):
        raise CorruptBody("its layout is not known to this version")
    parts = unpack_parts(payload)
    if len(parts) != -type * _FIELDS:
        raise CorruptBody(f"not the {-type} events that the row is said to have")
    events: list[Event] = []
    for place in range(0, len(parts), _FIELDS):
        kind, delay, body = parts[place : place + _FIELDS]
        if kind.__class__ is not int or delay.__class__ is not int or body.__class__ is not tuple:
            raise CorruptBody("not an event")
        at += delay
        if not 0 <= at <= _LATEST:
            raise CorruptBody("a time that no clock shows")
        events.append(Event(seq, kind, at, body))
        seq += 1
    return events
