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
from continuum.journal.event_rows import EventRow, calls_of, events_of, length_of, rows_of
from continuum.journal.limits import EVENT_ROW_BYTES, READ_EVENT_ROW_BYTES, REMEMBERED_CALLS, REMEMBERED_RUNS
from continuum.journal.repeated_calls import Call, CallsOfRuns, MissingCall, WrittenCalls

NOON = 1_700_000_000_000_000

calls = st.tuples(
    st.sampled_from(["charge", "ship"]),
    st.sampled_from(["flow", "part"]),
    st.just("file:1"),
    st.binary(max_size=900),
)
bodies = calls | st.lists(
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


def written(events: Sequence[Event], calls: WrittenCalls | None = None) -> list[EventRow]:
    return list(rows_of(events, calls or WrittenCalls(1)))


def read(rows: Sequence[EventRow]) -> list[Event]:
    calls: dict[int, Call] = {}
    return [event for row in rows for event in events_of(*row, calls)]


@given(histories())
def test_events_are_read_as_they_were_written(events: list[Event]) -> None:
    assert read(written(events)) == events


@given(histories())
def test_rows_follow_one_another_and_none_is_too_long(events: list[Event]) -> None:
    expected = events[0].seq
    for seq, type, _, payload in written(events):
        assert seq == expected
        assert type > 0 or len(payload) <= EVENT_ROW_BYTES
        expected += length_of(type)
    assert expected == events[-1].seq + 1


def test_a_write_is_one_row() -> None:
    events = [Event(seq, EventType.TIMER_FIRED, NOON + seq, (seq,)) for seq in range(100)]
    ((seq, type, at, _),) = written(events)
    assert (seq, type, at) == (0, -100, NOON)


def test_a_long_write_is_few_rows() -> None:
    events = [Event(seq, EventType.SIGNAL_RECEIVED, NOON, ("go", bytes(400), None)) for seq in range(100)]
    assert len(written(events)) <= 100 * 500 // EVENT_ROW_BYTES + 2


def test_an_event_by_itself_is_stored_as_ever() -> None:
    """Rows of earlier releases are such rows, too."""
    event = Event(3, EventType.TIMER_FIRED, NOON, (1,))
    assert written([event]) == [(3, EventType.TIMER_FIRED, NOON, pack_body((1,)))]


def test_events_that_do_not_follow_one_another_are_stored_as_they_are() -> None:
    events = [Event(2, 7, NOON, (0,)), Event(1, 7, NOON, (1,))]
    assert read(written(events)) == events


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
        (2, packed(7, 0, (bytes(READ_EVENT_ROW_BYTES),), 7, 0, (0,))),
        (1, packed(-1, 0, ())),
        (1, packed(-1, 0, (0, b"", None))),
        (1, packed(-1, 0, (-1, b"", None))),
        (1, packed(-1, 0, (2**40, b"", None))),
        (1, packed(-1, 0, (True, b"", None))),
        (1, packed(-1, 0, ("act", "flow", "file:1", b"", None))),
        (1, packed(-(2**62), 0, (0,))),
    ],
)
def test_a_row_that_nobody_writes_is_corrupt(number: int, payload: bytes) -> None:
    with pytest.raises(CorruptBody):
        events_of(0, -number, NOON, payload, {})


def test_forged_lengths_allocate_little() -> None:
    nested = b"\xdd" + (2**32 - 1).to_bytes(4, "big")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for length in (b"\xdd\xff\xff\xff\xff", b"\xdc" + (7_000).to_bytes(2, "big"), nested):
        payload = (length * READ_EVENT_ROW_BYTES)[:READ_EVENT_ROW_BYTES]
        with pytest.raises(CorruptBody):
            events_of(0, -32768, NOON, payload, {})
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 256 * 1024 * 1024


def step(seq: int, name: str = "charge") -> list[Event]:
    """Return the result of a call and the next call."""
    return [
        Event(seq, EventType.ACTIVITY_COMPLETED, NOON, (seq - 1, b"\x01\x07")),
        Event(seq + 1, EventType.ACTIVITY_SCHEDULED, NOON, (name, "flow", "file:1", b"\x01\x90", None)),
    ]


def test_a_repeated_call_is_shorter_and_reads_the_same() -> None:
    calls = WrittenCalls(1)
    events = [event for seq in range(1, 9, 2) for event in step(seq)]
    rows = [row for at in range(0, 8, 2) for row in written(events[at : at + 2], calls)]
    assert read(rows) == events
    first, *later = (len(payload) for *_, payload in rows)
    assert max(later) < first - len("chargeflowfile:1")


def test_a_call_from_elsewhere_is_stored_whole() -> None:
    calls = WrittenCalls(1)
    for events in (step(1), step(3, "ship"), step(5)):
        ((*_, payload),) = written(events, calls)
        assert (b"flow" in payload) is (events[0].seq < 5)


def test_a_repeated_call_by_itself_reads_the_same() -> None:
    calls = WrittenCalls(1)
    events = [step(seq)[1] for seq in range(3)]
    events = [event._replace(seq=seq) for seq, event in enumerate(events)]
    rows = [row for event in events for row in written([event], calls)]
    assert [type for _, type, _, _ in rows] == [EventType.ACTIVITY_SCHEDULED, -1, -1]
    assert read(rows) == events


@pytest.mark.parametrize("name", [1, True, 1.0, None, b"charge", ["charge"]])
def test_a_name_that_is_no_text_is_not_referred_to(name: Any) -> None:
    calls = WrittenCalls(1)
    body = (name, "flow", "file:1", b"", None)
    for seq in (0, 1):
        ((_, type, *_),) = written([Event(seq, EventType.ACTIVITY_SCHEDULED, NOON, body)], calls)
        assert type == EventType.ACTIVITY_SCHEDULED


def test_a_row_that_refers_to_a_call_elsewhere_says_which() -> None:
    calls = WrittenCalls(1)
    first, (later,) = written(step(1), calls), written(step(3), calls)
    with pytest.raises(MissingCall) as missing:
        events_of(*later, {})
    assert missing.value.seq == 2
    seq, type, _, payload = first[0]
    assert events_of(*later, calls_of(seq, type, payload)) == step(3)


def test_the_memory_of_written_calls_is_bounded() -> None:
    runs = CallsOfRuns()
    first = runs.of(b"first", 1)
    for number in range(2 * REMEMBERED_CALLS):
        written([Event(number, 1, NOON, (f"act{number}", "flow", "file:1", b"", None))], first)
    again = [
        Event(1000 + number, 1, NOON, (f"act{number}", "flow", "file:1", b"", None)) for number in range(200)
    ]
    assert sum(-length for _, length, *_ in written(again, first)) == len(again)
    assert runs.of(b"first", 1) is first
    assert runs.of(b"first", 2) is not first
    kept = runs.of(b"first", 2)
    for number in range(REMEMBERED_RUNS):
        runs.of(b"%d" % number, 1)
    assert runs.of(b"first", 2) is not kept
