"""The stored form of histories: a row holds the events of one write of a run.

`seq` and `at` of a row are those of its first event. A row whose `type` is positive is that one event, and
its payload the event's body. A row with a negative `type` holds so many events. Their seqs follow one
another; the payload is one array of type, microseconds since the event before, and body of each. An array has
no version in front of it: its first byte is 0x90 or more, and another layout begins with a smaller one.

Code in a loop calls from one place again and again. An event whose type is negated in the array has, instead
of name, caller and place, the seq of an earlier event of the run that has these (`repeated_calls.py`).

That no two rows have the same event is guarded by the fence of writes: the table refuses only a second row
with the same first event. `continuum verify` checks the numbering across rows, and so does every replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from continuum.engine.events import Event
from continuum.journal.event_codec import CorruptBody, pack_body, pack_parts, unpack_body, unpack_parts
from continuum.journal.limits import EVENT_ROW_BYTES, READ_EVENT_ROW_BYTES
from continuum.journal.repeated_calls import CALLS, Call, WrittenCalls, whole

# First seq, type or negated number of events, time of the first event, payload.
EventRow: TypeAlias = tuple[int, int, int, bytes]

_FIRST_BYTE_OF_AN_ARRAY = 0x90
_FIELDS = 3
# What the journal takes for a time: from 1970 to 9999, in microseconds.
_LATEST = 253_402_214_400_000_000


def rows_of(events: Sequence[Event], calls: WrittenCalls) -> Iterable[EventRow]:
    """Return the rows that store consecutive events of a run, of which earlier rows have these calls."""
    number = len(events)
    first, type, start, body = events[0]
    # Plus zero: a plain integer costs less to look up and to pack than a member of an enum.
    kind = type + 0
    if kind in CALLS:
        kind, body = calls.shortened(first, kind, body)
    if number == 1:
        if kind >= 0:
            return ((first, kind, start, pack_body(body)),)
        return ((first, -1, start, pack_parts((kind, 0, body))),)
    if number == 2:
        # The result of a step and the call of the next one: what is written most.
        seq, type, at, next_body = events[1]
        dense = seq == first + 1
        next_kind = type + 0
        if next_kind in CALLS:
            next_kind, next_body = calls.shortened(seq, next_kind, next_body)
        parts: Sequence[Any] = (kind, 0, body, next_kind, at - start, next_body)
    else:
        dense = all(seq == expected for expected, (seq, *_) in enumerate(events, first))
        parts = _parts_of(kind, body, events, calls)
    if not dense:
        # No engine writes that. Each is stored as it is, so that a check of the run sees it.
        calls.clear()
        return [(event.seq, event.type, event.at, pack_body(event.body)) for event in events]
    payload = pack_parts(parts)
    if len(payload) <= EVENT_ROW_BYTES:
        return ((first, -number, start, payload),)
    return _several_rows(first, start, parts)


def _parts_of(kind: int, body: tuple[Any, ...], events: Sequence[Event], calls: WrittenCalls) -> list[Any]:
    """Return the array of more than two events; type and body of the first are given as they are stored."""
    parts: list[Any] = [kind, 0, body]
    before = events[0].at
    for seq, type, at, body in events[1:]:
        kind = type + 0
        if kind in CALLS:
            kind, body = calls.shortened(seq, kind, body)
        parts += (kind, at - before, body)
        before = at
    return parts


def _several_rows(seq: int, at: int, parts: Sequence[Any]) -> Iterator[EventRow]:
    """Yield as few rows as hold events of which one row would be too long."""
    row: list[Any] = []
    size = 0
    first, start = seq, at
    for place in range(0, len(parts), _FIELDS):
        kind, delay, body = parts[place : place + _FIELDS]
        at += delay
        added = len(pack_parts((kind, delay, body)))
        if row and size + added > EVENT_ROW_BYTES:
            yield _row(first, start, row)
            row, size, first, start = [], 0, seq, at
        row += (kind, delay if row else 0, body)
        size += added
        seq += 1
    yield _row(first, start, row)


def _row(first: int, start: int, parts: Sequence[Any]) -> EventRow:
    number = len(parts) // _FIELDS
    if number == 1 and parts[0] >= 0:
        return first, parts[0], start, pack_body(parts[2])
    return first, -number, start, pack_parts(parts)


def length_of(type: int) -> int:
    """Return how many events a row of this type has."""
    return -type if type < 0 else 1


def events_of(seq: int, type: int, at: int, payload: bytes, calls: dict[int, Call]) -> list[Event]:
    """Return the events of a row, of which earlier rows have these calls, and add its own calls to them.

    Raises `CorruptBody`, and `MissingCall` for a call that is not among them.
    """
    if type >= 0:
        body = unpack_body(payload)
        if type in CALLS:
            calls[seq] = body[:_FIELDS]
        return [Event(seq, type, at, body)]
    events: list[Event] = []
    for kind, delay, body in _entries(type, payload):
        at += delay
        if not 0 <= at <= _LATEST:
            raise CorruptBody("a time that no clock shows")
        if kind < 0:
            kind, body = -kind, whole(seq, body, calls)
        elif kind in CALLS:
            calls[seq] = body[:_FIELDS]
        events.append(Event(seq, kind, at, body))
        seq += 1
    return events


def calls_of(seq: int, type: int, payload: bytes) -> dict[int, Call]:
    """Return the calls that a row has whole. Raises `CorruptBody`."""
    if type >= 0:
        return {seq: unpack_body(payload)[:_FIELDS]} if type in CALLS else {}
    entries = enumerate(_entries(type, payload), seq)
    return {place: body[:_FIELDS] for place, (kind, _, body) in entries if kind in CALLS}


def _entries(type: int, payload: bytes) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
    """Yield type, delay and body of each event in an array. Raises `CorruptBody`."""
    if len(payload) > READ_EVENT_ROW_BYTES and type < -1:
        raise CorruptBody(f"{len(payload)} bytes in a row of several events; none is written with so many")
    if payload[:1] < bytes([_FIRST_BYTE_OF_AN_ARRAY]):
        raise CorruptBody("its layout is not known to this version")
    parts = unpack_parts(payload)
    if len(parts) != -type * _FIELDS:
        raise CorruptBody(f"not the {-type} events that the row is said to have")
    for place in range(0, len(parts), _FIELDS):
        kind, delay, body = parts[place : place + _FIELDS]
        if kind.__class__ is not int or delay.__class__ is not int or body.__class__ is not tuple:
            raise CorruptBody("not an event")
        yield kind, delay, body
