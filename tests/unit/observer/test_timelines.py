"""Timelines: attempts, back-off, waits and children as bars, and what the bars look like."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import fromstring

import pytest

from continuum.engine.events import Event, EventType
from continuum.observer.charts.timeline import lane, ticks
from continuum.observer.timelines import (
    ATTEMPT,
    BACKOFF,
    CHILD,
    MANY,
    SIGNAL,
    TIMER,
    Bar,
    bars_of,
    fewer,
    lanes_of,
)

SECOND = 1_000_000
HOSTILE = "<script>document.title='owned'</script>"


def call(seq: int, at: int, name: str = "charge", summary: str | None = None) -> Event:
    more = () if summary is None else (None, summary)
    return Event(seq, EventType.ACTIVITY_SCHEDULED, at, (name, "flow", "a.py:1", b"", None, *more))


RETRIED: Sequence[Event] = [
    call(0, 0),
    Event(1, EventType.ACTIVITY_RETRIED, 2, (0, "E", "no", 1, 5)),
    Event(2, EventType.ACTIVITY_RESTARTED, 5, (0,)),
    Event(3, EventType.ACTIVITY_COMPLETED, 9, (0, b"")),
]


def test_an_attempt_that_fails_is_followed_by_its_back_off_and_the_next_one() -> None:
    (found,) = lanes_of(bars_of(RETRIED))
    assert [(bar.kind, bar.since, bar.until, bar.failed, bar.attempt) for bar in found.bars] == [
        (ATTEMPT, 0, 2, True, 1),
        (BACKOFF, 2, 5, False, 2),
        (ATTEMPT, 5, 9, False, 2),
    ]
    assert (found.failed, found.attempts, found.until) == (False, 2, 9)


def test_an_attempt_whose_process_died_has_failed_and_begins_again() -> None:
    events = [call(0, 0), Event(1, EventType.ACTIVITY_CRASHED, 4, (0, 1))]
    (found,) = lanes_of(bars_of(events))
    assert [(bar.failed, bar.until) for bar in found.bars] == [(True, 4), (False, None)]


def test_a_wait_a_child_and_a_signal_have_bars_of_their_own() -> None:
    events = [
        Event(0, EventType.TIMER_STARTED, 1, (9, "flow", "a.py:2", 1)),
        Event(1, EventType.CHILD_STARTED, 2, ("notify", "flow", "a.py:3", "run-2", b"", 0)),
        Event(2, EventType.SIGNAL_RECEIVED, 3, ("approve", b"", None)),
        Event(3, EventType.CHILD_FAILED, 4, (1, "E", "no", "")),
    ]
    bars = bars_of(events)
    assert [(bar.kind, bar.until, bar.failed) for bar in bars] == [
        (TIMER, None, False),
        (CHILD, 4, True),
        (SIGNAL, 3, False),
    ]
    assert bars[1].run == "run-2"


def test_an_answer_whose_call_is_not_among_the_events_is_left_out() -> None:
    assert bars_of(RETRIED[1:]) == []


def test_an_event_that_cannot_be_read_is_left_out() -> None:
    assert bars_of([Event(-1, 0, 0, ()), call(1, 5)]) == bars_of([call(1, 5)])


def test_a_summary_names_the_bar_for_those_who_see_values() -> None:
    events = [call(0, 0, summary="charge order 7")]
    assert bars_of(events)[0].name == "charge order 7"
    assert bars_of(events, summaries=False)[0].name == "charge"


@pytest.mark.parametrize("number", [1, 149, 150, 151, 5_000])
def test_no_more_lanes_are_left_than_are_wanted_and_none_is_lost(number: int) -> None:
    lanes = lanes_of(bars_of([call(seq, seq) for seq in range(number)]))
    shown = fewer(lanes, 150)
    assert len(shown) <= 150
    assert sum(each.count for each in shown) == number


def test_joined_lanes_count_their_failures_and_stay_open() -> None:
    events = [call(0, 0), Event(1, EventType.ACTIVITY_FAILED, 2, (0, "E", "no", "", 1)), call(2, 3)]
    (found,) = fewer(lanes_of(bars_of(events)), 1)
    assert (found.kind, found.count, found.failures, found.until) == (MANY, 2, 1, None)


def test_bars_have_their_places_in_percent_and_say_what_they_are() -> None:
    bar = Bar(ATTEMPT, HOSTILE, 0, 25, 75, failed=True)
    text = lane([bar], 0, 100)
    assert "<script" not in text
    rect, sign = fromstring(text)
    assert (rect.get("x"), rect.get("width"), rect.get("class")) == ("25.00%", "50.00%", "attempt failed")
    assert (rect[0].text, sign.text) == (f"{HOSTILE}: attempt, < 1 ms, failed", "\N{MULTIPLICATION X}")


def test_an_open_bar_goes_to_the_end() -> None:
    (rect,) = fromstring(lane([Bar(TIMER, "timer", 0, 50, None)], 0, 100))
    assert (rect.get("x"), rect.get("width"), rect.get("class")) == ("50.00%", "50.00%", "timer open")


@pytest.mark.parametrize(
    ("seconds", "marks"),
    [(1, [0, 0.5, 1]), (3, [0, 1, 2, 3]), (200, [0, 60, 120, 180]), (90_000, [0, 43_200, 86_400])],
)
def test_an_axis_has_round_times(seconds: int, marks: list[float]) -> None:
    assert [tick / SECOND for tick in ticks(seconds * SECOND)] == marks


def test_a_long_axis_has_few_marks() -> None:
    assert len(ticks(1_000 * 86_400 * SECOND)) <= 7
