"""Each run is looked for once, at the time that was set last."""

from __future__ import annotations

from continuum.client.look_times import MOST_REPLACED, LookTimes
from continuum.engine.ids import RunId

A, B, C = RunId("a"), RunId("b"), RunId("c")


def test_the_earliest_runs_are_taken_first_and_once() -> None:
    times = LookTimes()
    for run_id, at in ((A, 3.0), (B, 1.0), (C, 2.0)):
        times.set(run_id, at)
    assert times.earliest() == 1.0
    assert times.take(3.0, 2) == [B, C]
    assert times.take(2.9, 2) == []
    assert times.take(3.0, 2) == [A]
    assert times.earliest() is None


def test_the_last_time_counts_and_an_advance_only_makes_it_earlier() -> None:
    times = LookTimes()
    times.set(A, 1.0)
    times.set(A, 5.0)
    times.advance(A, 6.0)
    assert times.earliest() == 5.0
    times.advance(A, 4.0)
    times.advance(B, 7.0)
    assert times.take(10.0, 10) == [A, B]


def test_a_time_set_twice_is_one_look() -> None:
    times = LookTimes()
    times.set(A, 1.0)
    times.set(A, 1.0)
    assert times.take(1.0, 10) == [A]


def test_a_run_that_is_forgotten_is_not_looked_for() -> None:
    times = LookTimes()
    times.set(A, 1.0)
    times.forget(A)
    assert times.earliest() is None
    assert times.take(1.0, 10) == []


def test_times_that_are_replaced_do_not_add_up() -> None:
    times = LookTimes()
    for number in range(10 * MOST_REPLACED):
        times.set(A, float(number))
    assert len(times._heap) <= MOST_REPLACED + 3
    assert times.take(10.0 * MOST_REPLACED, 10) == [A]
