"""Rows of events: what is written is read, in as few rows as hold it; what nobody writes is corrupt."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from continuum.engine.events import Event, EventType
from continuum.journal.event_codec import CorruptBody, pack_body
from continuum.journal.event_rows import events_of, length_of, rows_of
from continuum.journal.limits import EVENT_ROW_BYTES, READ_EVENT_ROW_BYTES

NOON = 1_700_000_000_000_000

bodies = st.lists(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary(max_size=900),
    max_size=4,
).map(tuple)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    first = draw(st.integers(0, 2**31 - 100))
    drawn = draw(
        st.lists(
            st.tuples(st.sampled_from(EventType), st.integers(1, 2**57), bodies), min_size=1, max_size=40
        )
    )
    return [Event(first + place, int(kind), at, body) for place, (kind, at, body) in enumerate(drawn)]


def read(rows: Sequence[tuple[int, int, int, bytes]]) -> list[Event]:
    return [event for row in rows for event in events_of(*row)]


@given(histories())
def test_events_are_read_as_they_were_written(events: list[Event]) -> None:
    assert read(list(rows_of(events))) == events


@given(histories())
def test_rows_follow_one_another_and_none_is_too_long(events: list[Event]) -> None:
    expected = events[0].seq
    for seq, type, _, payload in rows_of(events):
        assert seq == expected
        assert type > 0 or len(payload) <= EVENT_ROW_BYTES
        expected += length_of(type)
    assert expected == events[-1].seq + 1


def test_a_write_is_one_row() -> None:
    events = [Event(seq, EventType.TIMER_FIRED, NOON + seq, (seq,)) for seq in range(100)]
    ((seq, type, at, _),) = rows_of(events)
    assert (seq, type, at) == (0, -100, NOON)


def test_a_long_write_is_few_rows() -> None:
    events = [Event(seq, EventType.SIGNAL_RECEIVED, NOON, ("go", bytes(400), None)) for seq in range(100)]
    assert len(list(rows_of(events))) <= 100 * 500 // EVENT_ROW_BYTES + 2


def test_an_event_by_itself_is_stored_as_ever() -> None:
    """Rows of earlier releases are such rows, too."""
    event = Event(3, EventType.TIMER_FIRED, NOON, (1,))
    assert list(rows_of([event])) == [(3, EventType.TIMER_FIRED, NOON, pack_body((1,)))]


def test_events_that_do_not_follow_one_another_are_stored_as_they_are() -> None:
    events = [Event(2, 7, NOON, (0,)), Event(1, 7, NOON, (1,))]
    assert read(list(rows_of(events))) == events


def packed(*parts: Any) -> bytes:
    data: bytes = msgpack.packb(parts)
    return data


@pytest.mark.parametrize(
    ("number", "payload"),
    [
        (2, b""),
        (2, b"\xc1"),
        (2, b"\x96\x07"),
        (2, pack_body((0,))),
        (2, packed(7, 0, (0,))),
        (1, packed(7, 0, (0,), 7, 0, (0,))),
        (1, packed(7, 0, (0,), 7)),
        (1, packed("7", 0, (0,))),
        (1, packed(True, 0, (0,))),
        (1, packed(7, 0.5, (0,))),
        (1, packed(7, 0, b"body")),
        (1, packed(7, 2**62, (0,))),
        (1, packed(7, -(2**62), (0,))),
        (1, packed({}, 0, (0,))),
        (1, packed(7, 0, (0,)) + b"\x00"),
        (32768, packed(7, 0, (0,))),
        (1, packed(7, 0, (bytes(READ_EVENT_ROW_BYTES),))),
    ],
)
def test_a_row_that_nobody_writes_is_corrupt(number: int, payload: bytes) -> None:
    with pytest.raises(CorruptBody):
        events_of(0, -number, NOON, payload)


def test_forged_lengths_allocate_little() -> None:
    nested = b"\xdd" + (2**32 - 1).to_bytes(4, "big")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for length in (b"\xdd\xff\xff\xff\xff", b"\xdc" + (7_000).to_bytes(2, "big"), nested):
        payload = (length * READ_EVENT_ROW_BYTES)[:READ_EVENT_ROW_BYTES]
        with pytest.raises(CorruptBody):
            events_of(0, -32768, NOON, payload)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 256 * 1024 * 1024
