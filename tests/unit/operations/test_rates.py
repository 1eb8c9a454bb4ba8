"""Rates: statistics by minute as numbers that charts show."""

from __future__ import annotations

from continuum.journal.stat_port import MICROSECONDS, Stat
from continuum.operations.rates import Durations, rates_of, shown_time
from continuum.telemetry.tallies import Tally

MINUTE = 60 * MICROSECONDS


def test_an_hour_ends_with_the_present_minute() -> None:
    assert shown_time(61 * MINUTE + 5) == (2 * MINUTE, 62 * MINUTE)


def test_each_number_is_in_its_minute() -> None:
    found = [
        Stat(0, Tally("run.started", "", "", 7)),
        Stat(MINUTE, Tally("run.ended", "", "completed", 2)),
        Stat(MINUTE, Tally("run.ended", "", "failed", 1)),
        Stat(MINUTE, Tally("run.ended", "", "continued", 5)),
        Stat(3 * MINUTE, Tally("run.started", "", "", 4)),
    ]
    rates = rates_of(found, 0, 3 * MINUTE)
    assert (rates.started, rates.completed, rates.failed) == ([7, 0, 0], [0, 2, 0], [0, 1, 0])
    assert rates.counted


def test_durations_of_five_minutes_are_added() -> None:
    found = [
        Stat(0, Tally("run.duration", "", "", 1, 0.3, (0, 1))),
        Stat(4 * MINUTE, Tally("run.duration", "", "", 3, 9.0, (0, 0, 3))),
        Stat(5 * MINUTE, Tally("run.duration", "", "", 1, 9.0, (1,))),
    ]
    rates = rates_of(found, 0, 10 * MINUTE)
    assert [step.number for step in rates.durations] == [4, 1]
    assert rates.all_durations.number == 5
    assert rates.durations[0].p50 is not None


def test_without_statistics_nothing_was_counted() -> None:
    rates = rates_of([], 0, 5 * MINUTE)
    assert not rates.counted
    assert rates.durations == [Durations(0, None, None)]
