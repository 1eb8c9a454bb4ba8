"""For each event of a history, the line of code that asked for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from continuum.replays.asked_lines import replay_with_lines
from continuum.testing import History, env
from tests.unit.replays import bookings
from tests.unit.testing import changed_flows, flows
from tests.unit.testing.recorded_histories import history_of, with_events

LINES = Path(bookings.__file__).read_text(encoding="utf-8").splitlines()


def marked(mark: str) -> int:
    (number,) = [number for number, line in enumerate(LINES, 1) if line.endswith(f"# asks: {mark}")]
    return number


def booked(*, early: bool) -> History:
    """Return the history of a booking whose answer comes before the code waits for it, or after."""

    async def booking() -> History:
        async with env() as environment:
            run = await environment.start(bookings.book, 7)
            if early:
                await run.signal(bookings.answer, "yes")
            await environment.advance(timedelta(hours=2))
            if not early:
                await run.signal(bookings.answer, "yes")
                await environment.settle()
            return await environment.history(run.id)

    return asyncio.run(booking())


def lines_of(history: History) -> dict[tuple[str, str | None], list[int | None]]:
    """Return the numbers of the lines of the events, by type and name."""
    replayed, lines = replay_with_lines(bookings.book, history)
    assert replayed.state == "completed"
    found: dict[tuple[str, str | None], list[int | None]] = {}
    for event in history:
        line = lines.get(event.seq)
        if line is not None:
            assert line.path == bookings.__file__
            assert line.text == LINES[line.line - 1].strip()
        found.setdefault((event.type, event.name), []).append(None if line is None else line.line)
    return found


def test_every_event_has_the_line_that_asked_for_it() -> None:
    seats = [marked("first seat"), marked("second seat"), marked("last seat")]
    found = lines_of(booked(early=False))
    assert found["activity_scheduled", "bookings_reserve"] == seats
    assert sorted(map(str, found["activity_completed", "bookings_reserve"])) == sorted(map(str, seats))
    assert found["timer_started", None] == found["timer_fired", None] == [marked("timer")]
    assert found["signal_received", "answer"] == [marked("answer")]
    assert found["side_effect", "now"] == [marked("clock")]


def test_a_signal_that_came_early_has_the_line_that_takes_it() -> None:
    assert lines_of(booked(early=True))["signal_received", "answer"] == [marked("answer")]


def test_a_signal_that_no_code_has_taken_has_no_line() -> None:
    history = booked(early=True)
    (signal,) = [event.seq for event in history if event.type == "signal_received"]
    (fired,) = [event.seq for event in history if event.type == "timer_fired"]
    _, lines = replay_with_lines(bookings.book, with_events(history, *history.stored[:fired]))
    assert signal < fired
    assert signal not in lines


def test_code_that_has_drifted_has_no_line_for_the_event_that_differs_and_those_after_it() -> None:
    history = history_of(flows.order_flow, "o1")
    replayed, lines = replay_with_lines(changed_flows.hasty, history)
    assert replayed.state == "drifted"
    assert lines == {}
